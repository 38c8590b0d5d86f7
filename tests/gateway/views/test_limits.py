"""Rate limits: the list, creating, changing and ending one."""

import pytest

from tenants.models import RateLimit
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def admin(world):
    return signed_in(world.person("admin"))


@pytest.fixture
def limit(world):
    return made(world)


def made(world):
    return RateLimit.objects.create(
        tenant=world.tenant, name="rpm", kind="requests", amount=600, per="minute", burst=100
    )


def new(world, **changes):
    return {
        "owner": f"tenant:{world.tenant.id}",
        "name": "parallel",
        "kind": "concurrency",
        "amount": "64",
        "per": "",
        "burst": "",
    } | changes


def test_the_list_says_what_each_allows(admin, client, limit):
    told = text(admin.get("/limits"))
    assert "600 requests per minute, at once up to 100" in told
    assert f"/limits/{limit.id}/edit" in body(admin.get("/limits"))
    assert f"/limits/{limit.id}/edit" not in body(client.get("/limits"))
    limit.delete()
    assert "No limits yet" in text(admin.get("/limits"))


def test_a_limit_is_created(world, admin):
    answer = admin.post("/limits/new", new(world), follow=True)
    assert "64 calls at once" in text(answer)
    limit = RateLimit.objects.get(tenant=world.tenant)
    assert (limit.kind, limit.amount, limit.burst) == ("concurrency", 64, None)
    assert "exists there" in text(admin.post("/limits/new", new(world)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount": "0"}, "greater than or equal to 1"),
        ({"per": "minute"}, "calls at once are not"),
        ({"burst": "5"}, "have no burst"),
        ({"kind": "requests"}, "are per something"),
        ({"name": ""}, "required"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(world, admin, changes, told):
    answer = admin.post("/limits/new", new(world, **changes))
    assert answer.status_code == 422
    assert told in text(answer)


def test_a_limit_is_changed_and_removed(admin, limit):
    terms = {"amount": "900", "per": "hour", "burst": "", "reason": "more apps"}
    answer = admin.post(f"/limits/{limit.id}/edit", terms, follow=True)
    assert "is now 900 requests per hour" in text(answer)
    assert "Nothing differed" in text(admin.post(f"/limits/{limit.id}/edit", terms, follow=True))
    assert "900 requests per hour" in text(admin.get(f"/limits/{limit.id}/remove"))
    assert admin.post(f"/limits/{limit.id}/remove", {})["Location"] == "/limits"
    limit.refresh_from_db()
    assert not limit.is_active


@pytest.mark.parametrize("act", ["edit", "remove"])
def test_s2_a_strangers_limit_is_not_there(unique, admin, client, limit, act):
    foreign = made(World(unique))
    assert admin.get(f"/limits/{foreign.id}/{act}").status_code == 404
    assert client.get(f"/limits/{limit.id}/{act}").status_code == 403
