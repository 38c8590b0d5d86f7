"""A service that apps may call, and a house that may call it."""

from gateway.bundle import Operation
from gateway.providers.service import operations
from gateway.services.services import service_create, service_credential_set
from tenants.services.apps import app_update
from tests import books, estate

SECRET = "vdb-upstream-canary"
SEARCH = "/collections/{collection}/points/search"
OPERATIONS = (
    Operation("search", "POST", SEARCH, ("timeout", "wait"), body="json", idempotent=True),
    Operation("upsert", "PUT", "/collections/{collection}/points", ("wait",), body="json"),
    Operation("describe", "GET", "/collections/{collection}", ("label",)),
    Operation("aliases", "GET", "/collections/aliases"),
    Operation("drop", "DELETE", "/collections/{collection}", answer="none"),
    Operation("metrics", "GET", "/metrics/{collection}", answer="text"),
)
PRICE = {"price_pico": 250_000_000, "currency": "USD"}
PRICE_MICROS = 250


def service(base_url, secret=SECRET, **fields):
    """Make a service at a local address."""
    given = {"allow_private": True, "header": "api-key", "scheme": "", **PRICE, **fields}
    made = service_create(
        actor=estate.ACTOR,
        name=estate.name("vectors"),
        base_url=base_url,
        operations=operations.written(given.pop("operations", OPERATIONS)),
        **given,
    )
    if secret:
        service_credential_set(actor=estate.ACTOR, service=made, secret=secret)
    return made


def house(*services, policy=estate.OPEN, budgets=books.HARD, **terms):
    """Make a tenant whose app may call these services, under one policy, and publish it."""
    made = estate.estate(policy=policy, budgets=list(budgets), **terms)
    app_update(actor=estate.ACTOR, app=made.app, services=[one.name for one in services])
    assert made.publish()
    return made
