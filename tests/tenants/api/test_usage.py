"""Usage and the state of budgets by the API: what charts are drawn from, for programs."""

import datetime
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from audit.rest.pages import SIZE_MAX
from tenants.models import UsageMark
from tenants.services.budgets import budget_create
from tenants.usage.rolling import usage_roll
from tests.booked import Calls, hours_of
from tests.gateway.call_records import World
from tests.management import OPERATOR, Api, as_itself

pytestmark = pytest.mark.usefixtures("db")

DAY = datetime.timedelta(days=1)
TODAY = hours_of(timezone.now().date())
FIRST = TODAY - 3 * DAY
NOBODYS = "018f2f9e-0000-7000-8000-000000000001"


@pytest.fixture
def world(unique):
    made = World(unique)
    made.tenant.timezone = "UTC"
    made.tenant.save()
    return made


@pytest.fixture
def booked(world):
    calls = Calls(world.tenant, world.app)
    calls.call(FIRST, user="ann", tags=("team=red",), cost_pico=5_000_000)
    calls.call(FIRST + DAY, user="bob", tags=("team=blue",), model="n", currency="EUR")
    calls.refuse(FIRST + DAY, user="ann")
    calls.book()
    usage_roll()
    return calls


@pytest.fixture
def analyst(world):
    return Api(world.person("analyst"))


def query(world, **changes):
    asked = {"tenant": world.tenant.id, "since": "", "until": "", **changes}
    asked["since"] = asked["since"] or FIRST.isoformat()
    asked["until"] = asked["until"] or TODAY.isoformat()
    given = {name: value for name, value in asked.items() if value is not None}
    return urlencode(given, doseq=True)


def told(api, noun, world, **changes):
    answer = api.get(f"{noun}?{query(world, **changes)}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def faults(answer):
    assert answer.status_code == 400, answer.content
    return [fault["field"] for fault in answer.json()["errors"]]


def test_usage_is_told_day_by_day(booked, world, analyst):
    series = told(analyst, "usage", world)
    assert [point["figures"]["calls"] for point in series["points"]] == [1, 2, 0]
    assert datetime.datetime.fromisoformat(series["points"][0]["start"]) == FIRST
    totals = series["totals"]
    assert (totals["calls"], totals["denied"], totals["input_tokens"]) == (3, 1, 20)
    assert totals["cost_micros"] == {"EUR": 2, "USD": 5}
    assert totals["p95_ms"] > 0
    assert series["as_of"]


def test_hours_add_up_to_their_days(booked, world, analyst):
    hours = told(analyst, "usage", world, granularity="hour")
    assert len(hours["points"]) == 3 * 24
    assert hours["totals"] == told(analyst, "usage", world)["totals"]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"user": "ann"}, 2),
        ({"model": "n"}, 1),
        ({"tag": "team=blue"}, 1),
        ({"currency": "EUR"}, 1),
        ({"key": "K7hTq2mXab"}, 3),
        ({"user": ["ann", "bob"]}, 3),
        ({"user": ["ann", "bob"], "model": ["n", "o"]}, 1),
        ({"tag": ["team=blue", "team=red"]}, 2),
        ({"tag": ["team=blue", "feature=x"]}, 0),
        ({"currency": ["EUR", "USD"]}, 2),
        ({"app": NOBODYS}, 0),
        ({"user": "bob", "currency": "USD"}, 0),
    ],
    ids=str,
)
def test_filters_narrow_what_is_counted(booked, world, analyst, filters, count):
    assert told(analyst, "usage", world, **filters)["totals"]["calls"] == count
    parted = told(analyst, "usage/breakdown", world, dimension="user", **filters)
    assert parted["totals"]["calls"] == count


def test_usage_is_parted_by_a_dimension(booked, world, analyst):
    def by(dimension, **changes):
        lines = told(analyst, "usage/breakdown", world, dimension=dimension, **changes)["lines"]
        return {line["value"]: (line["label"], line["figures"]["calls"]) for line in lines}

    assert by("user") == {"ann": ("ann", 2), "bob": ("bob", 1)}
    assert by("tag:team") == {"red": ("red", 1), "blue": ("blue", 1), "": ("", 1)}
    assert by("app") == {str(world.app.id): (world.app.name, 3)}
    assert by("tenant", tenant=None) == {str(world.tenant.id): (world.tenant.name, 3)}
    assert by("user", limit=1) == {"ann": ("ann", 2)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenant": NOBODYS}, "tenant"),
        ({"tenant": "x"}, "tenant"),
        ({"since": "soon"}, "since"),
        ({"since": "2026-01-01"}, "since"),
        ({"since": "0001-01-01T00:00:00Z"}, "since"),
        ({"until": "9999-12-31T23:59:59Z"}, "until"),
        ({"until": FIRST.isoformat()}, "until"),
        ({"since": (TODAY - 401 * DAY).isoformat()}, "until"),
        ({"app": "x"}, "app.0"),
        ({"currency": "dollars"}, "currency.0"),
        ({"colour": "red"}, "colour"),
        ({"user": ""}, "user"),
        ({"user": ["ann", ""]}, "user"),
        ({"user": ["ann", "ann"]}, "user"),
        ({"user": [f"user-{number}" for number in range(101)]}, "user"),
        ({"since": [FIRST.isoformat(), TODAY.isoformat()]}, "since"),
    ],
    ids=str,
)
def test_what_cannot_be_asked(world, analyst, changes, field):
    assert faults(analyst.get(f"usage?{query(world, **changes)}")) == [field]
    parted = analyst.get(f"usage/breakdown?{query(world, dimension='user', **changes)}")
    assert faults(parted) == [field]


