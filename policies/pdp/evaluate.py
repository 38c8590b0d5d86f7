"""All policies that hold for a call, compiled together: `decide` fast, `explain` in full. Pure."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from policies.pdp.combine import BoundRule
from policies.pdp.decision import LAYERS, Decision, Layer, RuleRef
from policies.pdp.document import Mode, Rule
from policies.pdp.effects import PROMPTS_LENGTH_MAX
from policies.pdp.engine import ENGINE_VERSION
from policies.pdp.exemption import Exempt, Exemption, exempt
from policies.pdp.expression.tree import texts
from policies.pdp.locality import gathering
from policies.pdp.obligations import AddSystemPrompt, Require
from policies.pdp.problem import PolicyError, Problem
from policies.pdp.program import Layered, Program, bind
from policies.pdp.reliance import CUSTOM, relies_on_custom
from policies.pdp.request import (
    DETECTORS,
    NER,
    SCHEMA_VERSION,
    SLOTS,
    FactValue,
    Phase,
    detectors_of,
)
from policies.pdp.signals import Signals, signals_of

NO_FAILURE: frozenset[str] = frozenset()
FOREVER = math.inf
"""The instant at which every exemption has expired."""

RuleOutcome = Literal["matched", "not_matched", "failed", "skipped", "disabled", "exempt"]


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What became of one rule, and the facts that its condition read.

    A rule that depends on a failed detector has `failed` (it denies then) or `skipped`; one that an
    exemption keeps out has `exempt`, whether it matches or not.
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

    `entities` are the kinds of names that a model finds for the tenant (of `request.NAMED`); by
    default it finds none.

    Raises PolicyError where two policies of one layer have one name, two enforced rules of one
    layer route, or all enforced rules together add too long a system prompt.
    """

    def __init__(
        self,
        layered: Sequence[Layered],
        exemptions: Sequence[Exemption] = (),
        entities: Iterable[str] = (),
    ) -> None:
        self.layered = _arrange(layered)
        self._entities = frozenset(entities)
        self.exemptions = tuple(sorted(exemptions, key=lambda exemption: exemption.name))
        problems = (
            *_names_twice(self.layered),
            *_routes_twice(self.layered),
            *_prompts_too_long(self.layered),
        )
        if problems:
            raise PolicyError(problems)
        self._whole: Mapping[Phase, Program] = {
            "request": Program(self.layered, "request", NO_FAILURE),
            "answer": Program(self.layered, "answer", NO_FAILURE),
        }
        self._impaired: dict[tuple[Phase, frozenset[str], Exempt], Program] = {}

    def decide(
        self,
        phase: Phase,
        slots: Sequence[FactValue],
        failed: frozenset[str] = NO_FAILURE,
        at_s: float = FOREVER,
    ) -> Decision:
        """Return the decision on these facts. The slots are not changed.

        In the request phase `risk` is computed and its slot is ignored; in the answer phase the
        slot must hold the risk of the request's decision. `failed` names the detectors without a
        result for the facts that are read, the request's in the answer phase too. `at_s` is the
        instant of the call in UTC epoch seconds: without it no exemption holds.
        """
        if failed or self.exemptions:
            program = self._program(phase, failed, exempt(self.exemptions, slots, at_s))
        else:
            program = self._whole[phase]
        mask = program.match(slots)
        return program.ready.get(mask) or program.resolve(mask, slots)

    def explain(
        self,
        phase: Phase,
        slots: Sequence[FactValue],
        failed: frozenset[str] = NO_FAILURE,
        at_s: float = FOREVER,
    ) -> Trace:
        """Return what `decide` returns, as the interpreter finds it, with the reasons."""
        free = exempt(self.exemptions, slots, at_s)
        program = self._program(phase, failed, free)
        mask, seen = program.interpret(slots)
        decision = program.outcome(mask).settled(phase, slots)
        matched = {item.ref for bit, item in enumerate(program.judged) if mask >> bit & 1}
        rules = tuple(
            RuleTrace(
                ref=item.ref,
                line=item.rule.line,
                mode=item.rule.mode,
                outcome=_outcome(item, matched, failed, {rule for rule, _ in free}),
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
        if self.exemptions:
            whole["exemptions"] = [exemption.written() for exemption in self.exemptions]
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
    def relies(self) -> frozenset[Phase]:
        """The phases in whose texts findings of a tenant's own detectors can matter to a rule."""
        rules = tuple(self._active())
        return frozenset(
            phase for phase in self._whole if any(relies_on_custom(rule, phase) for rule in rules)
        )

    @cached_property
    def recalls(self) -> frozenset[str]:
        """The detectors whose failure on a request matters to a rule of the answer too."""
        found = frozenset[str]()
        for rule in self._active():
            if rule.phase == "answer":
                relies = relies_on_custom(rule, "request")
                found |= detectors_of(rule.reads, "request") - (NO_FAILURE if relies else {CUSTOM})
        return found | {NER} if "pii" in found else found

    @cached_property
    def holds_relying(self) -> bool:
        """True where such findings in answers can matter to an enforced rule."""
        enforced = (rule for rule in self._active() if rule.mode == "enforce")
        return any(relies_on_custom(rule, "answer") for rule in enforced)

    @cached_property
    def answer_rules(self) -> bool:
        """True where a rule that is not disabled judges answers."""
        return any(rule.phase == "answer" for rule in self._active())

    @cached_property
    def gathers(self) -> tuple[str, ...]:
        """Why a stream must be gathered whole before any of it may leave; () where it need not."""
        return gathering(bind(self.layered, "answer"), self._entities)

    @cached_property
    def holds(self) -> bool:
        """True where an enforced rule judges answers, so that a stream is looked through."""
        return any(rule.phase == "answer" and rule.mode == "enforce" for rule in self._active())

    @cached_property
    def headers(self) -> frozenset[str]:
        """The names of the headers, in lower case, that rules require or ask for."""
        named: set[str] = set()
        for rule in self._active():
            require = rule.demand(Require)
            named |= require.headers if require else set()
            if "call.headers" in rule.reads:
                named |= {text.lower() for text in texts(rule.when)}
        return frozenset(named)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names of the facts that a rule which is not disabled reads or shows."""
        return frozenset(name for rule in self._active() for name in (*rule.reads, *rule.shows))

    @cached_property
    def reads_links(self) -> bool:
        """True where a rule reads where the links of an answer lead to."""
        return "answer.links" in self.reads

    @cached_property
    def signals(self) -> Signals:
        """The facts that are made because a rule reads them."""
        return signals_of(self.reads)

    @cached_property
    def redacts_links(self) -> bool:
        """True where a rule takes the links out of answers."""
        return any(rule.redact is not None and rule.redact.links for rule in self._active())

    def asks_names(self, phase: Phase, entities: frozenset[str]) -> bool:
        """Tell whether names of these kinds, found in the text of that phase, matter to a rule."""
        return bool(entities) and any(rule.asks_names(phase, entities) for rule in self._active())

    def _detectors(self, phase: Phase) -> frozenset[str]:
        needed: frozenset[str] = frozenset()
        for rule in self._active():
            needed |= detectors_of((*rule.reads, *rule.shows), phase)
            if rule.redact and rule.phase == phase:
                needed |= rule.redact.detectors
        return needed | {NER} if self.asks_names(phase, self._entities) else needed

    def _active(self) -> Iterable[Rule]:
        for policy in self.layered:
            yield from (rule for rule in policy.document.rules if rule.mode != "disabled")

    def _program(self, phase: Phase, failed: frozenset[str], free: Exempt) -> Program:
        """Return the program for these failures and exemptions; they are few, so each is compiled
        once."""
        known = failed & (DETECTORS | {NER})
        if not known and not free:
            return self._whole[phase]
        key = (phase, known, free)
        if key not in self._impaired:
            self._impaired[key] = Program(self.layered, phase, known, free)
        return self._impaired[key]


def _outcome(
    item: BoundRule, matched: set[RuleRef], failed: frozenset[str], free: set[str]
) -> RuleOutcome:
    if item.rule.mode == "disabled":
        return "disabled"
    if item.rule.mode == "enforce" and str(item.ref) in free:
        return "exempt"
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


def _prompts_too_long(layered: Sequence[Layered]) -> Iterable[Problem]:
    texts = {
        prompt.texts[0]
        for item in bind(layered, "request")
        if item.rule.mode == "enforce" and (prompt := item.rule.demand(AddSystemPrompt))
    }
    length = sum(map(len, texts))
    if length > PROMPTS_LENGTH_MAX:
        message = f"add_system_prompt adds up to {length} characters, and {PROMPTS_LENGTH_MAX} is"
        yield Problem(0, 0, f"{message} the most that all rules together may add")


__all__ = ["EffectivePolicy", "Layered", "RuleOutcome", "RuleTrace", "Trace"]
