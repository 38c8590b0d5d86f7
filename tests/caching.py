"""Houses whose apps take kept answers, and looks at what is kept for them."""

import redis
from django.conf import settings

from gateway.models import Route
from tenants.services.keys import virtual_key_issue
from tests import books, estate
from tests.stack import eventually


def house(url, model="mock", budgets=books.HARD, policy=estate.OPEN, limits=(), **plan):
    """Make a tenant whose one app takes kept answers, of a model that keeps them for an hour."""
    at = estate.provider(url)
    wanted = {"price": books.PRICE, "cache_ttl_s": 3600, **plan}
    route = estate.route((at, model), **wanted)
    tags = ["team"]
    return estate.estate(
        route, budgets=list(budgets), policy=policy, limits=limits, tags=tags, cache=True
    )


def key_of(app):
    """Issue another key of an app; return its secret."""
    _, issued = virtual_key_issue(actor=estate.ACTOR, app=app, name="more", pepper=estate.pepper())
    return issued.secret


def how(answer):
    """Return what the cache did, of an answer that was given."""
    assert answer.status_code == 200, answer.text
    return answer.headers["x-gatehouse-cache"]


def asked(mock, house):
    """Return how often the provider was asked in the name of a house."""
    ours = books.holds(house)
    return sum(entry["request_id"] in ours for entry in mock.books())


def republished(gateway, house):
    """Publish a house, and wait until the worker goes by it."""
    revision = house.publish()

    def heard():
        gateway.chat(house.secret, house.model, "Are you there?", {"cache-control": "no-store"})
        records = books.records(house, "admitted") + books.records(house, "refused")
        return any(one.body["revision"] >= revision for one in records)

    eventually(heard)


def stored(house):
    """Return what Redis holds of a tenant's answers, by key."""
    client = redis.Redis.from_url(settings.GATEHOUSE.cache_url)
    prefix = f"gatehouse:{{{house.tenant.id}}}:answer:"
    names = [key for key in client.scan_iter(f"{prefix}*") if len(key) == len(prefix) + 48]
    found = {name: client.get(name) for name in names}
    client.close()
    return found


def given(gateway, home):
    """Return the answer of a call if it was a hit."""
    answer = gateway.chat(home.secret, home.model)
    return answer if answer.headers.get("x-gatehouse-cache") == "hit" else None


def route_of(home):
    """Return the row of a house's model."""
    return Route.objects.get(name=home.model)
