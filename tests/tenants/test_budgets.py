"""Windows by the tenant's clock, and the groups that a hard budget may have."""

import itertools
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.budgets import (
    FOREVER,
    BudgetShape,
    group_fault,
    window_starts,
    without_ceiling,
)

HOUR = 3600
SPAN_S = (1_104_537_600, 2_051_222_400)  # 2005 to 2034
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Cairo",
)

instants = st.integers(*SPAN_S).map(lambda second: datetime.fromtimestamp(second, UTC))


def starts(window, zone, since, until):
    found = window_starts(window, ZoneInfo(zone), since, until)
    return [datetime.fromtimestamp(second, ZoneInfo(zone)) for second in found]


def lengths(window, zone, since, until):
    found = window_starts(window, ZoneInfo(zone), since, until)
    return [(after - before) / HOUR for before, after in itertools.pairwise(found)]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2026, 10, 25, 12, tzinfo=UTC), 25),
        ("Europe/Berlin", datetime(2026, 6, 1, 12, tzinfo=UTC), 24),
        ("America/New_York", datetime(2026, 3, 8, 12, tzinfo=UTC), 23),
        ("America/New_York", datetime(2026, 11, 1, 12, tzinfo=UTC), 25),
        ("America/Havana", datetime(2026, 3, 8, 12, tzinfo=UTC), 23),  # there is no midnight
        ("America/Havana", datetime(2026, 11, 1, 12, tzinfo=UTC), 25),  # midnight comes twice
        ("Africa/Cairo", datetime(2026, 4, 24, 12, tzinfo=UTC), 23),
        ("Australia/Lord_Howe", datetime(2026, 10, 4, 2, tzinfo=UTC), 23.5),
        ("Australia/Lord_Howe", datetime(2026, 4, 5, 2, tzinfo=UTC), 24.5),
    ],
)
def test_case_08_a_day_has_the_hours_that_its_zone_gives_it(zone, day, hours):
    assert lengths("day", zone, day, day) == [hours]


def test_case_08_a_day_begins_at_the_gap_that_swallows_its_midnight():
    (first, _) = starts(
        "day",
        "America/Havana",
        datetime(2026, 3, 8, 12, tzinfo=UTC),
        datetime(2026, 3, 8, 12, tzinfo=UTC),
    )
    assert first.isoformat() == "2026-03-08T01:00:00-04:00"


def test_case_08_a_day_that_was_left_out_has_no_window():
    found = starts(
        "day",
        "Pacific/Apia",
        datetime(2011, 12, 29, 12, tzinfo=timezone(timedelta(hours=-10))),
        datetime(2012, 1, 1, 12, tzinfo=timezone(timedelta(hours=14))),
    )
    assert [one.date().isoformat() for one in found] == [
        "2011-12-29",
        "2011-12-31",
        "2012-01-01",
        "2012-01-02",
    ]


def test_a_week_begins_on_monday():
    found = starts(
        "week",
        "Europe/Berlin",
        datetime(2026, 10, 22, tzinfo=UTC),
        datetime(2026, 10, 27, tzinfo=UTC),
    )
    assert [one.isoformat() for one in found] == [
        "2026-10-19T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
        "2026-11-02T00:00:00+01:00",
    ]


def test_a_month_begins_on_its_first_day_by_the_local_clock():
    found = starts(
        "month",
        "America/New_York",
        datetime(2026, 1, 31, 23, tzinfo=UTC),
        datetime(2026, 3, 20, tzinfo=UTC),
    )
    assert [one.isoformat() for one in found] == [
        "2026-01-01T00:00:00-05:00",
        "2026-02-01T00:00:00-05:00",
        "2026-03-01T00:00:00-05:00",
        "2026-04-01T00:00:00-04:00",
    ]


def test_an_hour_that_comes_twice_is_two_windows():
    found = starts(
        "hour",
        "Europe/Berlin",
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )
    assert [one.isoformat() for one in found] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_an_hour_begins_when_the_local_clock_shows_it():
    found = starts(
        "hour",
        "Asia/Kathmandu",
        datetime(2026, 5, 5, 10, 0, tzinfo=UTC),
        datetime(2026, 5, 5, 10, 30, tzinfo=UTC),
    )
    assert [one.isoformat() for one in found] == [
        "2026-05-05T15:00:00+05:45",
        "2026-05-05T16:00:00+05:45",
        "2026-05-05T17:00:00+05:45",
    ]


