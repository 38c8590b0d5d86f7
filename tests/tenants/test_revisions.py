"""How a change reaches the workers, and that a broker which is away stops none."""

import base64
import contextlib
import json
import logging
import secrets

import pytest
from celery import Celery
from celery._state import get_current_app
from django.conf import settings
from django.db import transaction
from redis import Redis

from audit.actor import command
from tenants.models import Tenant
from tenants.revisions import platform_changed, tenant_changed, tenant_heard
from tenants.services.tenants import tenant_create, tenant_suspend

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
QUEUE = "celery"


@pytest.fixture
def tenant():
    return tenant_create(actor=OPERATOR, name=f"t-{secrets.token_hex(4)}")


@pytest.fixture
def sent():
    """Return what was put into the broker's queue since the test began."""
    with Redis.from_url(settings.GATEHOUSE.broker_url) as broker:
        broker.delete(QUEUE)

        def read():
            messages = [json.loads(raw) for raw in broker.lrange(QUEUE, 0, -1)]
            return [(message["headers"]["task"], arguments(message)) for message in messages]

        yield read
        broker.delete(QUEUE)


def arguments(message):
    positional, _, _ = json.loads(base64.b64decode(message["body"]))
    return positional


def revision(tenant):
    return Tenant.objects.get(pk=tenant.pk).revision


def test_a_commit_sends_one_task_however_often_a_tenant_changed(tenant, sent):
    before = revision(tenant)
    with transaction.atomic():
        tenant_changed(tenant.id)
        with transaction.atomic():
            tenant_changed(tenant.id)
        assert sent() == []
    assert sent() == [("gateway.publish", [str(tenant.id)])]
    assert revision(tenant) == before + 2


def test_a_rollback_sends_nothing(tenant, sent):
    before = revision(tenant)
    with transaction.atomic():
        tenant_changed(tenant.id)
        transaction.set_rollback(True)
    assert (sent(), revision(tenant)) == ([], before)


def test_what_was_sent_within_a_savepoint_that_failed_is_sent_again(tenant, sent):
    with transaction.atomic():
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            tenant_changed(tenant.id)
            raise ZeroDivisionError
        tenant_changed(tenant.id)
    assert sent() == [("gateway.publish", [str(tenant.id)])]


def test_what_needs_no_bundle_is_heard_without_a_task(tenant, sent):
    before = revision(tenant)
    tenant_heard(tenant.id)
    assert (sent(), revision(tenant)) == ([], before + 1)


def test_a_change_of_the_platform_is_every_tenants(tenant, sent):
    other = tenant_create(actor=OPERATOR, name=f"t-{secrets.token_hex(4)}")
    before = (revision(tenant), revision(other))
    sent_before = len(sent())
    with transaction.atomic():
        platform_changed()
        platform_changed()
    assert (revision(tenant), revision(other)) == (before[0] + 2, before[1] + 2)
    assert len(sent()) == sent_before + 1
    assert ("gateway.publish", []) in sent()


@pytest.fixture
def deaf_broker():
    """Let messages go to a port on which nothing listens."""
    usual = get_current_app()
    deaf = Celery("deaf", broker="redis://127.0.0.1:1/0", set_as_current=False)
    deaf.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    deaf.set_current()
    yield
    usual.set_current()


@pytest.mark.usefixtures("deaf_broker")
def test_a_broker_that_is_away_fails_no_change(tenant, caplog):
    with caplog.at_level(logging.WARNING, logger="tenants.revisions"):
        assert tenant_suspend(actor=OPERATOR, tenant=tenant)
    assert Tenant.objects.get(pk=tenant.pk).state == "suspended"
    assert "publish_not_sent" in caplog.messages
