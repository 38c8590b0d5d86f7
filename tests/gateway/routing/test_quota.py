"""What providers say of their limits, in each of the ways in which they say it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.quota import LONGEST_S, exhausted_s, retry_after_s

NOW_S = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:30 GMT"}, 0.0),
        ({"retry-after": "99999999"}, LONGEST_S),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "whenever"}, None),
    ],
)
def test_retry_after(headers, expected):
    assert retry_after_s(headers, NOW_S) == expected


@pytest.mark.parametrize(
    ("remaining", "reset", "expected"),
    [
        ("0", "1s", 1.0),
        ("0", "6m0s", 360.0),
        ("0", "20ms", 0.02),
        ("0", "0h2m3.5s", 123.5),
        ("0", "12", 12.0),
        ("0", "2027-01-15T08:00:10Z", 10.0),
        ("0", "2027-01-15T07:00:00Z", 0.0),
        ("0", "1s and a bit", 0.0),
        ("0", "", 0.0),
        ("0", "30d", LONGEST_S),
        ("3", "1s", 0.0),
        (None, "1s", 0.0),
    ],
)
@pytest.mark.parametrize(
    ("left", "until"),
    [
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ],
)
def test_a_limit_that_is_used_up(left, until, remaining, reset, expected):
    headers = {until: reset} | ({} if remaining is None else {left: remaining})
    assert exhausted_s(headers, NOW_S) == pytest.approx(expected)


def test_the_longest_of_several_limits_counts():
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "9s",
    }
    assert exhausted_s(headers, NOW_S) == 9.0


@given(st.text(), st.text())
def test_no_words_of_a_provider_break_anything(after, reset):
    found = retry_after_s({"retry-after": after}, NOW_S)
    assert found is None or 0 <= found <= LONGEST_S
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": reset}
    assert 0 <= exhausted_s(headers, NOW_S) <= LONGEST_S
