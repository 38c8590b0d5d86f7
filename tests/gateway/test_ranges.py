"""Ranges of whole windows, and how fast money goes."""

import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.burning import runs_out
from gateway.comparison import change
from gateway.ranges import RANGES, span

BERLIN = ZoneInfo("Europe/Berlin")
UTC = datetime.UTC


def test_a_range_is_whole_windows_that_end_with_the_present_one():
    now = datetime.datetime(2026, 11, 27, 12, 4, 31, tzinfo=UTC)
    week = span("7d", BERLIN, now)
    assert week.since == datetime.datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert week.until == datetime.datetime(2026, 11, 27, 23, tzinfo=UTC)
    assert week.before == datetime.datetime(2026, 11, 13, 23, tzinfo=UTC)
    assert (week.since_text, week.label(week.since)) == ("2026-11-21T00:00", "21 Nov")
    day = span("24h", BERLIN, now)
    assert day.since == datetime.datetime(2026, 11, 26, 13, tzinfo=UTC)
    assert (day.until - day.since, day.label(day.since)) == (datetime.timedelta(days=1), "14:00")


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-11-02"])
def test_a_clock_that_was_moved_costs_no_window(name, day):
    for hour in (0, 1, 2, 23):
        now = datetime.datetime.fromisoformat(f"{day}T{hour:02}:15:00+00:00")
        found = span(name, BERLIN, now)
        windows = RANGES[name].windows
        unit = datetime.timedelta(hours=1) if name == "24h" else datetime.timedelta(days=1)
        slack = datetime.timedelta(hours=1)
        assert found.since <= now < found.until
        assert abs((found.until - found.since) - windows * unit) <= slack


def test_no_other_range():
    with pytest.raises(KeyError):
        span("1y", BERLIN, datetime.datetime.now(UTC))


def test_when_money_runs_out():
    start = datetime.datetime(2026, 11, 1, tzinfo=UTC)
    after_ten = start + datetime.timedelta(days=10)
    assert runs_out(50, 100, start, after_ten) == start + datetime.timedelta(days=20)
    assert runs_out(120, 100, start, after_ten) == after_ten
    assert runs_out(0, 100, start, after_ten) is None
    assert runs_out(50, 100, start, start + datetime.timedelta(hours=1)) is None
    assert runs_out(1, 2**52, start, after_ten) is None


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [(112, 100, "+12 %"), (97, 100, "\N{MINUS SIGN}3 %"), (5, 0, "new"), (4, 4, ""), (0, 0, "")],
)
def test_a_change_in_words(now, before, said):
    assert change(now, before) == said
