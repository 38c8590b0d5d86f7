"""Budgets and limits by the API."""

import pytest

from tenants.models import MAX_MICROS
from tests.gateway.call_records import World
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def alice(world):
    return Api(world.person("owner"))


def budget(world, **changes):
    return {
        "tenant": str(world.tenant.id),
        "name": "month",
        "limit_micros": 5_000_000,
        "currency": "USD",
        "window": "month",
        "alert_at": ["0.5", "1"],
        **changes,
    }


def test_the_life_of_a_budget(world, alice):
    made = alice.post("budgets/", budget(world, app=str(world.app.id)))
    assert made.status_code == 201, made.content
    assert made.json()["alert_at"] == ["0.500", "1.000"]
    address = f"budgets/{made.json()['id']}/"
    changed = alice.patch(address, {"limit_micros": 6_000_000, "mode": "soft"})
    assert (changed.json()["limit_micros"], changed.json()["mode"]) == (6_000_000, "soft")
    found = alice.get(f"budgets/?app={world.app.id}&mode=soft").json()["results"]
    assert [row["id"] for row in found] == [made.json()["id"]]
    assert alice.delete(address).status_code == 204
    assert alice.get(address).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"limit_micros": MAX_MICROS + 1}, "limit_micros"),
        ({"limit_micros": 10**30}, "limit_micros"),
        ({"limit_micros": -1}, "limit_micros"),
        ({"limit_micros": "5"}, "limit_micros"),
        ({"limit_micros": 0.5}, "limit_micros"),
        ({"currency": "usd"}, "currency"),
        ({"window": "eon"}, "window"),
        ({"group_by": ["user"]}, "group_by"),
        ({"group_by": ["unheard-of"]}, "group_by"),
        ({"alert_at": ["0"]}, "alert_at"),
        ({"alert_at": ["NaN"]}, "alert_at.0"),
        ({"is_active": False}, "is_active"),
    ],
    ids=str,
)
def test_what_a_budget_cannot_be(world, alice, changes, field):
    answer = alice.post("budgets/", budget(world, **changes))
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_what_a_budget_counts_is_fixed(world, alice):
    made = alice.post("budgets/", budget(world)).json()
    for name in ("currency", "window", "group_by", "app", "tenant", "name"):
        answer = alice.patch(f"budgets/{made['id']}/", {name: made[name]})
        assert [fault["field"] for fault in answer.json()["errors"]] == [name]
