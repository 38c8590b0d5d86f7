"""From an intent to evidence: the records and the money of one call, made as the data plane does.

Only three things are done otherwise. The prompts were judged before, because there are few; how a
provider behaves is decided by chance; and the budgets are counted here instead of in Redis, from
what the ledger has, so that none is ever overspent.
"""

import datetime
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from audit.record import call_id
from gateway.bundle import Budget
from gateway.demo.cases import Prepared
from gateway.demo.evidence import Row
from gateway.demo.profiles import Profile
from gateway.demo.traffic import Intent
from gateway.exchange import (
    Answer,
    Attempt,
    BudgetLine,
    Case,
    Endpoint,
    Head,
    Judgement,
    Permitted,
    Reservation,
    Usage,
    View,
)
from gateway.proxy import limit, record, settle
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Refusal
from gateway.proxy.evidence.writer import add_claim, record_values
from gateway.proxy.store.counters import Exceeded
from gateway.proxy.trail import Decided, Trail
from policies.pdp.request import SLOTS

LEASE_S = 60.0
LAPSED_S = -1.0
"""The lease of an attempt whose worker is taken to have died."""

BYTES_PER_TOKEN = 4
MS = datetime.timedelta(milliseconds=1)
RATE_LIMITED = 0.003
TROUBLED = 0.4
CACHED_OF_256 = 40
FAILED_MS = 1400
_NO_VIEW = View((), (), ())
_USER, _USER_ID, _TAGS = SLOTS["user.present"], SLOTS["user.id"], SLOTS["call.tags"]
_HOUR, _WEEKDAY = SLOTS["source.hour"], SLOTS["source.weekday"]


class Fate(NamedTuple):
    """How an attempt ends at its provider. `again`: the next deployment is tried."""

    code: str
    status: int
    basis: str
    again: bool = False


ANSWERED = Fate("", 200, "usage")
LOST = Fate("lost", 0, "bound")
_FATES = (
    (0.00005, LOST),
    (0.002, Fate("upstream_rate_limited", 429, "not_billed", again=True)),
    (0.004, Fate("upstream_error", 502, "bound")),
    (0.0015, Fate("upstream_timeout", 504, "bound")),
)
_TROUBLE = Fate("upstream_error", 502, "bound")


@dataclass(slots=True)
class Caller:
    """One key with its prompts."""

    profile: Profile
    principal: Principal
    prepared: Mapping[tuple[int, str], Prepared]


@dataclass(slots=True)
class Money:
    """What each window of each budget has used, and the numbers that were given out.

    `starts` are the boundaries of each kind of window, over the whole time of the demo.
    """

    epoch: int
    starts: Mapping[str, Sequence[int]]
    used: dict[tuple[str, int, str], int] = field(default_factory=dict)
    seq: int = 0

    def line(self, budget: Budget, group: str, at_s: float) -> BudgetLine:
        """Return the window of a budget at an instant."""
        starts = self.starts[budget.window]
        place = bisect_right(starts, at_s)
        return BudgetLine(budget, starts[place - 1], starts[place], group)

    def headroom(self, line: BudgetLine) -> int:
        """Return what a budget has left in its window."""
        return line.budget.limit_micros - self.used.get(_name(line), 0)

    def spend(self, lines: Sequence[BudgetLine], micros: int) -> None:
        """Count what an attempt cost."""
        for line in lines:
            self.used[_name(line)] = self.used.get(_name(line), 0) + micros


@dataclass(slots=True)
class Made:
    """The rows of calls: those that begin or refuse one, and those that end an attempt."""

    first: list[Row] = field(default_factory=list)
    last: list[Row] = field(default_factory=list)


def make(intent: Intent, caller: Caller, money: Money, made: Made) -> None:
    """Append the rows of one call."""
    prepared = caller.prepared[intent.prompt, intent.model]
    call = _Call(intent, caller, _decided(intent, caller, prepared), money, made)
    refusal = prepared.denial or _rate_limited(intent, caller.principal)
    if refusal is not None:
        call.refuse(refusal)
        return
    for judgement, permitted in prepared.tries:
        if not call.attempt(judgement, permitted):
            return


