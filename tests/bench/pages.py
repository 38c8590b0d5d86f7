"""The console's pages as somebody who is signed in sees them: how long, and with how many queries.

Times are taken over HTTP from a web worker of its own. Queries are counted in this process, which
answers the same addresses with the same code.
"""

import datetime
import statistics
import time
from urllib.parse import urlencode

import httpx
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event, Record
from gateway import navigation
from gateway.ranges import RANGES
from tenants.models import App, Budget, Tenant, User, VirtualKey
from tenants.selectors import actor_of
from tests.bench.meters import cpu_s, family_cpu_s

COOKIE = settings.SESSION_COOKIE_NAME


def addresses(user, since, until):
    """Return the addresses to ask, by a name for each."""
    actor = actor_of(user)
    tenants = [str(identity) for identity in actor.memberships]
    tenant = Tenant.objects.filter(**{"pk__in": tenants} if tenants else {}).first()
    found = {place.label: navigation.address(place, "") for place in navigation.places(actor)}
    return found | _usage(tenant, since, until) | _calls(tenant, since, until) | _things(tenant)


def _usage(tenant, since, until):
    """Return the pages and answers that read rollups."""
    found = {}
    for name in RANGES:
        found[f"Overview, {name}"] = f"/overview?range={name}"
        for by in ("app", "key", "model", "user", "tag:team"):
            found[f"Usage by {by}, {name}"] = f"/usage?{urlencode({'range': name, 'by': by})}"
    found["Usage of one model, 30d"] = "/usage?range=30d&model=demo-small"
    found["Usage of one tag, 30d"] = "/usage?range=30d&tag=team%3Dsupport"
    found["Usage as CSV, 30d"] = "/usage.csv?range=30d&by=user"
    times = {"since": since.isoformat(), "until": until.isoformat()}
    for granularity in ("day", "hour"):
        query = urlencode({"tenant": tenant.pk, "granularity": granularity, **times})
        found[f"API: usage by the {granularity}"] = f"/api/v1/usage?{query}"
    narrowed = urlencode(
        {"tenant": tenant.pk, "granularity": "hour", "model": "demo-small", **times}
    )
    found["API: usage of a model by the hour"] = f"/api/v1/usage?{narrowed}"
    query = urlencode({"tenant": tenant.pk, "dimension": "user", **times})
    found["API: usage by user"] = f"/api/v1/usage/breakdown?{query}"
    return found


def _calls(tenant, since, until):
    """Return the list of calls from both ends, through its filters, and one call."""
    middle = Record.objects.filter(
        tenant_id=tenant.pk, kind="admitted", at__lt=since + (until - since) / 2
    )
    deep = middle.order_by("-at").first()
    position = f"{int(deep.at.timestamp() * 1_000_000)}.{deep.call_id}"
    asked = {
        "deep page": {"before": position},
        "30 days": {"from": f"{since:%Y-%m-%dT%H:%M}"},
        "of an app": {"app": App.objects.filter(tenant=tenant).latest("created_at").name},
        "of a model": {"model": "demo-large"},
        "denied": {"outcome": "denied"},
        "failed": {"outcome": "failed"},
        "lost": {"outcome": "lost"},
        "in flight": {"outcome": "in_flight"},
        "lost, of a model, 30 days": {
            "outcome": "lost", "model": "demo-large", "from": f"{since:%Y-%m-%dT%H:%M}",
        },
        "denied, of an app": {"outcome": "denied", "app": "code-review"},
    }  # fmt: skip
    pages = {f"Calls, {name}": f"/calls?{urlencode(query)}" for name, query in asked.items()}
    query = urlencode({"tenant": tenant.pk})
    return pages | {
        "One call explained": f"/calls/{deep.call_id}",
        "API: calls": f"/api/v1/calls?{query}",
        "API: lost calls": f"/api/v1/calls?{query}&outcome=lost",
    }


def _things(tenant):
    """Return the pages of single things, and lists further down."""
    found = {"Tenant": f"/tenants/{tenant.pk}"}
    for name, model in (("App", App), ("Key", VirtualKey), ("Budget", Budget)):
        for each in model.objects.filter(tenant=tenant).order_by("created_at")[:2]:
            found[f"{name} {each.name}"] = f"/{name.lower()}s/{each.pk}"
    event = Event.objects.filter(tenant_id=tenant.pk).order_by("id").last()
    return found | {"One event": f"/events/{event.pk}"}


class Visitor:
    """A browser that is signed in, at a worker and at this process."""

    def __init__(self, user, port):
        self._session = SessionStore()
        self._session[SESSION_KEY] = str(user.pk)
        self._session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        self._session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        self._session.create()
        cookies = {COOKIE: self._session.session_key}
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=60, trust_env=False
        )
        self._inside = Client(HTTP_HOST="127.0.0.1")
        self._inside.cookies[COOKIE] = self._session.session_key

    def close(self):
        """Sign out."""
        self._http.close()
        self._session.delete()

    def times_ms(self, address, rounds):
        """Return how long each of the answers took, after one that warms up."""
        times = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            answer = self._http.get(address)
            times.append((time.perf_counter() - began) * 1000)
            if answer.status_code != httpx.codes.OK:
                raise SystemExit(f"{address} answers {answer.status_code}:\n{answer.text[:600]}")
        return times[1:]

    def queries(self, address):
        """Return how many statements an answer takes."""
        with CaptureQueriesContext(connection) as queries:
            self._inside.get(address)
        return len(queries)


def measure(email, span, rounds, server):
    """Ask every page, one after another; yield name, queries, p50, p95 and CPU times in ms."""
    user = User.objects.get(email=email)
    visitor = Visitor(user, server["port"])
    try:
        for name, address in addresses(user, *span).items():
            queries = visitor.queries(address)
            before = cpu_s(server["worker"]), family_cpu_s(server["postgres"])
            times = sorted(visitor.times_ms(address, rounds))
            after = cpu_s(server["worker"]), family_cpu_s(server["postgres"])
            used = [(b - a) * 1000 / (rounds + 1) for a, b in zip(before, after, strict=True)]
            p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
            yield name, queries, statistics.median(times), p95, *used
    finally:
        visitor.close()


def span(days):
    """Return the last days, in whole hours."""
    until = timezone.now().replace(minute=0, second=0, microsecond=0)
    return until - datetime.timedelta(days=days), until