def test_a_clock_moved_by_half_an_hour_makes_longer_hours():
    late = datetime(2026, 4, 4, 14, 30, tzinfo=UTC)
    early = datetime(2026, 10, 3, 14, 45, tzinfo=UTC)
    assert lengths("hour", "Australia/Lord_Howe", late, late) == [1.5]
    assert lengths("hour", "Australia/Lord_Howe", early, early) == [1.5]


def test_a_total_budget_has_one_window():
    now = datetime(2026, 5, 5, tzinfo=UTC)
    assert window_starts("total", UTC, now, now) == FOREVER


@given(
    st.sampled_from(["hour", "day", "week", "month"]),
    st.sampled_from(ZONES),
    instants,
    st.timedeltas(timedelta(0), timedelta(days=20)),
)
def test_case_08_windows_cover_the_span_and_only_just(window, zone, since, span):
    until = since + span
    found = window_starts(window, ZoneInfo(zone), since, until)
    assert list(found) == sorted(set(found))
    assert found[0] <= since.timestamp() < found[1]
    assert found[-2] <= until.timestamp() < found[-1]


@given(
    st.sampled_from(["hour", "day", "week", "month"]),
    st.sampled_from(ZONES),
    instants,
)
def test_case_08_two_publishers_agree_whenever_they_look(window, zone, now):
    early = window_starts(window, ZoneInfo(zone), now, now + timedelta(days=9))
    late = window_starts(window, ZoneInfo(zone), now + timedelta(days=3), now + timedelta(days=7))
    assert set(late) <= set(early) | {late[-1]}


@pytest.mark.parametrize("group", ["user", "app", "key", "model", "tag:team"])
def test_a_budget_may_be_grouped_by(group):
    assert group_fault(group, ["team"]) == ""


@pytest.mark.parametrize("group", ["conversation", "", "tag:", "tag:Team", "users", "tag:a b"])
def test_a_budget_is_not_grouped_by(group):
    assert "not by" in group_fault(group, ["team"])


def test_a_tag_has_to_be_declared():
    assert "declared" in group_fault("tag:squad", ["team"])


def shape(name="b", *, group_by=(), **others):
    return BudgetShape(name, "USD", hard=others.pop("hard", True), group_by=group_by, **others)


def names(*budgets):
    return [budget.name for budget in without_ceiling(budgets)]


def test_case_09_a_declared_group_needs_a_ceiling():
    assert names(shape("per-user", group_by=("user",))) == ["per-user"]
    assert names(shape("per-team", group_by=("app", "tag:team"))) == ["per-team"]
    assert names(shape("per-user", group_by=("user",)), shape("month")) == []


@pytest.mark.parametrize(
    "ceiling",
    [
        shape("soft", hard=False),
        shape("grouped", group_by=("app",)),
        BudgetShape("euros", "EUR", hard=True, group_by=()),
        shape("elsewhere", app_id="other-app"),
        shape("of-a-key", app_id="app", key_id="key"),
    ],
)
def test_case_09_not_every_budget_is_a_ceiling(ceiling):
    assert names(shape("per-user", group_by=("user",), app_id="app"), ceiling) == ["per-user"]


@pytest.mark.parametrize(
    "ceiling", [shape("tenant"), shape("app", app_id="app"), shape("key", app_id="app", key_id="k")]
)
def test_case_09_a_ceiling_may_be_the_tenants_the_apps_or_the_keys(ceiling):
    own = shape("per-user", group_by=("user",), app_id="app", key_id="k")
    assert names(own, ceiling) == []


def test_case_09_what_we_know_ourselves_needs_no_ceiling():
    assert names(shape("per-app", group_by=("app", "key", "model"))) == []
    assert names(shape("soft", hard=False, group_by=("user",))) == []


def test_case_09_a_key_that_binds_the_user_needs_no_ceiling():
    bound = shape("bound", group_by=("user",), key_id="k", binds_user=True)
    assert names(bound) == []
    tagged = shape("tagged", group_by=("user", "tag:team"), key_id="k", binds_user=True)
    assert names(tagged) == ["tagged"]
