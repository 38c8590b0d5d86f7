"""Everything that a page says of one call, from its records and the policy versions they name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.models import Record
from audit.record import instant
from gateway.calls import headline, wording
from gateway.calls.compared import Compared, compared
from gateway.calls.ruling import (
    FINDINGS,
    CannotRebuildError,
    Ruling,
    Version,
    judge,
    rebuild,
    slots_of,
)
from gateway.calls.steps import Step, steps
from gateway.calls.story import Call, read
from policies.models import PolicyVersion
from policies.pdp.analysis.passing import Way, would_pass
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.request import FACTS, FindingFact, Phase


@dataclass(frozen=True, slots=True)
class FactLine:
    """A fact that was not its default, and what it means."""

    name: str
    value: str
    doc: str


@dataclass(frozen=True, slots=True)
class FindingLine:
    """What a detector found in the request or the answer, without its text."""

    phase: Phase
    finding: FindingFact


@dataclass(frozen=True, slots=True)
class Mark:
    """When a step was done, from the start, and how long that was after the one before."""

    step: str
    at_us: int
    took_us: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A call explained. Where the policy cannot be rebuilt there are no `rulings`, and `unbuilt`
    says why. `way` is the nearest change with which a denied request would have passed.
    """

    call: Call
    sentence: str
    remedy: str
    steps: tuple[Step, ...]
    rulings: tuple[Ruling, ...]
    unbuilt: str
    facts: tuple[FactLine, ...]
    findings: tuple[FindingLine, ...]
    obligations: tuple[str, ...]
    contributions: tuple[tuple[str, int], ...]
    marks: tuple[Mark, ...]
    exemptions: tuple[str, ...] = ()
    compared: tuple[Compared, ...] = ()
    way: Way | None = None


def explain(
    records: Sequence[Record], stored: Iterable[PolicyVersion], models: Sequence[str] = ()
) -> Explanation:
    """Return the explanation of the call of these records; `models` are those that its app may ask
    for."""
    call = read(records)
    versions = [Version(row.policy.name, row.number, row.source, row.canonical) for row in stored]
    rulings, unbuilt, way = _rulings(call, versions, models)
    decision = call.deciding.get("decision", {})
    return Explanation(
        call=call,
        sentence=headline.sentence(call),
        remedy=headline.remedy(call),
        steps=steps(call),
        rulings=rulings,
        unbuilt=unbuilt,
        facts=_facts(call.deciding.get("facts", {}) | call.last.get("facts", {})),
        findings=tuple(_findings(call)),
        obligations=tuple(wording.obligation(item) for item in decision.get("obligations", [])),
        contributions=tuple((rule, points) for rule, points in decision.get("contributions", [])),
        marks=_marks(call.last.get("timings_us") or call.deciding.get("timings_us", {})),
        exemptions=_exemptions(call),
        compared=compared(call.deciding, call.last),
        way=way,
    )


def _rulings(
    call: Call, versions: Sequence[Version], models: Sequence[str]
) -> tuple[tuple[Ruling, ...], str, Way | None]:
    if "decision" not in call.deciding:
        return (), "Only the end of an attempt was recorded: nothing left the gateway.", None
    try:
        policy = rebuild(call.deciding, versions)
    except CannotRebuildError as error:
        return (), str(error), None
    at_s = instant(call.id).timestamp()
    found = [judge("request", call.deciding, policy, versions, at_s=at_s)]
    if call.last is not call.deciding and "decision" in call.last:
        found.append(judge("answer", call.last, policy, versions, at_s=at_s))
    return tuple(found), "", _way(found[0], call, policy, models)


def _way(ruling: Ruling, call: Call, policy: EffectivePolicy, models: Sequence[str]) -> Way | None:
    """Return what would have passed: only where the request was denied as it would be today."""
    denied = call.deciding["decision"]["effect"] == "deny"
    if not denied or ruling.differs or ruling.assumed or call.deciding.get("failed"):
        return None
    at_s = instant(call.id).timestamp()
    return would_pass(policy, slots_of(call.deciding["facts"]), models, at_s=at_s)


def _exemptions(call: Call) -> tuple[str, ...]:
    """Return the names of the exemptions by which a rule did not take part."""
    used = {*call.deciding.get("decision", {}).get("exemptions", ())}
    return tuple(sorted(used.union(call.last.get("decision", {}).get("exemptions", ()))))


def _facts(recorded: Mapping[str, Any]) -> tuple[FactLine, ...]:
    return tuple(
        FactLine(name, wording.value(recorded[name]), fact.doc)
        for name, fact in FACTS.items()
        if name in recorded and name not in FINDINGS
    )


def _findings(call: Call) -> Iterable[FindingLine]:
    for item in call.deciding.get("facts", {}).get("findings", []):
        yield FindingLine("request", FindingFact(*item))
    if call.last is not call.deciding:
        for item in call.last.get("findings", []):
            yield FindingLine("answer", FindingFact(*item))


def _marks(timings: Mapping[str, int]) -> tuple[Mark, ...]:
    found, before = [], 0
    for step, at_us in sorted(timings.items(), key=lambda mark: mark[1]):
        found.append(Mark(step, at_us, at_us - before))
        before = at_us
    return tuple(found)
