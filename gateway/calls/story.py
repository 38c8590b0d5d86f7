"""One call from beginning to end, put together from its records. Pure."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audit.models import Record
from audit.outcome import LAST_WORD, Outcome, outcome
from audit.record import instant
from gateway.exchange import Usage


@dataclass(frozen=True, slots=True)
class Money:
    """An amount; without a currency nothing was priced."""

    currency: str
    micros: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one deployment. `charged` is None while the answer is awaited.

    `basis` says what was charged: "usage", "bound" (the whole hold), "not_sent", "not_billed" or
    "kept" (what a kept answer costs). `cache` is what kept answers had to do with it, `kept_from`
    the call that the answer was made for.
    """

    number: int
    provider: str
    deployment: str
    upstream_model: str
    region: str
    outcome: Outcome
    code: str
    finish: str
    admitted_at: datetime.datetime
    ended_at: datetime.datetime | None
    usage: Usage | None
    held: Money
    charged: Money | None
    basis: str
    cap: int | None
    redacted: bool
    answer_digest: str
    cache: str = ""
    kept_from: str = ""

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds from the admission to the end."""
        return None if self.ended_at is None else _between_ms(self.admitted_at, self.ended_at)


@dataclass(frozen=True, slots=True)
class Call:
    """A call. `deciding` is the body of the record whose decision stands (empty where only the end
    of an attempt was recorded), `last` that of the last word on it."""

    id: UUID
    tenant_id: UUID
    app: str
    key_id: str
    model: str
    outcome: Outcome
    code: str
    arrived_at: datetime.datetime
    listed_at: datetime.datetime
    ended_at: datetime.datetime | None
    attempts: tuple[Attempt, ...]
    deciding: Mapping[str, Any]
    last: Mapping[str, Any]

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds from the arrival to the end, or None while the answer is awaited."""
        return None if self.ended_at is None else _between_ms(self.arrived_at, self.ended_at)

    @property
    def charged(self) -> tuple[Money, ...]:
        """What the attempts cost together, for each currency."""
        return _sums(attempt.charged for attempt in self.attempts if attempt.charged is not None)

    @property
    def held(self) -> tuple[Money, ...]:
        """What is held for attempts whose end is not known yet, for each currency."""
        return _sums(attempt.held for attempt in self.attempts if attempt.charged is None)

    @property
    def tokens(self) -> Usage | None:
        """What the attempts used together, or None where no provider told."""
        told = [attempt.usage for attempt in self.attempts if attempt.usage is not None]
        if not told:
            return None
        return Usage(
            input_tokens=sum(usage.input_tokens for usage in told),
            output_tokens=sum(usage.output_tokens for usage in told),
            cached_input_tokens=sum(usage.cached_input_tokens for usage in told),
        )

    @property
    def is_refused(self) -> bool:
        """Whether nothing left the gateway, and a refusal says why."""
        return "message" in self.last


def read(records: Sequence[Record]) -> Call:
    """Return the call of these records: at least one, all of the same call, by attempt."""
    first = records[0]
    last = _last_word(records)
    verdict = outcome(last.kind, last.code)
    admissions = [record for record in records if record.kind == "admitted"]
    decided = [last] if last.kind == "refused" else admissions[-1:]
    return Call(
        id=first.call_id,
        tenant_id=first.tenant_id,
        app=first.body.get("app", ""),
        key_id=first.key_id,
        model=first.model,
        outcome=verdict,
        code=last.code,
        arrived_at=instant(first.call_id),
        listed_at=first.at,
        ended_at=None if verdict == "in_flight" else last.at,
        attempts=tuple(_attempt(record, records) for record in admissions),
        deciding=decided[0].body if decided else {},
        last=last.body,
    )


def _last_word(records: Sequence[Record]) -> Record:
    return min(records, key=lambda record: (-record.attempt, LAST_WORD.index(record.kind)))


def _attempt(admitted: Record, records: Sequence[Record]) -> Attempt:
    ends = [
        record
        for record in records
        if record.attempt == admitted.attempt and record.kind in ("completed", "lost")
    ]
    end = _last_word(ends) if ends else None
    body, rest = admitted.body, {} if end is None else end.body
    currency = body.get("currency", "")
    return Attempt(
        number=admitted.attempt,
        provider=body["provider"],
        deployment=body["deployment"],
        upstream_model=body["upstream_model"],
        region=body.get("region", ""),
        outcome="in_flight" if end is None else outcome(end.kind, end.code),
        code="" if end is None else end.code,
        finish=rest.get("finish", ""),
        admitted_at=admitted.at,
        ended_at=None if end is None else end.at,
        usage=Usage(*rest["usage"]) if "usage" in rest else None,
        held=Money(currency, body.get("bound_micros", 0)),
        charged=None if end is None else Money(currency, end.cost_micros or 0),
        basis=rest.get("charge", ""),
        cap=body.get("cap"),
        redacted=bool(body.get("redacted")),
        answer_digest=rest.get("digest", ""),
        cache=_cache(rest.get("cache", {})),
        kept_from=rest.get("cache", {}).get("first", ""),
    )


def _cache(body: Mapping[str, Any]) -> str:
    outcome = str(body.get("outcome", ""))
    return "stale" if body.get("stale") else outcome


def _sums(amounts: Iterable[Money]) -> tuple[Money, ...]:
    sums: dict[str, int] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, 0) + amount.micros
    return tuple(Money(currency, micros) for currency, micros in sums.items())


def _between_ms(start: datetime.datetime, end: datetime.datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))
