"""All policies that hold for a call, compiled together: `decide` fast, `explain` in full. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from policies.pdp.combine import BoundRule
from policies.pdp.decision import LAYERS, Decision, Layer, RuleRef
from policies.pdp.document import Mode, Rule
from policies.pdp.engine import ENGINE_VERSION
from policies.pdp.problem import PolicyError, Problem
from policies.pdp.program import Layered, Program, bind
from policies.pdp.request import (
    DETECTORS,
    SCHEMA_VERSION,
    SLOTS,
    FactValue,
    Phase,
    detectors_of,
)

NO_FAILURE: frozenset[str] = frozenset()

RuleOutcome = Literal["matched", "not_matched", "failed", "skipped", "disabled"]


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What became of one rule, and the facts that its condition read.

    A rule that depends on a failed detector has `failed` (it denies then) or `skipped`.
    """

    ref: RuleRef
    line: int
    mode: Mode
    outcome: RuleOutcome
    facts: tuple[tuple[str, FactValue], ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """The decision with all rules of the phase, in the order of layers, policies and text."""

    phase: Phase
    decision: Decision
    rules: tuple[RuleTrace, ...]


class EffectivePolicy:
    """The policies of all layers as one. It never changes; its decisions depend on facts alone.

    Raises PolicyError where two policies of one layer have one name, or two enforced rules of one
    layer route.
    """

    def __init__(self, layered: Sequence[Layered]) -> None:
        self.layered = _arrange(layered)
        problems = (*_names_twice(self.layered), *_routes_twice(self.layered))
        if problems:
            raise PolicyError(problems)
        self._whole: Mapping[Phase, Program] = {
            "request": Program(self.layered, "request", NO_FAILURE),
            "answer": Program(self.layered, "answer", NO_FAILURE),
        }
        self._impaired: dict[tuple[Phase, frozenset[str]], Program] = {}

    def decide(
        self, phase: Phase, slots: Sequence[FactValue], failed: frozenset[str] = NO_FAILURE
    ) -> Decision:
        """Return the decision on these facts. The slots are not changed.

        In the request phase `risk` is computed and its slot is ignored; in the answer phase the
        slot must hold the risk of the request's decision. `failed` names the detectors without a
        result for the facts that are read, the request's in the answer phase too.
        """
        program = self._program(phase, failed) if failed else self._whole[phase]
        mask = program.match(slots)
        return program.ready.get(mask) or program.resolve(mask, slots)

    def explain(
        self, phase: Phase, slots: Sequence[FactValue], failed: frozenset[str] = NO_FAILURE
    ) -> Trace:
        """Return what `decide` returns, as the interpreter finds it, with the reasons."""
        program = self._program(phase, failed)
        mask, seen = program.interpret(slots)
        decision = program.outcome(mask).worded(slots, computed_risk=program.adds_risk)
        matched = {item.ref for bit, item in enumerate(program.judged) if mask >> bit & 1}
        rules = tuple(
            RuleTrace(
                ref=item.ref,
                line=item.rule.line,
                mode=item.rule.mode,
                outcome=_outcome(item, matched, failed),
                facts=tuple((name, seen[SLOTS[name]]) for name in item.reads),
            )
            for item in program.bound
        )
        return Trace(phase, decision, rules)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all that a decision depends on beside the facts, in hexadecimal."""
        return self.hash_under(SCHEMA_VERSION)

    def hash_under(self, schema: int) -> str:
        """Return the hash of the same policies with the facts of another version of the schema."""
        policies = [
            [policy.layer, policy.name, policy.version, policy.document.hash]
            for policy in self.layered
        ]
        whole = {"engine": ENGINE_VERSION, "facts": schema, "policies": policies}
        text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Every policy as "name@version", the platform's first."""
        return tuple(f"{policy.name}@{policy.version}" for policy in self.layered)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The detectors that must run on the request, for rules of either phase."""
        return self._detectors("request")

    @cached_property
    def answer_needs(self) -> frozenset[str]:
        """The detectors that must run on the answer."""
        return self._detectors("answer")

    @cached_property
    def answer_rules(self) -> bool:
        """True where a rule that is not disabled judges answers."""
        return any(rule.phase == "answer" for rule in self._active())

    def _detectors(self, phase: Phase) -> frozenset[str]:
        needed: frozenset[str] = frozenset()
        for rule in self._active():
            needed |= detectors_of((*rule.reads, *rule.shows), phase)
            if rule.redact and rule.phase == phase:
                needed |= {"pii"}
        return needed

    def _active(self) -> Iterable[Rule]:
        for policy in self.layered:
            yield from (rule for rule in policy.document.rules if rule.mode != "disabled")

    def _program(self, phase: Phase, failed: frozenset[str]) -> Program:
        """Return the program for these failures; they are few, so each is compiled once."""
        known = failed & DETECTORS
        if not known:
            return self._whole[phase]
        key = (phase, known)
        if key not in self._impaired:
            self._impaired[key] = Program(self.layered, phase, known)
        return self._impaired[key]


def _outcome(item: BoundRule, matched: set[RuleRef], failed: frozenset[str]) -> RuleOutcome:
    if item.rule.mode == "disabled":
        return "disabled"
    if item.detectors & failed:
        return "failed" if item.rule.on_error == "deny" else "skipped"
    return "matched" if item.ref in matched else "not_matched"


def _arrange(layered: Sequence[Layered]) -> tuple[Layered, ...]:
    """Sort by layer and name; a version attached at several layers counts at the highest."""
    ordered = sorted(layered, key=lambda policy: (_rank(policy.layer), policy.name, policy.version))
    first: dict[tuple[str, int, str], Layered] = {}
    for policy in ordered:
        first.setdefault((policy.name, policy.version, policy.document.hash), policy)
    return tuple(first.values())


def _rank(layer: Layer) -> int:
    return LAYERS.index(layer)


def _names_twice(layered: Sequence[Layered]) -> Iterable[Problem]:
    seen: set[tuple[Layer, str]] = set()
    for policy in layered:
        if (policy.layer, policy.name) in seen:
            message = f"the layer {policy.layer} has two versions of the policy {policy.name}"
            yield Problem(0, 0, message)
        seen.add((policy.layer, policy.name))


def _routes_twice(layered: Sequence[Layered]) -> Iterable[Problem]:
    routing = [
        item for item in bind(layered, "request") if item.rule.route and item.rule.mode == "enforce"
    ]
    for layer in LAYERS:
        refs = [str(item.ref) for item in routing if item.ref.layer == layer]
        if len(refs) > 1:
            yield Problem(0, 0, f"the layer {layer} has more than one route: {', '.join(refs)}")


__all__ = ["EffectivePolicy", "Layered", "RuleOutcome", "RuleTrace", "Trace"]
