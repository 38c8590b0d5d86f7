"""Tenants: the list, one tenant, its settings, and stopping it."""

import pytest

from audit.models import Event
from tenants.models import Tenant, User, VirtualKey
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, listed, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def admin(world):
    return signed_in(world.person("admin"))


@pytest.fixture
def platform(world):
    """The browser of the owner of the installation."""
    user = world.person(is_superuser=True)
    yield signed_in(user)
    User.objects.filter(pk=user.pk).update(is_superuser=False)


def test_the_list_and_one_tenant(world, admin):
    told = text(admin.get("/tenants"))
    assert f"{world.tenant.name} active being published 1 1 Europe/Berlin" in told
    shown = admin.get(f"/tenants/{world.tenant.id}")
    assert f"/keys?tenant={world.tenant.name}" in body(shown)
    assert "Only the owner of the installation suspends tenants." in body(shown)
    assert "No tenant of that name" in text(admin.get("/tenants?q=nothing-like-it"))
    Tenant.objects.filter(id=world.tenant.id).update(publish_error="two rules clash")
    assert "two rules clash" in text(admin.get(f"/tenants/{world.tenant.id}"))


def test_a_tenant_is_created_by_the_owner_of_the_installation(platform, admin, unique):
    name = unique("fresh")
    given = {"name": name, "timezone": "Asia/Tokyo", "tags": "team, feature"}
    answer = platform.post("/tenants/new", given)
    tenant = Tenant.objects.get(name=name)
    assert answer["Location"] == f"/tenants/{tenant.id}"
    assert (tenant.timezone, tenant.tags) == ("Asia/Tokyo", ["team", "feature"])
    assert "A tenant of this name exists." in text(platform.post("/tenants/new", given))
    wrong = platform.post("/tenants/new", given | {"name": unique("x"), "timezone": "Mars/Base"})
    assert "is not an IANA time zone" in text(wrong)
    refused = admin.get("/tenants/new")
    assert refused.status_code == 403
    assert "Only the owner of the installation" in text(refused)


def test_settings_are_changed(world, admin):
    path = f"/tenants/{world.tenant.id}/edit"
    given = {"timezone": "UTC", "tags": "", "pii_countries": "DE US", "pii_entities": "PERSON"}
    assert admin.post(path, given).status_code == 302
    world.tenant.refresh_from_db()
    assert (world.tenant.timezone, world.tenant.pii_countries) == ("UTC", ["DE", "US"])
    assert world.tenant.pii_entities == ["PERSON"]
    assert "Nothing differed" in text(admin.post(path, given, follow=True))


def test_suspending_says_first_what_it_stops(world, platform):
    VirtualKey.objects.create(
        tenant=world.tenant,
        app=world.app,
        name="k",
        public_id=world.unique("")[-9:],
        digest=world.unique("d").encode(),
    )
    path = f"/tenants/{world.tenant.id}"
    assert "stops 1 app and 1 key until" in text(platform.get(f"{path}/suspend"))
    assert platform.post(f"{path}/suspend", {"reason": ""}).status_code == 422
    assert platform.post(f"{path}/suspend", {"reason": "abuse"}).status_code == 302
    world.tenant.refresh_from_db()
    assert world.tenant.state == "suspended"
    assert "suspended" in text(platform.get(path))
    platform.post(f"{path}/resume", {"reason": "solved"})
    world.tenant.refresh_from_db()
    assert world.tenant.state == "active"


def test_removing_takes_the_name_and_keeps_the_evidence(world, admin, platform, client):
    call = world.call().admitted().completed()
    path = f"/tenants/{world.tenant.id}/remove"
    assert "1 app and 0 keys end within a second" in text(platform.get(path))
    given = {"typed": world.tenant.name, "reason": "the contract ended"}
    for wrong in (given | {"typed": "acme"}, given | {"reason": ""}):
        assert platform.post(path, wrong).status_code == 422
    assert admin.get(path).status_code == 403
    assert "Only the owner of the installation removes tenants." in body(admin.get(path[:-7]))
    answer = platform.post(path, given, follow=True)
    assert f"{world.tenant.name} is removed." in text(answer)
    world.tenant.refresh_from_db()
    assert world.tenant.state == "removed"
    event = Event.objects.get(tenant_id=world.tenant.id, action="tenant.remove")
    assert event.reason == "the contract ended"
    assert platform.get(path).status_code == 404
    assert listed(client.get("/calls")) == [call.id]
    assert "tenant.remove" in text(platform.get("/events?action=tenant.remove"))


@pytest.mark.parametrize("act", ["", "/edit"])
def test_s2_a_strangers_tenant_is_not_there(unique, admin, act):
    other = World(unique)
    assert admin.get(f"/tenants/{other.tenant.id}{act}").status_code == 404
    assert other.tenant.name not in body(admin.get("/tenants"))
