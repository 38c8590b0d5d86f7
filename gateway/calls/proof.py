"""Decisions made once more: from recorded facts, under the stored policy versions, and compared.

What `explain` shows for one call this does for any number of them: each policy is put together once
and compiled, and what a decision is written as is kept beside it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from audit.decided import Row
from audit.record import instant
from gateway.calls.ruling import CannotRebuildError, Version, rebuild, slots_of
from gateway.proxy.record import decision_written
from policies.pdp.backtest import Seen, seen_by
from policies.pdp.decision import Decision
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import load_canonical
from policies.pdp.problem import PolicyError
from policies.pdp.request import SCHEMAS, Phase

POLICIES_MAX = 256
WRITTEN_MAX = 4096
LISTED_MAX = 1000
"""So many differences are listed; all are counted."""

_HOLDS_DECISION = '"decision"'
_PHASE: Mapping[str, Phase] = {"refused": "request", "admitted": "request", "completed": "answer"}

Find = Callable[[Sequence[str]], Iterable[Version]]
"""Returns the stored versions of these labels ("name@number")."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy as it held when a record was made, under that version of the fact schema."""

    policy: EffectivePolicy
    schema: int


class Archive:
    """The policies that records name, each put together once; those used last are kept."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._known: dict[tuple[str, ...], Standing | CannotRebuildError] = {}

    def policy_of(self, body: Mapping[str, Any]) -> Standing:
        """Return what decided a refused or admitted record; raise CannotRebuildError."""
        name = (str(body.get("policy_hash")), *body.get("policies", ()))
        found = self._known.get(name)
        if found is None:
            while len(self._known) >= POLICIES_MAX:
                del self._known[next(iter(self._known))]
            found = self._known[name] = self._built(body)
        if isinstance(found, CannotRebuildError):
            raise found
        return found

    def seen(self, body: Mapping[str, Any]) -> Seen:
        """Return what was looked for when a record was made; raise CannotRebuildError.

        That takes the texts of its policies alone, unless an older record leaves it to their hash
        to tell the version of its facts.
        """
        schema = body.get("facts_schema") or self.policy_of(body).schema
        labels = set(body.get("policies", ()))
        stored = [each for each in self._find(sorted(labels)) if each.label in labels]
        if len(stored) < len(labels):
            raise CannotRebuildError("A policy version of that time is not stored here.")
        return seen_by(map(_alone, stored), schema)

    def _built(self, body: Mapping[str, Any]) -> Standing | CannotRebuildError:
        try:
            policy = rebuild(body, self._find(body.get("policies", ())))
        except CannotRebuildError as error:
            return error
        wanted = body.get("policy_hash")
        schema = next(known for known in SCHEMAS if policy.hash_under(known) == wanted)
        return Standing(policy, schema)


def _alone(version: Version) -> EffectivePolicy:
    try:
        document = load_canonical(version.canonical.encode())
        return EffectivePolicy([Layered("tenant", version.name, version.number, document)])
    except PolicyError as error:
        raise CannotRebuildError("This version of Gatehouse does not read that text.") from error


@dataclass(frozen=True, slots=True)
class Difference:
    """A record whose decision does not come out again, and in what."""

    call_id: UUID
    attempt: int
    kind: str
    phase: Phase
    differs: str


@dataclass(slots=True)
class Proof:
    """What came of proving decisions. `unproven` counts by reason what could not be tried."""

    records: int = 0
    decisions: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    unproven: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every decision came out as it was recorded."""
        return not self.different and not self.unproven


class Prover:
    """Takes records in the order of their calls, and decides each again."""

    def __init__(self, archive: Archive) -> None:
        self.proof = Proof()
        self._archive = archive
        self._written: dict[int, tuple[Decision, Any]] = {}
        self._of: tuple[UUID, int] | None = None
        self._deciding: Mapping[str, Any] = {}

    def take(self, rows: Iterable[Row]) -> None:
        """Prove some more records."""
        for row in rows:
            self.proof.records += 1
            phase = _PHASE.get(row.kind)
            if phase is None or _HOLDS_DECISION not in row.body:
                continue
            body = orjson.loads(row.body)
            if phase == "request":
                self._of, self._deciding = (row.call_id, row.attempt), body
            elif self._of != (row.call_id, row.attempt):
                self._deciding = {}
            if "decision" in body:
                self._prove(row, phase, body)

    def _prove(self, row: Row, phase: Phase, body: Mapping[str, Any]) -> None:
        self.proof.decisions += 1
        if not self._deciding:
            self._unproven("The admission of an answered attempt is not in evidence.")
            return
        if "facts" not in body:
            self._unproven("The facts of an answer were not recorded.")
            return
        try:
            policy = self._archive.policy_of(self._deciding).policy
        except CannotRebuildError as error:
            self._unproven(str(error))
            return
        recorded = body["decision"]
        try:
            slots, failed = slots_of(body["facts"]), frozenset(body.get("failed", ()))
            decision = policy.decide(phase, slots, failed, instant(row.call_id).timestamp())
            written = self._as_written(decision)
            names = () if written == recorded else sorted({*written, *recorded})
        except (AttributeError, TypeError, ValueError):
            self._differs(row, phase, ["the shape of the record"])
            return
        different = [name for name in names if written.get(name) != recorded.get(name)]
        if different:
            self._differs(row, phase, different)

    def _as_written(self, decision: Decision) -> Any:
        """Return a decision as it comes back from the database. The policy makes most once."""
        known = self._written.get(id(decision))
        if known is not None:  # it is held here, so that no other has its identity
            return known[1]
        if len(self._written) >= WRITTEN_MAX:
            self._written.clear()
        written = orjson.loads(orjson.dumps(decision_written(decision)))
        self._written[id(decision)] = (decision, written)
        return written

    def _differs(self, row: Row, phase: Phase, names: Sequence[str]) -> None:
        self.proof.different += 1
        if len(self.proof.differences) < LISTED_MAX:
            self.proof.differences.append(
                Difference(row.call_id, row.attempt, row.kind, phase, ", ".join(names))
            )

    def _unproven(self, reason: str) -> None:
        self.proof.unproven[reason] = self.proof.unproven.get(reason, 0) + 1
