"""The first steps: all that a first call needs, at once or not at all."""

import re

import pytest
from django.db.models import Max

from audit.models import Event
from gateway.models import Credential, Deployment, Provider, Route
from policies.models import Attachment
from tenants.models import Tenant, User, VirtualKey
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

SECRET = "sk-canary-first-steps-0123"


@pytest.fixture
def platform(world):
    user = world.person(is_superuser=True)
    yield signed_in(user)
    User.objects.filter(pk=user.pk).update(is_superuser=False)


@pytest.fixture
def wanted(world):
    return {
        "dialect": "simulated",
        "base_url": "https://api.openai.com/v1",
        "secret": "",
        "model": world.unique("model"),
        "tenant": world.unique("main"),
        "app": "first-app",
        "key": "first key",
        "once": world.unique("once"),
    }


def test_one_form_leads_to_a_key_that_may_call(platform, wanted):
    newest = Event.objects.aggregate(newest=Max("id", default=0))["newest"]
    answer = platform.post("/providers/start", wanted)
    assert answer.status_code == 200
    secret = re.search(r'id="secret">(gth_\w+)<', body(answer))[1]
    assert f'data-model="{wanted["model"]}"' in body(answer)
    key = VirtualKey.objects.get(tenant__name=wanted["tenant"])
    assert key.public_id in secret
    assert (key.app.name, key.app.models) == ("first-app", [wanted["model"]])
    assert key.expires_at is not None
    (held,) = Attachment.objects.filter(tenant=key.tenant)
    assert held.policy.name == "starter"
    deployment = Deployment.objects.get(route__name=wanted["model"])
    assert deployment.provider.dialect == "simulated"
    events = Event.objects.filter(id__gt=newest).values_list("action", flat=True)
    assert {"provider.create", "route.create", "tenant.create", "virtual_key.issue"} <= set(events)
    again = platform.post("/providers/start", wanted)
    assert again.status_code == 409
    assert "already shown" in text(again)
    assert VirtualKey.objects.filter(tenant=key.tenant).count() == 1


def test_a_provider_elsewhere_is_asked_for_its_key_and_sealed(platform, wanted):
    remote = wanted | {"dialect": "openai"}
    refused = platform.post("/providers/start", remote)
    assert refused.status_code == 422
    assert "takes no call without its API key" in text(refused)
    near = remote | {"base_url": "http://127.0.0.1:9/v1", "allow_private": "on", "secret": SECRET}
    answer = platform.post("/providers/start", near)
    assert answer.status_code == 200
    assert SECRET not in body(answer)
    provider = Deployment.objects.get(route__name=wanted["model"]).provider
    assert Credential.objects.filter(provider=provider, state="active").exists()
    assert SECRET not in str(list(Event.objects.order_by("-id").values()[:20]))


def test_what_cannot_be_made_makes_nothing(world, platform, wanted):
    taken = Route.objects.create(name=world.unique("taken"))
    before = Provider.objects.count()
    for wrong, told in (
        ({"model": taken.name}, "already exists"),
        ({"tenant": world.tenant.name}, "A tenant of this name exists."),
        ({"app": "No Name"}, "a name is 1 to 63"),
        ({"dialect": "openai", "secret": "x", "base_url": "ftp://x"}, "http"),
    ):
        answer = platform.post("/providers/start", wanted | wrong)
        assert (answer.status_code, told in text(answer)) == (422, True), wrong
    assert Provider.objects.count() == before
    assert not Tenant.objects.filter(name=wanted["tenant"]).exists()


def test_names_are_free_and_the_page_is_the_owners(world, platform):
    Tenant.objects.get_or_create(name="main")
    form = body(platform.get("/providers/start"))
    assert re.search(r'name="tenant"\s+value="main-\d+"', form)
    assert signed_in(world.person("owner")).get("/providers/start").status_code == 403
