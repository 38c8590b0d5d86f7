"""Events by the API."""

import pytest

from tests.gateway.call_records import World
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")


def test_a_change_is_told_with_who_what_and_why(unique):
    world = World(unique)
    user = world.person("owner")
    alice = Api(user)
    alice.patch(f"apps/{world.app.id}/", {"tier": "gold", "reason": "they pay"})
    (event,) = alice.get(f"events/?object_id={world.app.id}").json()["results"]
    assert (event["action"], event["actor"]) == ("app.update", user.email)
    assert (event["before"], event["after"]) == ({"tier": ""}, {"tier": "gold"})
    assert event["reason"] == "they pay"
    assert alice.get(f"events/{event['id']}/").json() == event
    assert alice.get("events/?action=app.remove").json()["results"] == []
    assert alice.get("events/?until=2020-01-01T00:00:00Z").json()["results"] == []
    assert Api(world.person("analyst")).get("events/").status_code == 403


def test_an_event_cannot_be_changed(unique):
    alice = Api(World(unique).person("owner"))
    for method in ("post", "patch", "put", "delete"):
        assert alice(method, "events/1/", {}).status_code == 405
