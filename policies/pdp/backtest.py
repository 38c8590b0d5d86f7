"""What another policy would have said of calls that were recorded: no text, facts alone. Pure.

Both policies judge the same facts, at the instant of the call. A record tells only the facts that
its version of the schema has, that the detectors of its time looked for, and that its phases came
to; a call that lacks what either policy reads is counted as not comparable, never guessed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from policies.pdp.decision import Decision
from policies.pdp.document import Rule
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.expression.tree import texts
from policies.pdp.fact_history import facts_of
from policies.pdp.obligations import RouteTo
from policies.pdp.reliance import CUSTOM, relies_on_custom
from policies.pdp.request import FACTS, SLOTS, FactValue, Phase, detectors_of
from policies.pdp.rollout import Change, change
from policies.pdp.signals import NO_SIGNALS, Signals, signals_of

PHASES: tuple[Phase, ...] = ("request", "answer")
PATH_DEPENDENT = ("budget.", "rate.")
"""Facts that another course of events would have changed: a policy that denies more spends less."""

_TARGET = frozenset({"model.routed", "model.provider", "model.region"})
_HEADERS, _LINKS = "call.headers", "answer.links"
_RISK = SLOTS["risk"]


class Seen(NamedTuple):
    """What was looked for when a call was recorded: under which version of the fact schema, by
    which detectors in each phase, which headers, whether at answers at all, at their links, and
    which of the facts were made that are made where a rule reads them; guards of the tenant's own
    were asked only in the phases in which a rule `relies` on them."""

    schema: int
    detectors: frozenset[str] = frozenset()
    answer_detectors: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    answers: bool = False
    links: bool = False
    signals: Signals = NO_SIGNALS
    relies: frozenset[Phase] = frozenset()


def seen_by(policies: Iterable[EffectivePolicy], schema: int) -> Seen:
    """Return what is looked for while these policies hold."""
    held = tuple(policies)
    return Seen(
        schema=schema,
        detectors=frozenset[str]().union(*(policy.needs for policy in held)),
        answer_detectors=frozenset[str]().union(*(policy.answer_needs for policy in held)),
        headers=frozenset[str]().union(*(policy.headers for policy in held)),
        answers=any(policy.answer_rules for policy in held),
        links=any(policy.reads_links for policy in held),
        signals=signals_of(name for policy in held for name in policy.reads),
        relies=frozenset[Phase]().union(*(policy.relies for policy in held)),
    )


class Facts(NamedTuple):
    """The recorded facts of one phase, and the detectors that failed."""

    slots: Sequence[FactValue]
    failed: frozenset[str] = frozenset()


class Past(NamedTuple):
    """A call as it was recorded. `answered`: a provider's answer came, whether it was judged."""

    seen: Seen
    at_s: float
    request: Facts
    answer: Facts | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """What both say of a call: in the phase that tells them apart, else in the last one judged."""

    change: Change
    phase: Phase
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Lacking:
    """Why a call is not comparable: the facts that its record cannot tell, in order."""

    facts: tuple[str, ...]


