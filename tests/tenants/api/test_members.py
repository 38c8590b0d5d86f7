"""Members by the API."""

import pytest

from tests.gateway.call_records import World
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


def wanted(world, user, role):
    return {"tenant": str(world.tenant.id), "email": user.email, "role": role}


def test_a_role_is_given_and_taken(world):
    alice, bob = Api(world.person("owner")), world.person()
    made = alice.post("members/", wanted(world, bob, "analyst"))
    assert made.status_code == 201
    assert (made.json()["email"], made.json()["role"]) == (bob.email, "analyst")
    assert Api(bob).get("apps/").status_code == 200
    assert alice.post("members/", wanted(world, bob, "analyst")).status_code == 400
    found = alice.get(f"members/?email={bob.email.upper()}").json()["results"]
    assert [row["id"] for row in found] == [made.json()["id"]]
    assert alice.delete(f"members/{made.json()['id']}/").status_code == 204
    assert Api(bob).get("apps/").status_code == 403


def test_an_admin_makes_no_owner_and_the_last_owner_stays(world):
    owner = world.person("owner")
    admin, alice, bob = Api(world.person("admin")), Api(owner), world.person()
    refused = admin.post("members/", wanted(world, bob, "owner"))
    assert (refused.status_code, refused.json()["permission"]) == (403, "membership.grant_owner")
    last = alice.get("members/?role=owner").json()["results"][0]["id"]
    refused = admin.delete(f"members/{last}/")
    assert (refused.status_code, refused.json()["permission"]) == (403, "membership.revoke_owner")
    assert alice.delete(f"members/{last}/").status_code == 400


def test_only_somebody_who_may_sign_in_becomes_a_member(world):
    alice = Api(world.person("owner"))
    gone = world.person(is_active=False)
    for email in (gone.email, "nobody@example.org", "no e-mail"):
        body = {**wanted(world, gone, "analyst"), "email": email}
        answer = alice.post("members/", body)
        assert [fault["field"] for fault in answer.json()["errors"]] == ["email"]
