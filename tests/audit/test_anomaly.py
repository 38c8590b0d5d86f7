"""When a rule behaves otherwise than it did."""

import pytest

from audit.anomaly import never_fired, unusual

CALLS = [1000] * 31


def kind(hits, calls=CALLS):
    found = unusual(hits, calls)
    return found and found.kind


@pytest.mark.parametrize(
    ("before", "today", "expected"),
    [
        ([10] * 30, 60, "jump"),
        ([10] * 30, 39, None),
        ([0] * 30, 20, "jump"),
        ([0] * 30, 19, None),
        ([10] * 29 + [900], 60, "jump"),  # one wild day hides nothing
        ([10, 200] * 15, 300, None),  # a restless rule
        ([2] * 23 + [50] * 7, 60, None),  # it was changed a week ago
        ([10] * 30, 0, "silence"),
        ([4] * 30, 0, None),
        ([10] * 23 + [0] * 7, 0, None),  # silent for a week: told long ago
        ([0, 20] * 15, 0, None),
        ([10] * 30, 10, None),
    ],
)
def test_a_day_is_judged_by_the_days_before(before, today, expected):
    assert kind([*before, today]) == expected


def test_more_traffic_is_no_news_and_none_is_no_silence():
    assert kind([10] * 30 + [100], [1000] * 30 + [10_000]) is None
    assert kind([10] * 30 + [100], [1000] * 30 + [2000]) == "jump"
    assert kind([10] * 30 + [0], [1000] * 30 + [0]) is None
    assert kind([10] * 30 + [0], [1000] * 30 + [19]) is None
    assert kind([10] * 30 + [0], [1000] * 30 + [400]) is None  # 4 were to be expected


def test_too_little_is_known_of_a_new_tenant():
    assert kind([0] * 24 + [10] * 6 + [90], [0] * 24 + [1000] * 7) is None
    assert kind([0] * 23 + [10] * 7 + [90], [0] * 23 + [1000] * 8) == "jump"


def test_what_is_said():
    assert unusual([10] * 30 + [60], CALLS).said == "It matched 60 times in a day; 10 are usual."
    assert "did not match for a day; 10 times" in unusual([10] * 30 + [0], CALLS).said


def test_a_rule_that_never_matched():
    found = never_fired([0] * 30, [10] * 30)
    assert (found.kind, found.said) == ("never", "It matched in none of 300 calls in 30 days.")
    assert never_fired([0] * 29 + [1], [10] * 30) is None
    assert never_fired([0] * 30, [0] * 29 + [19]) is None
