"""Figures and names as people read them."""

import pytest

from gateway.calls import wording
from gateway.calls.story import Money


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, ""), (0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (59_949, "59.9 s"),
     (60_000, "1 min 0 s"), (125_999, "2 min 5 s")],
)  # fmt: skip
def test_durations_read_well(ms, text):
    assert wording.duration(ms) == text


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (True, "true"),
        ("", "(empty)"),
        ((), "(none)"),
        (["a", "b"], "a, b"),
        (3, "3"),
        ([["EMAIL_ADDRESS", "pii", 0.9, "", 2]], "2 EMAIL_ADDRESS in the body (0.9)"),
    ],
)
def test_facts_read_well(fact, text):
    assert wording.value(fact) == text


@pytest.mark.parametrize(
    ("recorded", "text"),
    [
        (
            {"redact": {"kinds": [], "min_score": 0.4, "method": "drop"}},
            "Redact personal data of every kind from score 0.4 on, by drop",
        ),
        ({"cap": {"max_output_tokens": 1500}}, "Ask for at most 1,500 output tokens"),
        ({"route": "small"}, "Serve it with the model small"),
        ({"of tomorrow": 1}, "of tomorrow"),
    ],
)
def test_obligations_read_well(recorded, text):
    assert wording.obligation(recorded) == text


def test_free_calls_have_no_price():
    assert wording.money(Money("", 0)) == "no price"
    assert wording.money(Money("USD", 310)) == "USD 0.00031"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0"),
        (99_999, "99,999"),
        (100_000, "100 k"),
        (999_499, "999 k"),
        (1_234_567, "1.23 M"),
        (45_600_000, "45.6 M"),
        (7_000_000_000, "7.00 bn"),
        (12_345_000_000_000, "12,345 bn"),
    ],
)
def test_large_counts_are_rounded(number, told):
    assert wording.rounded(number) == told
