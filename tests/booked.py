"""Calls as rows, booked with the data plane's own statement: records, holds, ledger, postings."""

import datetime
import random
import secrets
import uuid

from django.conf import settings

from audit.record import Record, call_id
from audit.services import partitions_create
from gateway.demo.evidence import Book
from gateway.proxy.evidence.writer import Claim, add_claim, record_values
from tenants.models import TenantEpoch

PICO = 1_000_000
REFUSALS = ("policy_denied", "insufficient_quota", "budget_unavailable")
ENDINGS = ("", "", "", "upstream_error", "policy_denied")


class Calls:
    """Writes calls of one tenant; `book()` makes what was said durable."""

    def __init__(self, tenant, app, key="K7hTq2mXab", seed=1):
        self.tenant, self.app, self.key = tenant, app, key
        self.epoch, _ = TenantEpoch.objects.get_or_create(tenant=tenant)
        self.chance = random.Random(seed)
        self.seq = secrets.randbelow(2**40)
        self.first, self.last, self.loose = [], [], []
        self.budgets = ()

    def _row(self, kind, call, attempt, at, model, *, code="", cost=None, **body):
        return record_values(
            Record(kind, call, attempt, at, str(self.tenant.id), str(self.app.id), self.key, model,
                   code, cost, body)
        )  # fmt: skip

    def _decided(self, user, tags):
        return {
            "user": user,
            "facts": {"call.tags": list(tags)} if tags else {},
            "decision": {"effect": "permit", "determining": [], "matched": []},
        }

    def call(self, at, *, model="m", user="", tags=(), code="", cost_pico=1_500_000,
             bound_pico=9_000_000, currency="USD", usage=(10, 5, 2), took_ms=900,
             redacted=False, attempts=1, lost=False, cache=None):  # fmt: skip
        """One call that left: all but its last attempt failed at no cost. `cache` is what its last
        record says of kept answers."""
        call = call_id(int(at.timestamp() * 1000), secrets.token_bytes(10))
        for attempt in range(1, attempts + 1):
            self.seq += 1
            amounts = [(*line, -(-bound_pico // PICO)) for line in self.budgets]
            claim = Claim(self.epoch.epoch, self.seq, amounts, bound_pico, currency, 60)
            admitted = self._row(
                "admitted", call, attempt, at, model, redacted=redacted,
                bound_micros=-(-bound_pico // PICO), currency=currency, provider="p",
                deployment="d", upstream_model=model,
                **self._decided(user, tags),
            )  # fmt: skip
            add_claim(admitted, claim)
            self.first.append(admitted)
            if attempt < attempts:
                self.last.append(
                    self._end(
                        call,
                        attempt,
                        at,
                        model,
                        code="upstream_error",
                        cost_pico=0,
                        usage=None,
                        took_ms=50,
                    )
                )
            elif not lost:
                self.last.append(
                    self._end(
                        call,
                        attempt,
                        at,
                        model,
                        code=code,
                        cost_pico=cost_pico,
                        usage=usage,
                        took_ms=took_ms,
                        cache=cache,
                    )
                )
        return call

    def _end(self, call, attempt, at, model, *, code, cost_pico, usage, took_ms, cache=None):
        body = {"charge": "usage", "cost_pico": str(cost_pico)} | (
            {"cache": cache} if cache else {}
        )
        if usage:
            body["usage"] = list(usage)
        ended = at + datetime.timedelta(milliseconds=took_ms)
        cost = -(-cost_pico // PICO)
        row = self._row("completed", call, attempt, ended, model, code=code, cost=cost, **body)
        return row | {"cost_pico": cost_pico}

    def refuse(self, at, *, model="m", user="", tags=(), code="policy_denied"):
        """One call that never left."""
        call = call_id(int(at.timestamp() * 1000), secrets.token_bytes(10))
        body = self._decided(user, tags) | {"status": 403, "message": "no", "rule": None}
        body["decision"] = {"effect": "deny", "determining": [], "matched": []}
        self.loose.append(self._row("refused", call, 0, at, model, code=code, **body))
        return call

    def at_random(self, since, until, count):
        """Calls of every sort, spread over a time."""
        span_ms = int((until - since).total_seconds() * 1000)
        for _ in range(count):
            at = since + datetime.timedelta(milliseconds=self.chance.randrange(span_ms))
            what = {
                "model": self.chance.choice(["m", "n"]),
                "user": self.chance.choice(["", "ann", "bob", "other"]),
                "tags": self.chance.choice([(), ("team=a",), ("feature=x", "team=b")]),
            }
            if self.chance.random() < 0.2:
                self.refuse(at, code=self.chance.choice(REFUSALS), **what)
                continue
            bound = self.chance.randrange(1, 10**9)
            self.call(
                at, bound_pico=bound, cost_pico=self.chance.randrange(bound + 1),
                code=self.chance.choice(ENDINGS), currency=self.chance.choice(["USD", "EUR"]),
                usage=tuple(self.chance.randrange(999) for _ in range(3)),
                took_ms=self.chance.randrange(1, 90_000), attempts=self.chance.choice([1, 1, 1, 2]),
                redacted=self.chance.random() < 0.3, **what,
            )  # fmt: skip

    def book(self):
        """Write what was said, the ends after their beginnings."""
        days = [row["day"] for row in (*self.first, *self.last, *self.loose)]
        if days:
            partitions_create(first=min(days), last=max(days))
        with Book(settings.GATEHOUSE.database_url) as book:
            book.write(self.loose + self.first)
            book.write(self.last)
        self.first, self.last, self.loose = [], [], []

    def complete(self, call, at, *, attempt=1, model="m", cost_pico=700_000, took_ms=900):
        """Say how an attempt ended that was taken for lost."""
        row = self._end(
            call,
            attempt,
            at,
            model,
            code="",
            cost_pico=cost_pico,
            usage=(1, 1, 0),
            took_ms=took_ms,
        )
        self.last.append(row)


def hours_of(day, zone=datetime.UTC):
    """Return the first instant of a day by the clock of a zone."""
    return datetime.datetime.combine(day, datetime.time(), zone)


def an_id():
    return uuid.UUID(bytes=secrets.token_bytes(16))
