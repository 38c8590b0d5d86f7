"""Providers: one fixed origin, a secret that nobody reads back, and a connection test."""

import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError

from audit.actor import command
from audit.models import Event
from gateway import credentials, envelope
from gateway.envelope import EnvelopeError
from gateway.models import Credential, Provider
from gateway.probe import Probe, probe
from gateway.services.providers import (
    credential_remove,
    credential_set,
    provider_create,
    provider_remove,
    provider_test,
    provider_update,
)
from gateway.services.routes import deployment_create, route_create, route_remove
from tenants.models import Tenant
from tenants.services.apps import app_create
from tenants.services.tenants import tenant_create

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
CANARY = "sk-canary-5f3a91"


def unique(stem):
    return f"{stem}-{secrets.token_hex(4)}"


def provider(base_url="https://api.vendor.example/v1", **others):
    terms = {"dialect": "openai", "base_url": base_url, **others}
    return provider_create(actor=OPERATOR, name=unique("provider"), **terms)


@pytest.fixture
def vendor():
    """A vendor on this machine: answers what the test says, and remembers what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append((self.path, self.headers["Host"], self.headers["Authorization"]))
            self.send_response(server.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.asked = 200, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def local(vendor, **others):
    return provider(f"http://localhost:{vendor.server_port}/v1", allow_private=True, **others)


# Origins


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"base_url": "http://127.0.0.1:9/v1"}, "allow_private"),
        ({"base_url": ""}, "begins with https"),
        ({"dialect": "simulated"}, "has no base URL"),
        ({"dialect": "telex"}, "not a valid choice"),
        ({"name": "Open AI"}, "a name is 1 to 63"),
    ],
)
def test_a_provider_is_refused(terms, why):
    whole = {
        "name": unique("p"),
        "dialect": "openai",
        "base_url": "https://a.example/v1",
        **terms,
    }
    with pytest.raises(ValidationError, match=why):
        provider_create(actor=OPERATOR, **whole)


def test_a_provider_that_serves_models_is_not_removed():
    made = provider()
    route = route_create(actor=OPERATOR, name=unique("model"))
    deployment_create(actor=OPERATOR, route=route, provider=made, model="m")
    with pytest.raises(ValidationError, match="still serves models"):
        provider_remove(actor=OPERATOR, provider=made)
    route_remove(actor=OPERATOR, route=route)
    credential_set(actor=OPERATOR, provider=made, secret=CANARY)
    provider_remove(actor=OPERATOR, provider=made)
    assert not Provider.objects.filter(name=made.name).exists()


def test_a_model_that_an_app_lists_is_not_removed():
    route = route_create(actor=OPERATOR, name=unique("model"))
    tenant = tenant_create(actor=OPERATOR, name=unique("acme"))
    app_create(actor=OPERATOR, tenant=tenant, name="helpdesk", models=[route.name])
    with pytest.raises(ValidationError, match=f"used by {tenant.name}/helpdesk"):
        route_remove(actor=OPERATOR, route=route)


def test_every_tenant_hears_of_a_provider_that_moved():
    tenant, made = tenant_create(actor=OPERATOR, name=unique("acme")), provider()
    before = Tenant.objects.get(pk=tenant.pk).revision
    terms = {"base_url": "https://b.example/v1", "allow_private": False}
    assert provider_update(actor=OPERATOR, provider=made, **terms)
    assert not provider_update(actor=OPERATOR, provider=made, **terms)
    assert Tenant.objects.get(pk=tenant.pk).revision == before + 1


# Credentials


def test_a_credential_is_sealed_to_its_row_and_shown_nowhere():
    made = provider()
    stored = credential_set(actor=OPERATOR, provider=made, secret=CANARY)
    row = Credential.objects.get(pk=stored.pk)
    assert credentials.open_sealed(row) == CANARY
    assert CANARY.encode() not in bytes(row.sealed)
    assert row.key_id == envelope.key_id(settings.GATEHOUSE.kek)
    assert CANARY not in str(list(Event.objects.order_by("-id")[:3].values()))


def test_a_ciphertext_moved_to_another_provider_does_not_open():
    mine, other = provider(), provider()
    box = credential_set(actor=OPERATOR, provider=mine, secret=CANARY)
    stolen = credential_set(actor=OPERATOR, provider=other, secret="sk-other")
    Credential.objects.filter(pk=stolen.pk).update(sealed=bytes(box.sealed))
    with pytest.raises(EnvelopeError, match="does not belong to this row"):
        credentials.open_sealed(credentials.active(other))


def test_a_new_credential_destroys_the_one_before():
    made = provider()
    credential_set(actor=OPERATOR, provider=made, secret="sk-old")
    credential_set(actor=OPERATOR, provider=made, secret="sk-new")
    (only,) = Credential.objects.filter(provider=made)
    assert credentials.open_sealed(only) == "sk-new"
    assert credential_remove(actor=OPERATOR, provider=made)
    assert not credential_remove(actor=OPERATOR, provider=made)
    assert credentials.active(made) is None


def test_a_credential_stays_with_the_origin_that_it_was_given_for():
    made = provider()
    credential_set(actor=OPERATOR, provider=made, secret=CANARY)
    provider_update(
        actor=OPERATOR, provider=made, base_url="https://thief.example/v1", allow_private=False
    )
    assert credentials.active(made) is None
    assert Event.objects.order_by("-id")[0].after["credential_removed"] is True


@pytest.mark.parametrize("secret", ["", "a\nb", "schlüssel", "x" * 4097])
def test_what_cannot_be_a_header_is_no_credential(secret):
    with pytest.raises(ValidationError, match="printable ASCII"):
        credential_set(actor=OPERATOR, provider=provider(), secret=secret)


def test_the_simulated_provider_takes_no_credential():
    made = provider("", dialect="simulated")
    with pytest.raises(ValidationError, match="takes no credential"):
        credential_set(actor=OPERATOR, provider=made, secret=CANARY)


# Connection test


def test_a_provider_is_asked_once_with_its_credential(vendor):
    made = local(vendor)
    credential_set(actor=OPERATOR, provider=made, secret=CANARY)
    assert provider_test(actor=OPERATOR, provider=made) == Probe(ok=True, detail="answered 200")
    host = f"localhost:{vendor.server_port}"
    assert vendor.asked == [("/v1/models", host, f"Bearer {CANARY}")]
    assert Event.objects.order_by("-id")[0].after == {"ok": True, "detail": "answered 200"}


def test_without_a_credential_none_is_sent(vendor):
    assert probe(local(vendor)).ok
    assert vendor.asked[0][2] is None


def test_the_simulated_provider_is_always_there():
    assert probe(provider("", dialect="simulated")).ok


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (401, "the provider refuses the credential (401)"),
        (403, "the provider refuses the credential (403)"),
        (302, "the base URL redirects (302), which is not followed"),
        (500, "answered 500"),
        (520, "answered 520"),
    ],
)
def test_what_is_no_success_is_said(vendor, status, detail):
    vendor.status = status
    assert probe(local(vendor)) == Probe(ok=False, detail=detail, is_up=status < 500)
    assert len(vendor.asked) == 1


def test_a_name_that_leads_to_a_private_address_is_not_connected_to(vendor):
    made = local(vendor)
    Provider.objects.filter(pk=made.pk).update(allow_private=False)
    result = probe(Provider.objects.get(pk=made.pk))
    assert not result.ok
    assert "not at a public address" in result.detail
    assert vendor.asked == []


def test_a_name_that_leads_nowhere_is_said():
    name = f"{'a' * 64}.example"  # longer than a label can be: no server is asked
    result = probe(provider(f"https://{name}/v1"))
    assert result == Probe(ok=False, detail=f"the name {name} does not resolve", is_up=False)


def test_a_port_on_which_nobody_listens_is_said():
    result = probe(provider("http://127.0.0.1:1/v1", allow_private=True))
    assert result == Probe(ok=False, detail="no answer: ConnectError", is_up=False)


def test_a_credential_that_does_not_open_is_said(vendor):
    made = local(vendor)
    credential_set(actor=OPERATOR, provider=made, secret=CANARY)
    Credential.objects.filter(provider=made).update(key_id="gone")
    result = probe(made)
    Credential.objects.filter(provider=made).delete()  # or no worker of a later test is ready
    assert not result.ok
    assert "no master key with id gone" in result.detail
    assert vendor.asked == []
