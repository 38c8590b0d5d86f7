"""People of the management API."""

import pytest
from django.test import Client

from audit.models import Event
from tenants.models import Membership, User
from tenants.permissions import ACTIONS, MATRIX
from tenants.services.people import membership_grant
from tests.gateway.call_records import PASSWORD, World
from tests.management import OPERATOR, Api, owner_of_all

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def alice(world):
    return Api(world.person("owner"))


def seen(api, query=""):
    answer = api.get(f"people/{query}")
    assert answer.status_code == 200, answer.content
    return {row["email"]: row for row in answer.json()["results"]}


def test_a_person_is_shown_with_roles_and_last_sign_in(world, alice):
    bob = world.person("analyst", "auditor")
    shown = alice.get(f"people/{bob.id}/").json()
    assert (shown["email"], shown["is_active"], shown["last_sign_in_at"]) == (
        bob.email,
        True,
        None,
    )
    assert [(each["tenant"], each["role"]) for each in shown["memberships"]] == [
        (str(world.tenant.id), "analyst"),
        (str(world.tenant.id), "auditor"),
    ]
    Client().post("/sign-in", {"email": bob.email, "password": PASSWORD})
    assert alice.get(f"people/{bob.id}/").json()["last_sign_in_at"] is not None


def test_only_roles_in_ones_own_tenants_are_seen(world, alice, unique):
    other = World(unique)
    both = world.person("analyst")
    membership_grant(actor=OPERATOR, tenant=other.tenant, user=both, role="owner")
    charlie = other.person("owner")
    assert charlie.email not in seen(alice)
    tenants = {each["tenant"] for each in seen(alice)[both.email]["memberships"]}
    assert tenants == {str(world.tenant.id)}
    assert seen(alice, f"?tenant={other.tenant.id}") == {}
    assert both.email not in seen(alice, "?role=owner")
    for tail in ("", "access/"):
        assert alice.get(f"people/{charlie.id}/{tail}").status_code == 404
    assert alice.post(f"people/{charlie.id}/deactivate/").status_code == 404


def test_people_are_found_by_tenant_role_email_and_state(world, alice):
    bob = world.person("analyst")
    assert set(seen(alice, f"?tenant={world.tenant.id}&role=analyst")) == {bob.email}
    assert set(seen(alice, f"?email={bob.email.upper()}")) == {bob.email}
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert set(seen(alice, "?is_active=false")) == {bob.email}
    assert bob.email not in seen(alice, "?is_active=true")
    assert alice.get("people/?is_active=maybe").status_code == 400


def test_the_owner_of_the_installation_sees_everybody(world, unique):
    root = owner_of_all(unique)
    nobody = User.objects.create(email=f"{unique('nobody')}@example.org")
    api = Api(root)
    try:
        assert api.get(f"people/{nobody.id}/").json()["memberships"] == []
        told = api.get(f"people/{root.id}/access/").json()
        assert told["is_installation_owner"] is True
        assert told["everywhere"] == sorted(ACTIONS)
    finally:
        User.objects.filter(pk=root.pk).update(is_superuser=False)


def test_effective_access_names_the_roles_that_give_it(world, alice):
    bob = world.person("analyst", "key_manager")
    told = alice.get(f"people/{bob.id}/access/").json()
    assert told["everywhere"] == []
    (there,) = told["tenants"]
    assert (there["tenant"], there["name"]) == (str(world.tenant.id), world.tenant.name)
    given = {each["action"]: each["roles"] for each in there["actions"]}
    assert set(given) == MATRIX["analyst"] | MATRIX["key_manager"]
    assert given["tenant.read"] == ["analyst", "key_manager"]
    assert given["virtual_key.issue"] == ["key_manager"]
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert alice.get(f"people/{bob.id}/access/").json()["tenants"] == []


def test_who_may_deactivates_a_person(world, alice, unique):
    bob, root = world.person("analyst"), owner_of_all(unique)
    session = Api(bob)
    assert session.get("apps/").status_code == 200
    refused = alice.post(f"people/{bob.id}/deactivate/")
    assert (refused.status_code, refused.json()["permission"]) == (403, "user.remove")
    api = Api(root)
    try:
        tag = api.get(f"people/{bob.id}/")["ETag"]
        address = f"people/{bob.id}/deactivate/"
        assert api.post(address, if_match='"old"').status_code == 412
        answer = api.post(address, {"reason": "has left"}, if_match=tag)
        assert (answer.status_code, answer.json()["is_active"]) == (200, False)
    finally:
        User.objects.filter(pk=root.pk).update(is_superuser=False)
    assert session.get("apps/").status_code == 401
    event = Event.objects.get(action="user.remove", object_id=str(bob.id))
    assert (event.actor, event.reason) == (root.email, "has left")
    assert Membership.objects.filter(user=bob).exists()


def test_pages_and_queries_do_not_grow_with_the_people(world, alice):
    for _ in range(3):
        world.person("analyst")
    first = alice.get("people/?limit=2").json()
    assert len(first["results"]) == 2
    following = alice.get(first["next"]).json()["results"]
    assert not {row["id"] for row in first["results"]} & {row["id"] for row in following}
