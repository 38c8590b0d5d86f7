"""The cache in the console: what a model keeps, what an app takes, and purges."""

import pytest

from audit.models import Event
from gateway.models import CachePurge, Route
from tenants.models import App
from tests.gateway.views.reading import body, signed_in, text
from tests.management import owner_of_all

pytestmark = pytest.mark.usefixtures("db")

KEEPS = {
    "cache_ttl_s": "600", "cache_stale_s": "0", "cache_hit_percent": "0",
    "cache_entry_bytes": "0", "cache_vary": "user, tag:team",
}  # fmt: skip


def test_what_a_model_keeps_is_changed_by_who_runs_the_platform(world, client, unique):
    platform = signed_in(owner_of_all(unique))
    route = Route.objects.create(name=unique("model"))
    address = f"/models/{route.id}/cache"
    assert "not at all" in text(platform.get(f"/models/{route.id}"))
    assert "Tenants never share" in text(platform.get(address))
    assert platform.post(address, KEEPS).status_code == 302
    route.refresh_from_db()
    assert (route.cache_ttl_s, route.cache_vary) == (600, ["user", "tag:team"])
    assert "600 s" in text(platform.get(f"/models/{route.id}"))
    wrong = platform.post(address, KEEPS | {"cache_vary": "colour"})
    assert wrong.status_code == 422
    assert "app, key, user or tag:NAME" in text(wrong)
    assert client.get(address).status_code == 403


def test_an_app_takes_kept_answers_and_they_are_purged(world, client):
    admin, app = signed_in(world.person("admin")), world.app
    for model in app.models:
        Route.objects.get_or_create(name=model)
    show, purge = f"/apps/{app.id}", f"/apps/{app.id}/purge"
    assert "not taken" in text(admin.get(show))
    given = {"models": app.models, "tier": "", "cache": "on"}
    assert admin.post(f"/apps/{app.id}/edit", given).status_code == 302
    assert App.objects.get(pk=app.pk).cache
    assert purge in body(admin.get(show))
    assert "nobody is given an answer that was kept before" in text(admin.get(purge))
    assert admin.post(purge, {"reason": "stale prices"})["Location"] == show
    assert CachePurge.objects.get(tenant=world.tenant).scope == f"app:{app.id}"
    event = Event.objects.get(tenant_id=world.tenant.id, action="cache.purge")
    assert event.reason == "stale prices"
    assert client.get(purge).status_code == 403


@pytest.mark.parametrize("which", ["", "gpt-4o"])
def test_a_tenants_answers_are_purged_all_or_those_of_a_model(world, client, which):
    admin = signed_in(world.person("admin"))
    App.objects.filter(pk=world.app.pk).update(models=["gpt-4o"])
    address = f"/tenants/{world.tenant.id}/purge"
    assert 'value="gpt-4o"' in body(admin.get(address))
    assert address in body(admin.get(f"/tenants/{world.tenant.id}"))
    assert admin.post(address, {"model": which}).status_code == 302
    purged = CachePurge.objects.get(tenant=world.tenant)
    assert purged.scope == (f"route:{which}" if which else "")
    assert admin.post(address, {"model": "nobodys"}).status_code == 422
    assert client.get(address).status_code == 403
