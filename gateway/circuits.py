"""Which deployments are left alone now, as the workers have told: for the console and the API."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.conf import settings

from gateway.models import Deployment, Provider, Service
from gateway.probe import probe
from gateway.proxy.store import circuits

HEALTH = "health"
WHY = {
    "calls": "calls to it were failing",
    HEALTH: "it did not answer its health check",
}
LOOK_EVERY_S = 30.0
MARGIN_S = 15.0
Row = TypeVar("Row", Deployment, Service)


@dataclass(frozen=True, slots=True)
class Circuit(Generic[Row]):
    """How one deployment, or service, stands: `closed`, `open` until an instant, `half_open` after
    it, or `unknown` while Redis is away."""

    deployment: Row
    state: str
    until: datetime.datetime | None = None
    why: str = ""


def circuits_of(deployments: Iterable[Row], now: datetime.datetime) -> list[Circuit[Row]]:
    """Return how deployments, or services, stand; each worker keeps its own besides, until it has
    told."""
    seen = circuits.seen(settings.GATEHOUSE.redis_url, now.timestamp())
    return [_circuit(one, seen, now) for one in deployments]


def look_after(now: datetime.datetime) -> list[str]:
    """Ask every provider that wants it how it is; return the names of those that are away.

    Its deployments are left alone until the next look. Who is silent is asked twice.
    """
    away = []
    for provider in Provider.objects.filter(health_check=True).order_by("name"):
        ids = [str(each) for each in provider.deployments.values_list("id", flat=True)]
        is_up = probe(provider).is_up or probe(provider).is_up
        if not is_up:
            away.append(provider.name)
        _mark(ids, now, is_up=is_up)
    return away


def _mark(ids: list[str], now: datetime.datetime, *, is_up: bool) -> None:
    url, now_s = settings.GATEHOUSE.redis_url, now.timestamp()
    seen = circuits.seen(url, now_s) or {}
    if is_up:  # what failing calls have opened is for calls to close
        circuits.mark(url, {}, [name for name in ids if name in seen and seen[name].why == HEALTH])
    else:
        opened = circuits.Opened(now_s + LOOK_EVERY_S + MARGIN_S, HEALTH)
        circuits.mark(url, dict.fromkeys(ids, opened), [])


def _circuit(
    deployment: Row, seen: dict[str, circuits.Opened] | None, now: datetime.datetime
) -> Circuit[Row]:
    if seen is None:
        return Circuit(deployment, "unknown")
    opened = seen.get(str(deployment.id))
    if opened is None:
        return Circuit(deployment, "closed")
    until = datetime.datetime.fromtimestamp(opened.until_s, datetime.UTC)
    why = WHY.get(opened.why, opened.why)
    return Circuit(deployment, "open" if until > now else "half_open", until, why)
