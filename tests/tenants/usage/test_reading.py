"""What charts are drawn from: sums that agree with each other, and with who may see them."""

import datetime

import pytest
from django.utils import timezone

from audit.actor import Actor, command
from tenants.models import Budget, UsageMark, UsageTotal
from tenants.services.apps import app_create
from tenants.services.budgets import budget_create
from tenants.services.tenants import tenant_create
from tenants.usage.budget_state import budget_state
from tenants.usage.reading import (
    UsageWanted,
    by_middle,
    usage_as_of,
    usage_by,
    usage_series,
    usage_series_of_all,
)
from tenants.usage.rolling import usage_roll
from tests.booked import Calls, hours_of

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
TODAY = timezone.now().date()
DAY = datetime.timedelta(days=1)
FIRST = hours_of(TODAY) - 3 * DAY
WEEK = UsageWanted(since=FIRST - DAY, until=hours_of(TODAY) + DAY)


@pytest.fixture
def calls(unique):
    tenant = tenant_create(actor=OPERATOR, name=unique("acme"), timezone="UTC")
    return Calls(tenant, app_create(actor=OPERATOR, tenant=tenant, name="helpdesk"))


@pytest.fixture
def booked(calls):
    calls.call(FIRST, user="ann", tags=("team=red",), took_ms=1000, cost_pico=5_000_000)
    calls.call(FIRST + DAY, user="bob", tags=("feature=x", "team=blue"), model="n", took_ms=9000)
    calls.call(FIRST + DAY, user="bob", tags=("team=blue",), currency="EUR", took_ms=9000)
    calls.refuse(FIRST + DAY, user="ann")
    calls.book()
    usage_roll()
    return calls


def person(tenant, role):
    return Actor("user", "1", "ann", memberships={str(tenant.id): frozenset({role})})


def wanted(**filters):
    return UsageWanted(since=WEEK.since, until=WEEK.until, **filters)


def by_value(breakdown):
    return {line.value: line.figures.calls for line in breakdown.lines}


def test_a_series_leaves_no_window_out(booked):
    series = usage_series(OPERATOR, booked.tenant, WEEK)
    assert [point.figures.calls for point in series.points] == [0, 1, 3, 0, 0]
    assert series.points[1].start == FIRST
    assert series.totals.calls == 4
    assert series.totals.cost_micros == {"EUR": 2, "USD": 7}
    assert (series.totals.refused, series.totals.denied) == (1, 1)
    assert series.totals.p50_ms == pytest.approx(9000, rel=0.5)
    assert series.points[1].figures.p95_ms == pytest.approx(1000, rel=0.5)
    assert series.points[0].figures.p50_ms is None


def test_what_has_begun_counts_in_the_present_window_of_all_tenants(booked):
    """East of UTC the day is a new one hours earlier: its middle is beyond all windows."""
    now, minute = timezone.now(), datetime.timedelta(minutes=1)
    someone = person(booked.tenant, "analyst")
    UsageTotal.objects.filter(tenant_id=booked.tenant.pk, granularity="hour").delete()
    present = UsageTotal.objects.filter(tenant_id=booked.tenant.pk, granularity="day").first()
    present.pk, present.granularity, present.start = None, "hour", now - 5 * minute
    present.save(force_insert=True)

    def counted(until):
        asked = UsageWanted(since=until - 3 * 60 * minute, until=until)
        series = usage_series_of_all(someone, asked, "hour")
        parted = usage_by(someone, "app", by_middle(asked, "hour"), granularity="hour")
        assert parted.totals == series.totals
        return series.totals.calls

    assert counted(now + 10 * minute) == present.calls > 0
    assert counted(now - minute) == 0  # what is over is parted by the middles
    assert counted(now + 60 * minute) == present.calls


def test_hours_add_up_to_their_days(booked):
    hours = usage_series(OPERATOR, booked.tenant, WEEK, "hour")
    assert len(hours.points) == 5 * 24
    assert hours.totals == usage_series(OPERATOR, booked.tenant, WEEK).totals


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"users": ["ann"]}, 2),
        ({"models": ["n"]}, 1),
        ({"tags": ["team=blue"]}, 2),
        ({"tags": ["feature=x"]}, 1),
        ({"tags": ["team=blue", "team=red"]}, 3),
        ({"tags": ["team=blue", "team=red", "feature=x"]}, 1),
        ({"users": ["ann", "bob"]}, 4),
        ({"models": ["m", "n"]}, 4),
        ({"models": ["m", "n", "o"], "currencies": ["EUR", "USD"]}, 3),
        ({"currencies": ["EUR"]}, 1),
        ({"keys": ["K7hTq2mXab"]}, 4),
        ({"apps": []}, 0),
        ({"users": ["bob"], "currencies": ["USD"]}, 1),
    ],
)
def test_filters_narrow_what_is_counted(booked, filters, count):
    assert usage_series(OPERATOR, booked.tenant, wanted(**filters)).totals.calls == count
    assert usage_by(OPERATOR, "user", wanted(**filters), booked.tenant).totals.calls == count


