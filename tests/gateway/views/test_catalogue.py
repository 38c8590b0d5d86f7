"""Providers and models: connecting, testing, serving and pricing. The owner's affair alone."""

import datetime
import re

import pytest
from django.conf import settings
from django.utils import timezone

from audit.models import Event
from gateway.models import Credential, Deployment, Price, Provider, Route
from gateway.probe import Probe
from gateway.proxy.store import circuits
from gateway.selectors import own_line
from gateway.services import providers as services
from tenants.models import User
from tests import estate
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

SECRET = "sk-canary-0123456789"


@pytest.fixture
def platform(world):
    user = world.person(is_superuser=True)
    yield signed_in(user)
    User.objects.filter(pk=user.pk).update(is_superuser=False)


@pytest.fixture
def provider(db):
    made = estate.provider("http://127.0.0.1:9/v1", secret="")
    yield made
    if not made.deployments.exists():
        Credential.objects.filter(provider=made).delete()
        Provider.objects.filter(pk=made.pk).delete()


def test_a_provider_is_connected_in_three_steps(platform, unique, monkeypatch):
    name = unique("local")
    given = {"name": name, "dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
    refused = platform.post("/providers/new", given)
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in body(refused)
    answer = platform.post("/providers/new", given | {"allow_private": "on"})
    provider = Provider.objects.get(name=name)
    assert answer["Location"] == f"/providers/{provider.id}/credential"
    assert "none is sent" in text(platform.get(f"/providers/{provider.id}"))
    platform.post(answer["Location"], {"secret": SECRET, "reason": ""})
    shown = platform.get(f"/providers/{provider.id}")
    assert "sealed" in text(shown)
    assert SECRET not in body(shown)
    assert SECRET not in str(list(Event.objects.filter(action="credential.set").values())[-1])
    monkeypatch.setattr(services, "probe", lambda _: Probe(ok=True, detail="answered 200"))
    part = platform.post(f"/providers/{provider.id}/test", headers={"HX-Request": "true"})
    assert "It works: answered 200." in text(part)
    assert "<html" not in body(part)
    monkeypatch.setattr(services, "probe", lambda _: Probe(ok=False, detail="no answer"))
    whole = platform.post(f"/providers/{provider.id}/test")
    assert "It does not work: no answer." in text(whole)
    assert "<html" in body(whole)
    platform.post(f"/providers/{provider.id}/forget", {"reason": "leaked"})
    assert not Credential.objects.filter(provider=provider).exists()
    platform.post(f"/providers/{provider.id}/remove", {"reason": "a test"})
    assert not Provider.objects.filter(name=name).exists()


def test_several_credentials_are_told_apart_by_their_labels(platform, provider):
    path = f"/providers/{provider.id}"
    for label in ("", "b"):
        platform.post(f"{path}/credential", {"secret": SECRET, "label": label})
    assert "Further credentials, used in turn b" in text(platform.get(path))
    platform.post(f"{path}/forget", {"label": "b", "reason": "leaked"})
    assert [one.label for one in Credential.objects.filter(provider=provider)] == [""]
    bad = platform.post(f"{path}/credential", {"secret": SECRET, "label": "B!"})
    assert bad.status_code == 422


def test_a_deployment_that_is_left_alone_is_seen(platform, provider, unique):
    route = Route.objects.create(name=unique("model"))
    made = Deployment.objects.create(route=route, provider=provider, model="m")
    path = f"/providers/{provider.id}"
    assert "in use" in text(platform.get(path))
    now_s, url = timezone.now().timestamp(), settings.GATEHOUSE.redis_url
    circuits.mark(url, {str(made.id): circuits.Opened(now_s + 60, "calls")}, [])
    assert "left alone until" in text(platform.get(path))
    assert route.name in text(platform.get("/system"))
    circuits.mark(url, {str(made.id): circuits.Opened(now_s - 1, "health")}, [])
    assert "being tried again: it did not answer its health check" in text(platform.get(path))
    circuits.mark(url, {}, [str(made.id)])
    assert "in use" in text(platform.get(path))
    assert route.name not in text(platform.get("/system"))
    route.delete()


def test_a_credential_never_comes_back_into_its_form(platform, provider):
    bad = platform.post(f"/providers/{provider.id}/credential", {"secret": SECRET + "\u00e9"})
    assert bad.status_code == 422
    assert SECRET not in body(bad)


def test_moving_a_provider_takes_its_credential(platform):
    provider = estate.provider("http://127.0.0.1:9/v1")
    path = f"/providers/{provider.id}/edit"
    assert "takes the credential away" in text(platform.get(path))
    platform.post(path, {"base_url": "http://127.0.0.1:10/v1", "allow_private": "on"})
    assert not Credential.objects.filter(provider=provider).exists()
    Provider.objects.filter(pk=provider.pk).delete()


def test_a_model_is_added_served_and_priced(platform, unique):
    name, simulated = unique("model"), estate.simulated()
    caps = {"name": name, "max_output_tokens": 4096, "default_max_output_tokens": 256}
    answer = platform.post("/models/new", caps)
    route = Route.objects.get(name=name)
    assert answer["Location"] == f"/models/{route.id}/deploy"
    given = {"provider": simulated.id, "model": "simulated", "priority": 0, "weight": 1}
    platform.post(answer["Location"], given)
    assert "already exists" in text(platform.post(answer["Location"], given))
    assert "none: budgets refuse it" in text(platform.get(f"/models/{route.id}"))
    price = {
        "currency": "USD",
        "input_pico": "0.15",
        "output_pico": "0.60",
        "cached_input_pico": "",
        "since": "2026-01-01T00:00",
    }
    assert (
        platform.post(f"/models/{route.id}/price", price | {"input_pico": "x"}).status_code == 422
    )
    platform.post(f"/models/{route.id}/price", price)
    row = Price.objects.get(route=route)
    assert (row.input_pico, row.cached_input_pico) == (150_000, None)
    assert row.effective_from == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert "USD 0.15 / 0.60" in text(platform.get(f"/models/{route.id}"))
    platform.post(f"/models/{route.id}/withdraw", {"reason": "wrong"})
    assert "withdrawn" in text(platform.get(f"/models/{route.id}"))
    over = platform.post(f"/models/{route.id}/edit", caps | {"default_max_output_tokens": 9999})
    assert "at most the maximum" in text(over)
    deployment = Deployment.objects.get(route=route)
    order = {"priority": 2, "weight": 5, "reason": "the dearer one"}
    assert platform.post(f"/deployments/{deployment.id}/edit", order).status_code == 302
    deployment.refresh_from_db()
    assert (deployment.priority, deployment.weight) == (2, 5)
    away = f"/deployments/{deployment.id}/remove"
    assert "Nothing will serve" in text(platform.get(away))
    platform.post(away, {"reason": "a test"})
    assert not Deployment.objects.filter(route=route).exists()
    assert name in text(platform.get("/models", {"q": name}))
    platform.post(f"/models/{route.id}/remove", {"reason": "a test"})
    assert not Route.objects.filter(name=name).exists()


def test_how_a_model_is_routed_is_changed(platform, provider):
    route = estate.route((provider, "m"))
    deployment = Deployment.objects.get(route=route)
    assert deployment.first_byte_s == 0
    order = {"priority": 2, "weight": 5, "first_byte_s": 90}
    platform.post(f"/deployments/{deployment.id}/edit", order)
    deployment.refresh_from_db()
    assert deployment.first_byte_s == 90
    plan = {
        "strategy": "latency",
        "sticky": "on",
        "retries": 2,
        "hedge_after_ms": 0,
        "context_tokens": 8000,
        "fallbacks": "no-such-model",
    }
    refused = platform.post(f"/models/{route.id}/routing", plan)
    assert "there is no model no-such-model" in text(refused)
    platform.post(f"/models/{route.id}/routing", plan | {"fallbacks": ""})
    route.refresh_from_db()
    assert (route.strategy, route.sticky, route.retries, route.fallbacks) == (
        "latency",
        True,
        2,
        [],
    )
    assert "the fastest" not in text(platform.get(f"/models/{route.id}"))
    assert "Latency" in text(platform.get(f"/models/{route.id}"))


def test_a_deployment_has_a_price_of_its_own_from_a_day_on(world, platform):
    provider = estate.simulated()
    served = estate.route((provider, "one"), (provider, "two"), price=None)
    one, two = served.deployments.order_by("model")
    path = f"/deployments/{one.id}/price"
    assert "for this deployment alone" in text(platform.get(path))
    given = {
        "currency": "EUR",
        "input_pico": "1.25",
        "output_pico": "5",
        "since": "2026-01-01T00:00",
    }
    assert platform.post(path, given | {"input_pico": "x"}).status_code == 422
    assert platform.post(path, given)["Location"] == f"/models/{served.id}"
    later = given | {"input_pico": "9", "since": "2099-01-01T00:00"}
    assert platform.post(path, later).status_code == 302
    told = text(platform.get(f"/models/{served.id}"))
    assert "EUR 1.25 / 5.00 its own" in told
    assert f"one at {one.provider.name}" in told
    assert not own_line(two)
    event = Event.objects.filter(action="price.set").latest("id")
    assert event.after["deployment"] == str(one.id)
    assert signed_in(world.person("owner")).get(path).status_code == 403
    withdraw = f"/deployments/{one.id}/withdraw"
    assert withdraw in body(platform.get(f"/models/{served.id}"))
    assert "or else the price book" in text(platform.get(withdraw))
    platform.post(withdraw, {"reason": "the contract ended"})
    assert "its own" not in text(platform.get(f"/models/{served.id}"))
    assert "None was set." in text(platform.post(withdraw, {}, follow=True))


def test_what_a_provider_serves_is_paged(platform, provider, monkeypatch):
    monkeypatch.setattr("gateway.pages.PAGE", 1)
    one, two = sorted(
        [estate.route((provider, "m")), estate.route((provider, "m"))], key=lambda each: each.name
    )
    told = text(platform.get(f"/providers/{provider.id}?page=2"))
    assert two.name in told
    assert one.name not in told


def test_what_apps_use_is_not_removed(world, platform):
    route, _ = Route.objects.get_or_create(name="gpt-4o")
    answer = platform.post(f"/models/{route.id}/remove", {"reason": "x"})
    assert answer.status_code == 422
    assert "is used by" in text(answer)


def test_the_designed_states(platform, monkeypatch):
    assert "No model of that name" in text(platform.get("/models?q=nothing-like-it"))
    nothing = Provider.objects.none()
    monkeypatch.setattr("gateway.views.providers.providers_visible", lambda _: nothing)
    assert "No providers yet" in text(platform.get("/providers"))
    monkeypatch.setattr("gateway.views.models.routes_visible", lambda _: Route.objects.none())
    assert "No models yet" in text(platform.get("/models"))


def test_the_catalogue_is_nobodys_but_the_owners(world, provider):
    admin = signed_in(world.person("owner"))
    pages = ("/providers", f"/providers/{provider.id}", "/models", "/providers/new", "/models/new")
    for path in pages:
        assert admin.get(path).status_code == 403
    assert admin.post(f"/providers/{provider.id}/test").status_code == 403
    assert not re.search(r'href="/providers"', body(admin.get("/apps")))
