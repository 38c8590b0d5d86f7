"""What the palette finds: things by name, of every kind, and only what one may see."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway import finding
from tenants.models import Budget, User, VirtualKey
from tests import estate
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, links, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def platform(world):
    user = world.person(is_superuser=True)
    yield signed_in(user)
    User.objects.filter(pk=user.pk).update(is_superuser=False)


def key_of(world, name="laptop"):
    tag = world.unique("")[-9:]
    return VirtualKey.objects.create(
        tenant=world.tenant, app=world.app, name=name, public_id=tag, digest=tag.encode()
    )


def test_everything_is_found_by_its_name(world, platform, unique):
    name = unique("needle")
    key = key_of(world, name)
    budget = Budget.objects.create(
        tenant=world.tenant, name=name, limit_micros=9, currency="USD", window="day"
    )
    served = estate.route((estate.simulated(), "simulated"))
    person = world.person("analyst")
    for asked, path in (
        (name.upper(), f"/keys/{key.id}"),
        (key.public_id, f"/keys/{key.id}"),
        (name, f"/budgets/{budget.id}"),
        (world.app.name, f"/apps/{world.app.id}"),
        (served.name, f"/models/{served.pk}"),
        (person.email[:-4], f"/members/{person.id}"),
        (world.tenant.name, f"/tenants/{world.tenant.id}"),
        (world.layered[1].name, "/policies/"),
    ):
        found = links(platform.get("/find", {"q": f" {asked} "}))
        assert [link for link in found if link.startswith(path)], asked


def test_it_is_bounded(world, platform, unique):
    name = unique("many")
    for _ in range(finding.EACH_MOST + 2):
        key_of(world, name)
    with CaptureQueriesContext(connection) as queries:
        answer = platform.get("/find", {"q": name})
    assert len(links(answer)) == finding.EACH_MOST
    assert (
        len([each for each in queries if "icontains" in each["sql"] or "LIKE" in each["sql"]]) == 7
    )
    for nothing in ("", "x", " x ", "a\0b", "%"):
        assert body(platform.get("/find", {"q": nothing})).strip() == ""
    assert platform.get("/find", {"q": "x" * 5000}).status_code == 200


def test_s2_only_what_one_may_see(world, unique):
    other = World(unique)
    key = key_of(other, name := unique("theirs"))
    developer = signed_in(world.person("app_developer"))
    for asked in (name, key.public_id, other.app.name, other.tenant.name):
        assert body(developer.get("/find", {"q": asked})).strip() == ""
    person = world.person("analyst")
    assert world.app.name in text(developer.get("/find", {"q": world.app.name}))
    assert person.email not in text(developer.get("/find", {"q": person.email}))  # no member.read
    assert Client().get("/find", {"q": name})["Location"].startswith("/sign-in")
