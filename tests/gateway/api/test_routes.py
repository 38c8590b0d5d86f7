"""Routes, deployments and prices by the API."""

import pytest

from tests.gateway.call_records import World
from tests.management import Api, owner_of_all

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def root(unique):
    return Api(owner_of_all(unique))


@pytest.fixture
def provider(root, unique):
    body = {"name": unique("vendor"), "dialect": "simulated"}
    return root.post("providers/", body).json()["id"]


def test_a_model_is_served_priced_and_ended(root, unique, provider):
    route = root.post("routes/", {"name": unique("model"), "max_output_tokens": 4096}).json()
    body = {"route": route["id"], "provider": provider, "model": "m", "region": "eu"}
    deployment = root.post("deployments/", body)
    assert deployment.status_code == 201, deployment.content
    identity = deployment.json()["id"]
    changed = root.patch(f"deployments/{identity}/", {"weight": 3, "priority": 1})
    assert (changed.json()["weight"], changed.json()["priority"]) == (3, 1)
    price = {
        "route": route["id"],
        "currency": "USD",
        "input_per_million": "0.15",
        "output_per_million": "0.6",
        "cache_write_per_million": "0.2",
        "per_request": "0.12",
        "effective_from": "2026-01-01T00:00:00Z",
    }
    made = root.post("prices/", price)
    assert made.status_code == 201, made.content
    assert made.json()["input_per_million"] == "0.15"
    assert made.json()["cache_write_per_million"] == "0.20"
    assert made.json()["per_request"] == "0.12"
    assert made.json()["effective_from"] == "2026-01-01T00:00:00Z"
    ended = root.post("prices/withdraw/", {"route": route["id"]})
    assert ended.json() == {"withdrawn": True}
    rows = root.get(f"prices/?route={route['id']}").json()["results"]
    assert [row["withdrawn"] for row in rows] == [True, False]
    assert root.delete(f"deployments/{identity}/").status_code == 204
    changed = root.patch(f"routes/{route['id']}/", {"default_max_output_tokens": 5})
    assert changed.json()["default_max_output_tokens"] == 5
    assert root.delete(f"routes/{route['id']}/").status_code == 204


def test_how_a_model_is_routed_is_set_and_seen(root, unique, provider):
    other = root.post("routes/", {"name": unique("other")}).json()
    plan = {
        "strategy": "least_busy",
        "sticky": True,
        "regional": True,
        "retries": 2,
        "hedge_after_ms": 800,
        "context_tokens": 128_000,
        "fallbacks": [other["name"]],
    }
    route = root.post("routes/", {"name": unique("model"), **plan}).json()
    assert {name: route[name] for name in plan} == plan
    address = f"routes/{route['id']}/"
    for wrong in (
        {"fallbacks": [route["name"]]},
        {"fallbacks": ["no-such-model"]},
        {"fallbacks": [other["name"]] * 2},
        {"retries": 6},
        {"strategy": "luck"},
        {"hedge_after_ms": -1},
    ):
        assert root.patch(address, wrong).status_code == 400, wrong
    assert root.delete(f"routes/{other['id']}/").status_code == 400  # it stands in
    body = {"route": route["id"], "provider": provider, "model": "m", "first_byte_s": 90}
    deployment = root.post("deployments/", body).json()
    assert (deployment["first_byte_s"], deployment["total_s"]) == (90, 0)
    states = root.get("deployments/circuits/").json()["results"]
    (mine,) = [one for one in states if one["deployment"] == deployment["id"]]
    assert (mine["state"], mine["until"]) == ("closed", None)
    assert root.patch(address, {"fallbacks": []}).json()["fallbacks"] == []
    for done in (f"deployments/{deployment['id']}/", f"routes/{other['id']}/", address):
        assert root.delete(done).status_code == 204


def test_a_tenant_sees_the_models_of_its_apps_alone(root, unique):
    world = World(unique)
    other = root.post("routes/", {"name": unique("model")}).json()
    used = root.post("routes/", {"name": unique("model")}).json()
    world.app.models = [used["name"]]
    world.app.save()
    bob = Api(world.person("analyst"))
    assert [row["id"] for row in bob.get("routes/").json()["results"]] == [used["id"]]
    assert bob.get(f"routes/{other['id']}/").status_code == 404
    assert root.delete(f"routes/{used['id']}/").status_code == 400


@pytest.mark.parametrize(
    "amount", ["-1", "0.1234567", "NaN", "1e3", "", 0.15, 1, None, "9" * 30, " 1"]
)
def test_an_amount_is_an_exact_text(root, unique, amount):
    route = root.post("routes/", {"name": unique("model")}).json()
    body = {"route": route["id"], "currency": "USD", "output_per_million": "1"}
    answer = root.post("prices/", {**body, "input_per_million": amount})
    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == ["input_per_million"]


def test_a_price_is_of_one_thing_that_is_there(root, unique):
    terms = {"currency": "USD", "input_per_million": "1", "output_per_million": "1"}
    nothing = "018f2f9e-0000-7000-8000-000000000001"
    for of in ({}, {"route": nothing, "deployment": nothing}, {"route": nothing}):
        assert root.post("prices/", {**terms, **of}).status_code == 400
    assert root.post("prices/withdraw/", {"deployment": nothing}).status_code == 400
    body = {"route": nothing, "provider": nothing, "model": "m"}
    assert root.post("deployments/", body).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"max_output_tokens": 2**40},
        {"default_max_output_tokens": 0},
        {"max_output_tokens": 10, "default_max_output_tokens": 11},
        {"name": "no space"},
    ],
    ids=str,
)
def test_what_a_route_cannot_be(root, unique, changes):
    answer = root.post("routes/", {"name": unique("model"), **changes})
    assert answer.status_code == 400, answer.content


def test_what_becomes_of_the_requests_for_a_model_is_set_and_faulted(root, unique):
    steps = [{"endpoints": ["responses"], "clamp": {"/temperature": {"max": 1}}}]
    made = root.post("routes/", {"name": unique("model"), "transformation": steps})
    assert (made.status_code, made.json()["transformation"]) == (201, steps)
    wrong = [{"endpoints": ["responses"], "force": {"/model": "x"}}]
    answer = root.patch(f"routes/{made.json()['id']}/", {"transformation": wrong})
    assert answer.status_code == 400
    assert "cannot change /model" in answer.json()["errors"][0]["message"]
