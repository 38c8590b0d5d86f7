"""The burn-down of a budget, in words and in shapes."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.burndown import burndown, group_meters, sentence
from gateway.charts import HEIGHT, WIDTH
from tenants.usage.budget_state import BudgetState, Group

UTC = datetime.UTC
ZONE = ZoneInfo("UTC")
DAY = datetime.timedelta(days=1)
START = datetime.datetime(2026, 11, 1, tzinfo=UTC)
USD = 1_000_000


def state(daily, *, limit=100, held=0, days=30, groups=(), begin=START):
    spent = tuple((begin + n * DAY, micros * USD) for n, micros in enumerate(daily))
    return BudgetState(
        limit_micros=limit * USD,
        currency="USD",
        start=begin,
        end=begin + days * DAY if days else None,
        posted_micros=sum(daily) * USD,
        held_micros=held * USD,
        groups=groups,
        days=spent,
    )


@pytest.mark.parametrize(
    ("daily", "fields", "said"),
    [
        ([7] * 11 + [5], {}, "82 % used on day 12 of 30; at this pace exhausted on 15 Nov"),
        ([1] * 12, {}, "12 % used on day 12 of 30; at this pace 31 % when it resets on 1 Dec"),
        ([10] * 12, {}, "120 % used on day 12 of 30: exhausted until it resets on 1 Dec 00:00"),
        ([0], {"held": 100}, "100 % used on day 1 of 30: exhausted until it resets on 1 Dec 00:00"),
        ([0] * 12, {}, "0 % used on day 12 of 30; too little was seen for a forecast"),
        ([5] * 12, {"days": None}, "60 % used since 1 Nov; at this pace exhausted on 20 Nov"),
        ([50], {"days": 1}, "50 % used at 12:00; at this pace 100 % when it resets on"),
        ([0], {"limit": 0}, "100 % used on day 1 of 30: exhausted until it resets on 1 Dec 00:00"),
    ],
)
def test_a_budget_in_words(daily, fields, said):
    made = state(daily, **fields)
    now = made.days[-1][0] + DAY / 2
    assert sentence(made, now, ZONE).startswith(said)


def numbers(path):
    return [float(word.strip("ML")) for word in path.replace("Z", "").split()]


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=30),
    st.integers(0, 10**6),
    st.integers(0, 10**4),
    st.booleans(),
)
def test_everything_stays_inside(daily, limit, held, endless):
    made = state(daily, limit=limit, held=held, days=None if endless else 31)
    burn = burndown(made, made.days[-1][0] + DAY / 3, ZONE)
    for path in (burn.spent, burn.area, burn.pace, *burn.forecast):
        for x, y in zip(numbers(path)[::2], numbers(path)[1::2], strict=True):
            assert -0.1 <= x <= WIDTH + 0.1
            assert -0.1 <= y <= HEIGHT + 0.1
    assert 0 <= burn.limit_y <= HEIGHT
    assert len(burn.points) == len(daily) + 1


def test_the_forecast_is_a_range_once_there_are_days_enough():
    def forecasts(daily):
        made = state(daily)
        return len(burndown(made, made.days[-1][0] + DAY / 2, ZONE).forecast)

    assert (forecasts([1] * 3), forecasts([1] * 10), forecasts([200])) == (1, 2, 0)


def test_each_group_has_a_meter_against_the_whole_limit():
    groups = (Group("ann", 90 * USD, 20 * USD), Group("bob", 80 * USD, 0), Group("", 1, 0))
    ann, bob, none = group_meters(state([0], groups=groups))
    assert (ann.name, ann.spent, ann.held, ann.look) == ("ann", 90, 10, "bad")
    assert (bob.look, bob.text) == ("warn", "80.00 spent, 0.00 held (80 %)")
    assert (none.spent, none.look) == (0, "")
