"""A program that has nothing but a token makes, changes, reads, makes again and removes an estate.

The way tools that declare infrastructure work: each object under a key of its own, so that a run
that is repeated, whole or in part, does nothing twice.
"""

import httpx
import pytest

from audit.models import Event
from tenants.models import Tenant, User
from tests.gateway.call_records import stretched
from tests.management import application
from tests.stack import Gateway

pytestmark = pytest.mark.usefixtures("db")

SCOPES = [
    f"{noun}:{verb}"
    for noun in (
        "apps",
        "budgets",
        "exports",
        "jobs",
        "keys",
        "limits",
        "members",
        "oauth-applications",
        "policies",
        "providers",
        "routes",
        "services",
        "tenants",
    )
    for verb in ("read", "write")
]
POLICY = "policy: {name}\ndefault: permit\nrules: []\n"
DAY = {"first": "2026-01-01", "last": "2026-01-01"}


def wanted(name, email):
    """Yield (noun, body, change) in the order of making; {noun} stands for the id of one made."""
    yield (
        "providers",
        {"name": name, "dialect": "openai", "base_url": "https://api.example.org/v1"},
        {"base_url": "https://api.example.org/v2"},
    )
    yield (
        "routes",
        {"name": name, "max_output_tokens": 4096},
        {"default_max_output_tokens": 256},
    )
    yield (
        "deployments",
        {"route": "{routes}", "provider": "{providers}", "model": "m"},
        {"weight": 7},
    )
    yield (
        "prices",
        {
            "route": "{routes}",
            "currency": "USD",
            "input_per_million": "1.50",
            "output_per_million": "2.50",
            "effective_from": "2026-01-01T00:00:00Z",
        },
        None,
    )
    search = {
        "name": "search",
        "method": "POST",
        "path": "/search",
        "query": [],
        "body": "json",
        "answer": "json",
        "idempotent": True,
    }
    yield (
        "services",
        {
            "name": name,
            "base_url": "https://db.example",
            "per_call": "0.0002",
            "currency": "USD",
            "operations": [search],
        },
        {"retries": 2},
    )
    yield "tenants", {"name": name, "timezone": "Europe/Berlin"}, {"tags": ["team"]}
    yield (
        "apps",
        {"tenant": "{tenants}", "name": "app", "models": [name], "services": [name]},
        {"tier": "gold"},
    )
    budget = {"limit_micros": 5_000_000, "currency": "USD", "window": "month"}
    yield (
        "budgets",
        {"tenant": "{tenants}", "name": "month", **budget},
        {"limit_micros": 7_000_000},
    )
    yield (
        "limits",
        {"tenant": "{tenants}", "name": "rpm", "kind": "requests", "amount": 5, "per": "minute"},
        {"amount": 9},
    )
    yield "policies", {"name": name}, None
    yield "attachments", {"policy": "{policies}", "tenant": "{tenants}"}, None
    yield "keys", {"app": "{apps}", "name": "production"}, None
    yield "members", {"tenant": "{tenants}", "email": email, "role": "analyst"}, None
    yield (
        "oauth-applications",
        {
            "tenant": "{tenants}",
            "name": "ci",
            "grant": "client_credentials",
            "scopes": ["keys:read"],
            "roles": ["auditor"],
        },
        None,
    )
    yield "jobs", {"tenant": "{tenants}", "kind": "rollup", "terms": DAY}, None
    yield (
        "exports",
        {
            "tenant": "{tenants}",
            "since": "2026-01-01T00:00:00Z",
            "until": "2026-01-02T00:00:00Z",
        },
        None,
    )