def test_usage_is_parted_by_every_dimension(booked):
    def by(dimension):
        return usage_by(OPERATOR, dimension, WEEK, booked.tenant)

    assert by_value(by("user")) == {"ann": 2, "bob": 2}
    assert by_value(by("model")) == {"m": 3, "n": 1}
    assert by_value(by("tag:team")) == {"red": 1, "blue": 2, "": 1}
    assert by_value(by("currency")) == {"USD": 2, "EUR": 1, "": 1}
    assert by_value(by("key")) == {"K7hTq2mXab": 4}
    (app,) = by("app").lines
    assert (app.value, app.label) == (str(booked.app.id), "helpdesk")
    (tenant,) = by("tenant").lines
    assert tenant.label == booked.tenant.name
    with pytest.raises(ValueError, match="not parted by"):
        by("colour")


def test_the_dearest_come_first_and_the_totals_count_the_rest(booked):
    one = usage_by(OPERATOR, "user", WEEK, booked.tenant, most=1)
    assert by_value(one) == {"ann": 2}
    assert one.totals.calls == 4


@pytest.mark.parametrize("role", ["owner", "admin", "analyst", "auditor"])
def test_who_may_read_usage_sees_it(booked, role):
    actor = person(booked.tenant, role)
    assert usage_series(actor, booked.tenant, WEEK).totals.calls == 4
    assert usage_by(actor, "user", WEEK).totals.calls == 4


def test_others_see_nothing(booked, unique):
    elsewhere = tenant_create(actor=OPERATOR, name=unique("other"))
    for actor in (person(booked.tenant, "key_manager"), person(elsewhere, "owner")):
        assert usage_series(actor, booked.tenant, WEEK).totals.calls == 0
        assert usage_by(actor, "user", WEEK).lines == ()


def test_it_says_how_far_it_is_complete(booked):
    assert usage_as_of() == UsageMark.objects.get().at
    assert usage_series(OPERATOR, booked.tenant, WEEK).as_of == usage_as_of()
    UsageMark.objects.all().delete()
    assert usage_as_of() is None


def held_in(calls, budget, start, end, group=""):
    calls.budgets = [(str(budget.id), int(start.timestamp()), int(end.timestamp()), group)]


def test_a_budget_is_told_with_what_is_held_and_what_each_day_cost(calls):
    terms = {"limit_micros": 100, "currency": "USD", "window": "day"}
    budget = budget_create(actor=OPERATOR, tenant=calls.tenant, name="day", **terms)
    start = hours_of(TODAY - DAY)
    held_in(calls, budget, start, start + DAY)
    calls.call(start - datetime.timedelta(seconds=1), cost_pico=1_000_001)
    calls.call(start + DAY / 2, cost_pico=5_000_000)
    calls.call(start + DAY / 2, lost=True, bound_pico=7_000_000)
    calls.book()
    state = budget_state(person(calls.tenant, "analyst"), budget, start + DAY / 2)
    assert (state.limit_micros, state.posted_micros, state.held_micros) == (100, 7, 7)
    assert (state.start, state.end) == (start, start + DAY)
    assert state.days == ((start, 7),)
    assert [(one.posted_micros, one.held_micros) for one in state.groups] == [(7, 7)]
    later = budget_state(OPERATOR, budget, start + DAY)
    assert (later.posted_micros, later.held_micros, later.groups) == (0, 0, ())


def test_a_month_is_told_day_by_day_and_group_by_group(calls):
    budget = budget_create(
        actor=OPERATOR, tenant=calls.tenant, name="each", limit_micros=100, currency="USD",
        window="month", group_by=["app"], mode="soft",
    )  # fmt: skip
    start = datetime.datetime(2026, 10, 1, tzinfo=datetime.UTC)
    for group, day, cost in (("a", 0, 3), ("b", 2, 4), ("a", 2, 5)):
        held_in(calls, budget, start, datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC), group)
        calls.call(start + day * DAY + DAY / 2, cost_pico=cost * 1_000_000)
    calls.book()
    state = budget_state(OPERATOR, budget, start + 3 * DAY + DAY / 2)
    assert [spent for _, spent in state.days] == [3, 0, 9, 0]
    assert [(one.name, one.posted_micros) for one in state.groups] == [("a", 8), ("b", 4)]


def test_a_budget_for_ever_has_no_end(calls):
    budget = budget_create(
        actor=OPERATOR, tenant=calls.tenant, name="all", limit_micros=100, currency="USD",
        window="total",
    )  # fmt: skip
    calls.budgets = [(str(budget.id), 0, 2**40, "")]
    calls.call(timezone.now(), cost_pico=3_000_000)
    calls.book()
    state = budget_state(OPERATOR, budget, timezone.now())
    assert (state.end, state.posted_micros, sum(spent for _, spent in state.days)) == (None, 3, 3)


def test_a_budget_of_others_is_not_there(calls, unique):
    budget = budget_create(
        actor=OPERATOR, tenant=calls.tenant, name="b", limit_micros=1, currency="USD", window="day"
    )
    elsewhere = tenant_create(actor=OPERATOR, name=unique("other"))
    with pytest.raises(Budget.DoesNotExist):
        budget_state(person(elsewhere, "owner"), budget, timezone.now())
