"""Rate limits by the API."""

import pytest

from tests.gateway.call_records import World
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


def test_the_life_of_a_limit(world):
    alice = Api(world.person("owner"))
    body = {"tenant": str(world.tenant.id), "name": "rpm", "kind": "requests", "amount": 60}
    made = alice.post("limits/", {**body, "per": "minute", "burst": 10})
    assert made.status_code == 201, made.content
    address = f"limits/{made.json()['id']}/"
    changed = alice.patch(address, {"amount": 90, "burst": None})
    assert (changed.json()["amount"], changed.json()["burst"]) == (90, None)
    assert len(alice.get("limits/?kind=requests").json()["results"]) == 1
    assert alice.delete(address).status_code == 204
    assert alice.get("limits/").json()["results"] == []


def test_calls_at_once_are_per_nothing(world):
    alice = Api(world.person("owner"))
    body = {"tenant": str(world.tenant.id), "name": "parallel", "kind": "concurrency", "amount": 4}
    assert alice.post("limits/", {**body, "per": None}).json()["per"] is None
    (shown,) = alice.get("limits/").json()["results"]
    assert (shown["name"], shown["per"]) == ("parallel", None)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"kind": "requests"}, "per"),
        ({"kind": "concurrency", "per": "minute"}, "per"),
        ({"kind": "concurrency", "burst": 3}, "burst"),
        ({"kind": "requests", "per": "minute", "burst": 0}, "burst"),
        ({"kind": "requests", "per": "minute", "amount": 0}, "amount"),
        ({"kind": "wishes", "per": "minute"}, "kind"),
    ],
    ids=str,
)
def test_what_a_limit_cannot_be(world, terms, field):
    body = {"tenant": str(world.tenant.id), "name": "x", "amount": 5, **terms}
    answer = Api(world.person("owner")).post("limits/", body)
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_a_limit_has_one_owner_at_most(world):
    alice = Api(world.person("owner"))
    key = alice.post("keys/", {"app": str(world.app.id), "name": "k"}).json()["id"]
    body = {"tenant": str(world.tenant.id), "name": "x", "kind": "concurrency", "amount": 5}
    both = {**body, "app": str(world.app.id), "key": key}
    assert alice.post("limits/", both).status_code == 400
    assert alice.post("limits/", {**body, "key": key}).status_code == 201
