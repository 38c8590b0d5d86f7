"""Apps by the API."""

import pytest

from gateway.models import Route
from tests.gateway.call_records import World
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")


def test_the_life_of_an_app(unique):
    world = World(unique)
    alice = Api(world.person("owner"))
    model = Route.objects.create(name=unique("model")).name
    body = {"tenant": str(world.tenant.id), "name": unique("app"), "models": [model]}
    made = alice.post("apps/", body)
    assert (made.status_code, made.json()["models"]) == (201, [model])
    address = f"apps/{made.json()['id']}/"
    assert alice.patch(address, {"tier": "gold", "models": []}).json()["models"] == []
    assert alice.post(f"{address}suspend/", {"reason": "noise"}).json()["state"] == "suspended"
    assert alice.get("apps/?state=suspended").json()["results"][0]["id"] == made.json()["id"]
    assert alice.post(f"{address}resume/").json()["state"] == "active"
    assert alice.delete(address).status_code == 204
    assert alice.get(address).status_code == 404
    assert alice.post("apps/", body).status_code == 201


def test_what_becomes_of_an_apps_requests_is_set_seen_and_faulted(unique):
    world = World(unique)
    alice = Api(world.person("owner"))
    address = f"apps/{world.app.id}/"
    steps = [{"endpoints": ["chat.completions"], "defaults": {"/temperature": 0.5}}]
    assert alice.patch(address, {"transformation": steps}).json()["transformation"] == steps
    assert alice.get(address).json()["transformation"] == steps
    wrong = [{"endpoints": ["chat.completions"], "schema": {"tpye": 1}, "force": {"a": 1}}]
    for body in (wrong, [3], {"a": 1}, "x", [{}] * 11):
        answer = alice.patch(address, {"transformation": body})
        assert answer.status_code == 400, answer.content
    errors = alice.patch(address, {"transformation": wrong}).json()["errors"]
    assert {error["field"] for error in errors} == {"transformation"}
    assert [error["message"].partition(":")[0] for error in errors] == [
        "/0/schema/tpye",
        "/0/force/a",
    ]
    assert alice.get(address).json()["transformation"] == steps
    assert alice.patch(address, {"transformation": []}).json()["transformation"] == []
