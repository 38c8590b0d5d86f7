"""Purges of kept answers by the API, and what a model and an app say of them."""

import pytest
from django.core.exceptions import ValidationError

from audit.models import Event
from gateway.models import CachePurge, Route
from gateway.publish import compile_bundle
from gateway.services.cache import cache_purge
from tenants.models import App, Tenant
from tests import estate
from tests.gateway.call_records import World
from tests.management import Api, owner_of_all

pytestmark = pytest.mark.usefixtures("db")


def test_a_purge_is_written_down_and_stands_in_the_next_bundle(unique):
    world = World(unique)
    alice, tenant = Api(world.person("owner")), world.tenant
    before = Tenant.objects.get(pk=tenant.pk).revision
    whole = alice.post("cache-purges/", {"tenant": str(tenant.id), "reason": "wrong prices"})
    assert (whole.status_code, whole.json()["scope"]) == (201, "")
    assert whole.json()["revision"] == before + 1
    of_route = alice.post("cache-purges/", {"tenant": str(tenant.id), "route": "gpt-4o"})
    body = {"tenant": str(tenant.id), "app": str(world.app.id)}
    of_app = alice.post("cache-purges/", body)
    again = alice.post("cache-purges/", body)
    assert again.json()["id"] == of_app.json()["id"]
    scopes = {
        "": whole.json()["revision"],
        "route:gpt-4o": of_route.json()["revision"],
        f"app:{world.app.id}": again.json()["revision"],
    }
    assert sorted(scopes.values()) == [before + 1, before + 2, before + 4]
    listed = alice.get(f"cache-purges/?tenant={tenant.id}").json()["results"]
    assert {one["scope"]: one["revision"] for one in listed} == scopes
    event = Event.objects.filter(tenant_id=tenant.id, action="cache.purge").order_by("id").first()
    assert (event.reason, event.object_name) == ("wrong prices", tenant.name)


def test_the_bundle_carries_what_was_purged_and_who_takes_answers(unique):
    home = estate.estate(estate.route((estate.simulated(), "m"), cache_ttl_s=9), cache=True)
    row = cache_purge(actor=estate.ACTOR, tenant=home.tenant, route=home.model)
    tenant = Tenant.objects.get(pk=home.tenant.pk)
    compiled = compile_bundle(tenant, row.at)
    assert compiled.purges == {f"route:{home.model}": tenant.revision}
    assert compiled.routes[home.model].plan.cache_ttl_s == 9
    assert [app.cache for app in compiled.apps.values()] == [True]


def test_a_purge_is_of_one_thing_of_the_tenants_own(unique):
    world, other = World(unique), World(unique)
    alice = Api(world.person("owner"))
    for app, route in ((other.app, ""), (world.app, "gpt-4o")):
        body = {"tenant": str(world.tenant.id), "app": str(app.id)}
        refused = alice.post("cache-purges/", body | ({"route": route} if route else {}))
        assert refused.status_code == 400
    assert alice.post("cache-purges/", {"tenant": str(other.tenant.id)}).status_code == 400
    with pytest.raises(ValidationError):
        cache_purge(actor=estate.ACTOR, tenant=world.tenant, app=other.app)
    assert not CachePurge.objects.filter(tenant__in=[world.tenant, other.tenant]).exists()
    analyst = Api(world.person("analyst"))
    assert analyst.post("cache-purges/", {"tenant": str(world.tenant.id)}).status_code == 403
    assert analyst.get("cache-purges/").status_code == 200


def test_a_model_keeps_answers_and_an_app_takes_them_by_the_api(unique):
    root, world = Api(owner_of_all(unique)), World(unique)
    wanted = {
        "cache_ttl_s": 600, "cache_stale_s": 60, "cache_entry_bytes": 1000,
        "cache_hit_percent": 5, "cache_vary": ["user", "tag:team"],
    }  # fmt: skip
    made = root.post("routes/", {"name": unique("model"), **wanted}).json()
    assert {name: made[name] for name in wanted} == wanted
    for wrong in (
        {"cache_vary": ["colour"]},
        {"cache_hit_percent": 101},
        {"cache_ttl_s": 2_592_001},
        {"cache_entry_bytes": 2**25},
    ):
        refused = root.post("routes/", {"name": unique("model"), **wrong})
        assert refused.status_code == 400
        assert next(iter(wrong)) in refused.text
    alice = Api(world.person("owner"))
    assert alice.get(f"apps/{world.app.id}/").json()["cache"] is False
    assert alice.patch(f"apps/{world.app.id}/", {"cache": True}).json()["cache"] is True
    assert App.objects.get(pk=world.app.pk).cache
    assert not Route.objects.filter(cache_hit_percent__gt=100).exists()
