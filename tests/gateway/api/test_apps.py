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
