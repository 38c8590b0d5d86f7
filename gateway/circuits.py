"""Which deployments are left alone now, as the workers have told: for the console and the API."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from gateway.models import Deployment
from gateway.proxy.store import circuits

WHY = {
    "calls": "calls to it were failing",
    "health": "it did not answer its health check",
}


@dataclass(frozen=True, slots=True)
class Circuit:
    """How one deployment stands: `closed`, `open` until an instant, `half_open` after it, or
    `unknown` while Redis is away."""

    deployment: Deployment
    state: str
    until: datetime.datetime | None = None
    why: str = ""


def circuits_of(deployments: Iterable[Deployment], now: datetime.datetime) -> list[Circuit]:
    """Return how deployments stand; each worker keeps its own besides, until it has told."""
    seen = circuits.seen(settings.GATEHOUSE.redis_url, now.timestamp())
    return [_circuit(one, seen, now) for one in deployments]


def _circuit(
    deployment: Deployment, seen: dict[str, circuits.Opened] | None, now: datetime.datetime
) -> Circuit:
    if seen is None:
        return Circuit(deployment, "unknown")
    opened = seen.get(str(deployment.id))
    if opened is None:
        return Circuit(deployment, "closed")
    until = datetime.datetime.fromtimestamp(opened.until_s, datetime.UTC)
    why = WHY.get(opened.why, opened.why)
    return Circuit(deployment, "open" if until > now else "half_open", until, why)