@dataclass(frozen=True, slots=True)
class _Call:
    """One call on its way into rows."""

    intent: Intent
    caller: Caller
    decided: Decided
    money: Money
    made: Made

    def refuse(self, refusal: Refusal) -> None:
        """Nothing leaves, and the record says why."""
        at = self.decided.trail.at + 2 * MS
        self.made.first.append(record_values(record.refused(self.decided, refusal, at)))

    def attempt(self, judgement: Judgement, permitted: Permitted) -> bool:
        """Try one deployment; return whether another is to be tried."""
        trail, intent = self.decided.trail, self.intent
        trail.attempt += 1
        reservation = self._reserve(permitted)
        if isinstance(reservation, Refusal):
            if not trail.admitted:
                self.refuse(reservation)
            return False
        trail.admitted = True
        fate = _fate(intent, trail.attempt)
        self._admit(judgement, permitted, reservation, fate)
        if fate is LOST:
            self.money.spend(reservation.budgets, reservation.micros)
            return False
        self._complete(permitted, reservation, fate)
        return fate.again

    def _reserve(self, permitted: Permitted) -> Reservation | Refusal:
        trail, principal = self.decided.trail, self.decided.principal
        assert trail.head is not None  # noqa: S101  (for the type checker: `_decided` sets it)
        at_s = self.intent.at_ms / 1000
        attempt = Attempt(f"{trail.request_id}-{trail.attempt}", trail.attempt, at_s, LEASE_S)
        wanted, paying = limit.demand(permitted, trail.head, principal, attempt)
        lines = tuple(self.money.line(budget, group, at_s) for budget, group in paying)
        for line in lines:
            room = self.money.headroom(line)
            if line.budget.hard and wanted.micros > room:
                wait_ms = int((line.end_s - at_s) * 1000)
                return limit.over_budget(line, wanted.micros, Exceeded(0, max(0, room), wait_ms))
        if not lines:
            return wanted
        self.money.seq += 1
        return wanted._replace(
            budgets=lines, epoch=self.money.epoch, seq=self.money.seq, counted=True
        )

    def _admit(
        self, judgement: Judgement, permitted: Permitted, reservation: Reservation, fate: Fate
    ) -> None:
        trail = self.decided.trail
        trail.marks["reserve"] = trail.marks["decide"] + 900
        told = judgement._replace(
            facts=_with_caller(judgement.facts, self.intent, trail, self.caller)
        )
        row = record.admitted(self.decided, told, permitted, reservation, trail.at + 3 * MS)
        claim = record.claim(reservation, LAPSED_S if fate is LOST else LEASE_S)
        values = record_values(row)
        add_claim(values, claim)
        self.made.first.append(values)

    def _complete(self, permitted: Permitted, reservation: Reservation, fate: Fate) -> None:
        trail, intent = self.decided.trail, self.intent
        output = min(permitted.cap, max(4, int(self.caller.profile.tokens_out * intent.pace)))
        size = permitted.call.size // BYTES_PER_TOKEN
        usage = Usage(size, output, size // 2 if intent.noise[2] < CACHED_OF_256 else 0)
        told = usage if fate is ANSWERED else None
        spent = settle.charge(reservation, told, fate.basis)
        took_ms = int(180 + 6 * output * (1 + intent.noise[3] / 256)) if told else FAILED_MS
        trail.marks = {**trail.marks, "answer": took_ms * 1000}
        answer = Answer({"id": intent.noise.hex()}, usage, "stop", (), _NO_VIEW) if told else None
        ending = record.Ending(
            fate.status, fate.code, "stop" if told else "", answer, None, None, None
        )
        row = record.completed(self.decided, spent, ending, trail.at + took_ms * MS)
        self.made.last.append(record_values(row) | {"cost_pico": spent.pico})
        self.money.spend(reservation.budgets, spent.micros)


def _decided(intent: Intent, caller: Caller, prepared: Prepared) -> Decided:
    at = datetime.datetime.fromtimestamp(intent.at_ms / 1000, datetime.UTC)
    # It needs no clock: how long each step took is said below.
    trail = Trail(call_id(intent.at_ms, intent.noise), at, 0.0, float)
    noise = int.from_bytes(intent.noise[:2])
    source = f"10.20.{noise % 8}.{noise // 8 % 250}"
    trail.head = Head(Endpoint.CHAT, "", "", intent.user, "", intent.tags, source)
    trail.principal, trail.raw = caller.principal, prepared.raw
    trail.marks = {"authenticate": 90 + noise % 60, "body": 190, "parse": 260 + noise % 90}
    trail.marks["decide"] = trail.marks["parse"] + 600 + noise % 700
    first = prepared.case.first
    told = first._replace(facts=_with_caller(first.facts, intent, trail, caller))
    case: Case = prepared.case._replace(first=told)
    trail.case = case
    return Decided(trail, caller.principal, case)


def _with_caller(slots: list[Any], intent: Intent, trail: Trail, caller: Caller) -> list[Any]:
    """Return the facts of a prompt with what is this call's alone."""
    local = trail.at.astimezone(caller.principal.tenant.zone)
    told = list(slots)
    told[_USER], told[_USER_ID] = True, intent.user
    told[_TAGS] = tuple(f"{name}={value}" for name, value in intent.tags)
    told[_HOUR], told[_WEEKDAY] = local.hour, local.isoweekday()
    return told


def _rate_limited(intent: Intent, principal: Principal) -> Refusal | None:
    if intent.luck < 1 - RATE_LIMITED or not principal.lines.requests:
        return None
    return limit.over_limit(principal.lines.requests[0], 1.0)


def _fate(intent: Intent, attempt: int) -> Fate:
    """Return how an attempt ends; the second one of a call always gets an answer."""
    if attempt > 1:
        return ANSWERED
    luck = intent.luck
    for share, fate in _FATES:
        if luck < share:
            return fate
        luck -= share
    return _TROUBLE if intent.trouble and luck < TROUBLED else ANSWERED


def _name(line: BudgetLine) -> tuple[str, int, str]:
    return line.budget.id, line.start_s, line.group
