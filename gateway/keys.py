"""How a key stands at an instant, as the console says it."""

import datetime
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from tenants.models import VirtualKey

SOON = datetime.timedelta(days=14)
STATES = (
    ("active", "Active"),
    ("expiring", "Expires soon"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A word for it, and how it looks; `is_usable` while calls with it are let in."""

    word: str
    look: str
    icon: str
    is_usable: bool


ACTIVE = Standing("active", "good", "check", is_usable=True)
EXPIRING = Standing("expires soon", "warn", "clock", is_usable=True)
EXPIRED = Standing("expired", "off", "clock", is_usable=False)
REVOKED = Standing("revoked", "bad", "cross", is_usable=False)


def standing(key: VirtualKey, now: datetime.datetime) -> Standing:
    """Return how a key stands."""
    if key.state == VirtualKey.State.REVOKED:
        return REVOKED
    if key.expires_at is None or key.expires_at > now + SOON:
        return ACTIVE
    return EXPIRING if key.expires_at > now else EXPIRED


def in_state(
    keys: QuerySet[VirtualKey], state: str, now: datetime.datetime
) -> QuerySet[VirtualKey]:
    """Return those of the keys that stand so; no state asks for all."""
    if not state:
        return keys
    if state == "revoked":
        return keys.filter(state=VirtualKey.State.REVOKED)
    keys = keys.filter(state=VirtualKey.State.ACTIVE)
    if state == "expired":
        return keys.filter(expires_at__lte=now)
    if state == "expiring":
        return keys.filter(expires_at__gt=now, expires_at__lte=now + SOON)
    return keys.filter(Q(expires_at=None) | Q(expires_at__gt=now))