def test_a_range_is_bounded_by_its_granularity(world, analyst):
    month = (TODAY - 31 * DAY).isoformat()
    assert len(told(analyst, "usage", world, since=month, granularity="hour")["points"]) == 31 * 24
    longer = query(world, since=(TODAY - 32 * DAY).isoformat(), granularity="hour")
    assert faults(analyst.get(f"usage?{longer}")) == ["until"]
    year = told(analyst, "usage", world, since=(TODAY - 400 * DAY).isoformat())
    assert len(year["points"]) == 400


def test_hours_that_are_kept_no_more_are_not_told_as_nothing(booked, world, analyst):
    UsageMark.objects.update(hours_since=FIRST + DAY)
    try:
        assert faults(analyst.get(f"usage?{query(world, granularity='hour')}")) == ["since"]
        later = told(analyst, "usage", world, granularity="hour", since=(FIRST + DAY).isoformat())
        assert later["totals"]["calls"] == 2
        assert told(analyst, "usage", world)["totals"]["calls"] == 3
    finally:
        UsageMark.objects.update(hours_since=None)


def test_what_must_be_said_is_named(analyst):
    assert set(faults(analyst.get("usage"))) == {"tenant", "since", "until"}
    assert set(faults(analyst.get("usage/breakdown"))) == {"dimension", "since", "until"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dimension": "colour"}, "dimension"),
        ({"dimension": "tag:"}, "dimension"),
        ({"dimension": "user", "limit": 0}, "limit"),
        ({"dimension": "user", "limit": SIZE_MAX + 1}, "limit"),
        ({"dimension": "user", "limit": "1.0"}, "limit"),
        ({"dimension": "user", "granularity": "day"}, "granularity"),
    ],
    ids=str,
)
def test_what_usage_is_not_parted_by(world, analyst, changes, field):
    assert faults(analyst.get(f"usage/breakdown?{query(world, **changes)}")) == [field]


def test_who_may_not(booked, world, unique):
    manager = Api(world.person("key_manager"))
    stranger = Api(World(unique).person("owner"))
    for noun, dimension in (("usage", None), ("usage/breakdown", "user")):
        asked = query(world, dimension=dimension)
        assert faults(stranger.get(f"{noun}?{asked}")) == ["tenant"]
        assert manager.get(f"{noun}?{asked}").json()["permission"] == "usage.read"
        token = as_itself(world.tenant, "analyst", scopes=["budgets:read"])
        assert token.get(f"{noun}?{asked}").json()["scope"] == "usage:read"
    everywhere = query(world, tenant=None, dimension="tenant")
    assert stranger.get(f"usage/breakdown?{everywhere}").json()["lines"] == []


def test_a_role_elsewhere_opens_no_usage_here(booked, world, unique):
    user, other = world.person("key_manager"), World(unique)
    user.memberships.create(tenant=other.tenant, role="analyst")
    refused = Api(user).get(f"usage?{query(world)}")
    assert (refused.status_code, refused.json()["permission"]) == (403, "usage.read")


def test_a_budget_tells_how_it_stands(world, unique):
    terms = {"limit_micros": 100, "currency": "USD", "window": "day"}
    budget = budget_create(actor=OPERATOR, tenant=world.tenant, name="day", **terms)
    window = (int(TODAY.timestamp()), int((TODAY + DAY).timestamp()))
    calls = Calls(world.tenant, world.app)
    calls.budgets = [(str(budget.id), *window, "")]
    now = timezone.now()
    calls.call(now, cost_pico=5_000_000)
    calls.call(now, lost=True, bound_pico=7_000_000)
    calls.book()
    state = Api(world.person("app_developer")).get(f"budgets/{budget.id}/state").json()
    assert (state["limit_micros"], state["posted_micros"], state["held_micros"]) == (100, 5, 7)
    assert state["groups"] == [{"name": "", "posted_micros": 5, "held_micros": 7}]
    assert [day["posted_micros"] for day in state["days"]] == [5]
    stranger = Api(World(unique).person("owner"))
    assert stranger.get(f"budgets/{budget.id}/state").status_code == 404
    assert Api(world.person("owner")).get(f"budgets/{budget.id}/state?at=x").status_code == 400
