"""How often one may try to sign in: counted in PostgreSQL, exact across all web processes.

`take` and `subject` serve whatever else is counted this way: tokens, calls of the management API.

An attempt counts against the address that it comes from and against the e-mail that it names,
whether somebody has that e-mail or not. What was typed is never stored, only a keyed digest.
"""

import datetime
import ipaddress
import math
import unicodedata
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.crypto import salted_hmac

from tenants.models import SignInPace

SALT = "tenants.sign_in"
FORGET_MAX = 100
"""How many spent rows an attempt removes at most: more than it adds, so that the table is bounded
by what is still counted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many attempts at once, then one `every` so often."""

    burst: int
    every: datetime.timedelta


ADDRESS = Pace(20, datetime.timedelta(seconds=6))
EMAIL = Pace(10, datetime.timedelta(seconds=30))
IPV6_PREFIX = 64
"""Whoever has one IPv6 address usually has all of its /64."""

# One statement, so that attempts at the same moment cannot both take the last place.
TAKE = """
INSERT INTO tenants_signinpace AS pace (subject, free_at)
VALUES (%(subject)s, %(now)s + %(every)s)
ON CONFLICT (subject) DO UPDATE SET free_at = GREATEST(pace.free_at, %(now)s) + %(every)s
WHERE pace.free_at <= %(now)s + %(ahead)s
RETURNING free_at
"""
FORGET = """
DELETE FROM tenants_signinpace WHERE subject IN (
  SELECT subject FROM tenants_signinpace WHERE free_at < %s LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def attempt(*, email: str, address: str, now: datetime.datetime) -> int:
    """Count an attempt and return 0, or return how many seconds to wait before the next one."""
    forget(now)
    wait = take(subject("address", network(address)), ADDRESS, now)
    return wait or take(_email_subject(email), EMAIL, now)


def succeeded(*, email: str) -> None:
    """Forget the attempts that named this e-mail: its owner has signed in."""
    clear(_email_subject(email))


def clear(subject: str) -> None:
    """Forget what was counted for the subject."""
    SignInPace.objects.filter(subject=subject).delete()


def forget(now: datetime.datetime) -> None:
    """Remove what is not counted any more."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [now, FORGET_MAX])


def take(subject: str, pace: Pace, now: datetime.datetime) -> int:
    """Count one for the subject and return 0, or return how many seconds to wait."""
    ahead = pace.every * (pace.burst - 1)
    values: dict[str, Any] = {
        "subject": subject,
        "now": now,
        "every": pace.every,
        "ahead": ahead,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE, values)
        if cursor.fetchone() is not None:
            return 0
    row = SignInPace.objects.filter(subject=subject).first()
    waits_until = now if row is None else row.free_at - ahead
    return max(1, math.ceil((waits_until - now).total_seconds()))


def _email_subject(email: str) -> str:
    # Folded at least as far as the database folds when it looks a person up.
    return subject("email", unicodedata.normalize("NFKC", email.strip()).casefold())


def subject(kind: str, what: str) -> str:
    """Return what stands for this in the table: a keyed digest."""
    return salted_hmac(SALT, f"{kind}:{what}", algorithm="sha256").hexdigest()


def network(address: str) -> str:
    """Return what an address is counted as: an IPv6 address as its whole network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