class Comparison:
    """Two policies for the same calls: what holds, and what would.

    `guarded` are the phases whose texts the tenant's guards are asked about: there what was found
    depends on whether a rule of that time relied on it, and not only on its detectors.
    """

    def __init__(
        self,
        before: EffectivePolicy,
        after: EffectivePolicy,
        guarded: frozenset[Phase] = frozenset(),
    ) -> None:
        self.before, self.after = before, after
        self._guarded = guarded
        self._lacking: dict[tuple[Seen, Phase], tuple[str, ...]] = {}
        self._rules = {phase: tuple(_enforced((before, after), phase)) for phase in PHASES}

    @property
    def path_dependent(self) -> tuple[str, ...]:
        """The facts read that depend on what was decided before, so that a back-test only
        approximates them: of money and rates, and of who serves, where a route differs."""
        read = {name for rules in self._rules.values() for rule in rules for name in rule.reads}
        found = {name for name in read if name.startswith(PATH_DEPENDENT)}
        if _routes(self.before) != _routes(self.after):
            found |= read & _TARGET
        return tuple(sorted(found))

    def compare(self, past: Past) -> Compared | Lacking:
        """Judge a recorded call under both policies."""
        lacking = self._lacks(past.seen, "request")
        if lacking:
            return Lacking(lacking)
        found = self._judged("request", past, past.request)
        if not (found.before.permitted and found.after.permitted and self._rules["answer"]):
            return found
        if not past.answered or _target(found.before) != _target(found.after):
            return found  # nobody knows what another model would have answered
        lacking = self._lacks(past.seen, "answer")
        if lacking or past.answer is None:
            return Lacking(lacking or self._read("answer"))
        answer = self._judged("answer", past, past.answer, found)
        is_telling = answer.before.permitted != answer.after.permitted or found.change == "same"
        return answer if is_telling else found

    def _judged(
        self, phase: Phase, past: Past, facts: Facts, request: Compared | None = None
    ) -> Compared:
        before, after = (
            policy.decide(phase, slots, facts.failed, past.at_s)
            for policy, slots in zip(
                (self.before, self.after), _with_risk(facts.slots, request), strict=True
            )
        )
        return Compared(change(before, after), phase, before, after)

    def _lacks(self, seen: Seen, phase: Phase) -> tuple[str, ...]:
        key = (seen, phase)
        known = self._lacking.get(key)
        if known is None:
            known = self._lacking[key] = self._find_lacking(seen, phase)
        return known

    def _find_lacking(self, seen: Seen, phase: Phase) -> tuple[str, ...]:
        had, read = facts_of(seen.schema), self._read(phase)
        lacking = {name for name in read if name not in had or not _was_found(name, seen)}
        named = {
            text.lower()
            for rule in self._rules[phase]
            if _HEADERS in rule.reads
            for text in texts(rule.when)
        }
        if named - seen.headers:
            lacking.add(_HEADERS)
        lacking.update(self._unasked(seen, phase))
        return tuple(sorted(lacking))

    def _unasked(self, seen: Seen, phase: Phase) -> Iterator[str]:
        """Yield the facts read that guards would have had a part in, had they been asked."""
        for text in self._guarded - seen.relies:
            for rule in self._rules[phase]:
                if relies_on_custom(rule, text):
                    yield from (name for name in rule.reads if CUSTOM in detectors_of([name], text))

    def _read(self, phase: Phase) -> tuple[str, ...]:
        return tuple(sorted({name for rule in self._rules[phase] for name in rule.reads}))


def _was_found(name: str, seen: Seen) -> bool:
    """Return whether somebody looked: a fact that nobody looked for has its default."""
    if (name == _LINKS and not seen.links) or not seen.signals.has(name):
        return False
    if FACTS[name].phase == "answer" and not seen.answers:
        return False
    return (
        detectors_of([name], "request") <= seen.detectors
        and detectors_of([name], "answer") <= seen.answer_detectors
    )


def _with_risk(
    slots: Sequence[FactValue], request: Compared | None
) -> tuple[Sequence[FactValue], Sequence[FactValue]]:
    """Return the facts for each policy: in the answer phase each knows the risk that it found."""
    if request is None:
        return slots, slots
    before, after = list(slots), list(slots)
    before[_RISK], after[_RISK] = request.before.risk, request.after.risk
    return before, after


def _enforced(policies: Iterable[EffectivePolicy], phase: Phase) -> Iterator[Rule]:
    for policy in policies:
        for layered in policy.layered:
            for rule in layered.document.rules:
                if rule.phase == phase and rule.mode == "enforce":
                    yield rule


def _routes(policy: EffectivePolicy) -> frozenset[tuple[str, str]]:
    routing = (rule for rule in _enforced([policy], "request") if rule.route is not None)
    return frozenset((rule.route.model, str(rule.when)) for rule in routing if rule.route)


def _target(decision: Decision) -> str:
    route = decision.demand(RouteTo)
    return "" if route is None else route.model