class Program:
    """Knows an address, an id and a secret."""

    def __init__(self, base_url, made, secret):
        self.http = httpx.Client(base_url=base_url, timeout=30)
        grant = {"grant_type": "client_credentials"}
        answer = self.http.post("/o/token/", data=grant, auth=(made.client_id, secret))
        token = answer.raise_for_status().json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.ids, self.made = {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

    def send(self, method, path, status, **terms):
        answer = self.http.request(method, f"/api/v1/{path}", **terms)
        assert answer.status_code in status, (method, path, answer.status_code, answer.text)
        return answer

    def make(self, name, email):
        """Make everything, or learn that it is there."""
        for noun, body, change in wanted(name, email):
            filled = {field: self.filled(value) for field, value in body.items()}
            key = {"Idempotency-Key": f"{name}/{noun}"}
            answer = self.send("POST", f"{noun}/", [201], json=filled, headers=key)
            self.made[noun] = answer.json()
            self.ids[noun] = answer.json()["id"]
            if change is not None:
                self.change(noun, change)
            self.is_there(noun, filled | (change or {}))
            if noun == "policies":
                self.publish(name)
            if noun == "providers":
                self.give_credential()

    def filled(self, value):
        is_reference = isinstance(value, str) and value.startswith("{")
        return self.ids[value.strip("{}")] if is_reference else value

    def address(self, noun):
        return f"{noun}/{self.ids[noun]}/"

    def change(self, noun, fields):
        tag = self.send("GET", self.address(noun), [200]).headers["ETag"]
        self.send("PATCH", self.address(noun), [428], json=fields)
        changed = self.send(
            "PATCH", self.address(noun), [200], json=fields, headers={"If-Match": tag}
        )
        if changed.headers["ETag"] != tag:
            stale = {"If-Match": tag}
            self.send("PATCH", self.address(noun), [412], json=fields, headers=stale)

    def publish(self, name):
        tag = self.send("GET", self.address("policies"), [200]).headers["ETag"]
        headers = {"If-Match": tag, "Idempotency-Key": f"{name}/version"}
        text = {"source": POLICY.replace("{name}", name)}
        path = f"{self.address('policies')}versions/"
        published = self.send("POST", path, [201], json=text, headers=headers).json()
        listed = self.send("GET", path, [200]).json()["results"]
        assert [version["source"] for version in listed] == [text["source"]]
        self.made["versions"] = published

    def give_credential(self):
        if not self.send("GET", self.address("providers"), [200]).json()["has_credential"]:
            path = f"{self.address('providers')}credential/"
            self.send("PUT", path, [200, 204], json={"secret": "sk-of-the-vendor"})

    def is_there(self, noun, fields):
        shown = self.send("GET", self.address(noun), [200]).json()
        if noun == "exports":
            shown |= {name: shown["filter"][name] for name in ("since", "until")}
            fields = {**fields, "tenant": self.made["tenants"]["name"]}
        assert {name: shown[name] for name in fields} == fields, noun

    def remove(self):
        """Take everything back, the last first; what is gone already stays so."""
        for noun, verb, state in (("keys", "revoke", "active"), ("jobs", "cancel", "queued")):
            if self.send("GET", self.address(noun), [200]).json()["state"] == state:
                self.send("POST", f"{self.address(noun)}{verb}/", [200], json={})
        for noun in (
            "oauth-applications",
            "members",
            "attachments",
            "policies",
            "limits",
            "budgets",
            "apps",
            "tenants",
        ):
            self.delete(noun)
        price = {"route": self.ids["routes"]}
        self.send("POST", "prices/withdraw/", [200, 400], json=price)
        for noun in ("deployments", "routes", "services", "providers"):
            self.delete(noun)

    def delete(self, noun):
        found = self.send("GET", self.address(noun), [200, 404])
        if found.status_code == 200:
            headers = {"If-Match": found.headers["ETag"]}
            self.send("DELETE", self.address(noun), [204], headers=headers)
        if noun == "policies":  # it stays as evidence, out of force
            assert self.send("GET", self.address(noun), [200]).json()["active_version"] is None
        else:
            self.send("GET", self.address(noun), [404])


def changes(name):
    """Return what has been written since the estate's first object, without the tokens."""
    first = Event.objects.filter(action="provider.create", object_name=name).get().id
    events = Event.objects.filter(id__gte=first).exclude(action__startswith="oauth_token.")
    return list(events.order_by("id").values_list("id", "action"))


def test_an_estate_is_declared_by_a_program_with_a_token(unique):
    name, email = unique("estate"), f"{unique('ann')}@example.org"
    User.objects.create(email=email, password=stretched())
    made, secret = application(None, scopes=SCOPES)
    with Gateway() as gateway:
        with Program(gateway.base_url, made, secret) as first:
            first.make(name, email)
        done = changes(name)
        assert {action for _, action in done} >= {
            "tenant.create",
            "tenant.update",
            "app.update",
            "budget.update",
            "rate_limit.update",
            "policy.publish",
            "policy.attach",
            "virtual_key.issue",
        }
        with Program(gateway.base_url, made, secret) as second:
            second.make(name, email)
            assert second.made == first.made  # ids and secrets included
            assert changes(name) == done
            second.remove()
            removed = changes(name)
            assert len(removed) > len(done)
            second.remove()
            assert changes(name) == removed
    tenant = Tenant.objects.get(pk=first.ids["tenants"])
    assert tenant.state == "removed"
    assert {event.actor for event in Event.objects.filter(tenant_id=tenant.pk)} == {made.name}
