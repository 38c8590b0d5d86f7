"""How far the installation is set up, and the link that makes its first owner."""

import secrets
import time

import pytest
from django.core.signing import TimestampSigner, b62_encode

from audit.actor import Actor, command
from gateway.selectors import (
    SETUP_SALT,
    SETUP_SUBJECT,
    providers_visible,
    routes_visible,
    setup_link,
    setup_token_is_good,
    unknown_models,
)
from gateway.services.providers import provider_create
from gateway.services.routes import route_create
from tenants.models import User
from tenants.services.apps import app_create
from tenants.services.people import owner_create
from tenants.services.tenants import tenant_create

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
BASE = "http://127.0.0.1:8000"


@pytest.fixture
def ownerless():
    User.objects.filter(is_superuser=True).update(is_superuser=False)


def token(link):
    before, found, rest = link.partition(f"{BASE}/setup/")
    assert (before, bool(found)) == ("", True)
    return rest


class Earlier(TimestampSigner):
    def timestamp(self):
        return b62_encode(int(time.time()) - 8 * 24 * 3600)


@pytest.mark.usefixtures("ownerless")
def test_the_link_works_until_there_is_an_owner():
    made = token(setup_link(BASE))
    assert setup_token_is_good(made)
    email = f"own-{secrets.token_hex(4)}@example.com"
    owner_create(
        actor=Actor("user", "", "set-up link"), email=email, password="correct horse battery"
    )
    assert not setup_token_is_good(made)
    assert setup_link(BASE) is None


@pytest.mark.usefixtures("ownerless")
@pytest.mark.parametrize("forged", ["", "x", "1vXyZ1:abc", "::"])
def test_a_made_up_link_does_not_work(forged):
    assert not setup_token_is_good(forged)


@pytest.mark.usefixtures("ownerless")
def test_an_old_link_does_not_work():
    old = Earlier(salt=SETUP_SALT).sign(SETUP_SUBJECT).partition(":")[2]
    assert not setup_token_is_good(old)


@pytest.mark.usefixtures("ownerless")
def test_a_link_signed_for_something_else_does_not_work():
    for other in (
        TimestampSigner(salt="other").sign(SETUP_SUBJECT),
        TimestampSigner(salt=SETUP_SALT).sign("other"),
    ):
        assert not setup_token_is_good(other.partition(":")[2])


def test_models_are_seen_by_those_whose_apps_list_them():
    mine, foreign = (
        route_create(actor=OPERATOR, name=f"m-{secrets.token_hex(4)}") for _ in range(2)
    )
    tenant = tenant_create(actor=OPERATOR, name=f"acme-{secrets.token_hex(4)}")
    app_create(actor=OPERATOR, tenant=tenant, name="helpdesk", models=[mine.name])
    reader = Actor("user", "u", "u", memberships={str(tenant.id): frozenset({"analyst"})})
    assert list(routes_visible(reader)) == [mine]
    assert {mine, foreign} <= set(routes_visible(OPERATOR))
    assert unknown_models([mine.name, "none-such"]) == ["none-such"]


def test_providers_are_seen_by_those_who_run_the_platform():
    made = provider_create(actor=OPERATOR, name=f"p-{secrets.token_hex(4)}", dialect="simulated")
    assert made in providers_visible(OPERATOR)
    owner = Actor("user", "u", "u", memberships={"t": frozenset({"owner"})})
    assert not providers_visible(owner).exists()
