"""What the writes to services let through, and what they leave behind."""

import secrets

import pytest
from django.core.exceptions import ValidationError

from audit.actor import command
from audit.models import Event
from gateway import doctor, service_credentials
from gateway.envelope import EnvelopeError
from gateway.models import Service, ServiceCredential
from gateway.publish import compile_bundle
from gateway.services.services import (
    service_create,
    service_credential_remove,
    service_credential_set,
    service_remove,
    service_update,
)
from tenants.services.apps import app_create, app_remove, app_update
from tenants.services.tenants import tenant_create

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
OPERATIONS = [{"name": "search", "method": "POST", "path": "/c/{name}/search", "body": "json"}]


def made(**fields):
    given = {"base_url": "https://db.example/v1/", "operations": OPERATIONS, **fields}
    return service_create(actor=OPERATOR, name=f"vectors-{secrets.token_hex(4)}", **given)


def test_what_is_stored_is_whole():
    service = Service.objects.get(pk=made().pk)
    assert service.base_url == "https://db.example/v1"
    assert service.operations == [
        {
            "name": "search",
            "method": "POST",
            "path": "/c/{name}/search",
            "query": [],
            "body": "json",
            "answer": "json",
            "idempotent": False,
        }
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"base_url": "http://db.example"}, "base_url"),
        ({"base_url": "https://10.0.0.1"}, "base_url"),
        ({"base_url": "https://db.example?x=1"}, "base_url"),
        ({"header": "host"}, "header"),
        ({"scheme": "a b"}, "header"),
        ({"operations": []}, "operations"),
        ({"operations": [{"name": "x", "method": "GET", "path": "/../x"}]}, "operations"),
        ({"operations": "x"}, "operations"),
        ({"price_pico": 1}, "currency"),
        ({"price_pico": 1, "currency": "usd"}, "currency"),
        ({"currency": "USD"}, "currency"),
        ({"retries": 6}, "retries"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(fields, field):
    with pytest.raises(ValidationError) as caught:
        made(**fields)
    assert field in caught.value.message_dict
    service = made()
    with pytest.raises(ValidationError) as caught:
        service_update(actor=OPERATOR, service=service, **fields)
    assert field in caught.value.message_dict


def test_a_change_is_an_event_and_no_change_is_none():
    service = made()
    assert service_update(actor=OPERATOR, service=service, retries=2, first_byte_s=3)
    event = Event.objects.filter(object_id=str(service.pk)).order_by("-id").first()
    assert (event.action, event.before, event.after) == (
        "service.update",
        {"retries": 0, "first_byte_s": 0},
        {"retries": 2, "first_byte_s": 3},
    )
    assert not service_update(actor=OPERATOR, service=service, retries=2)
    assert not service_update(actor=OPERATOR, service=service, base_url=service.base_url + "/")


def test_a_secret_belongs_to_one_row_and_one_origin():
    service, other = made(), made()
    service_credential_set(actor=OPERATOR, service=service, secret="first")
    service_credential_set(actor=OPERATOR, service=service, secret="second")
    held = service_credentials.of(service)
    assert service_credentials.open_sealed(held) == "second"
    held.service_id = other.id
    with pytest.raises(EnvelopeError):
        service_credentials.open_sealed(held)
    assert service_update(actor=OPERATOR, service=service, base_url="https://elsewhere.example")
    assert service_credentials.of(service) is None
    event = Event.objects.filter(object_id=str(service.pk)).order_by("-id").first()
    assert event.after["credential_removed"] is True
    assert not service_credential_remove(actor=OPERATOR, service=service)
    for wrong in ("", "a\nb", "\u00e9", "x" * 4097):
        with pytest.raises(ValidationError):
            service_credential_set(actor=OPERATOR, service=service, secret=wrong)


def test_the_doctor_finds_a_secret_that_nothing_opens():
    service = made()
    service_credential_set(actor=OPERATOR, service=service, secret="s3cret")
    (finding,) = doctor._credentials()
    assert service.name not in finding.detail
    ServiceCredential.objects.filter(service=service).update(key_id="gone")
    (finding,) = doctor._credentials()
    assert not finding.ok
    assert service.name in finding.detail
    service_credential_remove(actor=OPERATOR, service=service)


def test_a_service_in_use_stays_and_only_its_users_get_it():
    service = made(price_pico=7_000_000, currency="EUR", retries=2, region="eu", total_s=9)
    service_credential_set(actor=OPERATOR, service=service, secret="s3cret")
    tenant = tenant_create(actor=OPERATOR, name=f"tenant-{secrets.token_hex(4)}")
    app = app_create(actor=OPERATOR, tenant=tenant, name="app", services=[service.name])
    with pytest.raises(ValidationError, match=f"is used by {tenant.name}/app"):
        service_remove(actor=OPERATOR, service=service)
    compiled = compile_bundle(tenant, tenant.created_at)
    found = compiled.services[service.name]
    (deployment,) = found.route.deployments
    assert compiled.apps[str(app.id)].services == (service.name,)
    assert (deployment.region, deployment.timeouts.total_s) == ("eu", 9)
    assert [(one.currency, one.request_pico) for one in deployment.prices] == [("EUR", 7_000_000)]
    assert deployment.credential is not None
    assert "s3cret" not in str(compiled)
    app_update(actor=OPERATOR, app=app, services=[])
    assert compile_bundle(tenant, tenant.created_at).services == {}
    app_update(actor=OPERATOR, app=app, services=[service.name])
    app_remove(actor=OPERATOR, app=app)
    service_remove(actor=OPERATOR, service=service)
    assert not Service.objects.filter(name=service.name).exists()
