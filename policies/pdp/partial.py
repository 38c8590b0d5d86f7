"""What can still apply to one caller: conditions with the facts that are known put in. Pure.

A part of a condition whose facts are all known has its value; what remains is the condition that
is left. The facts of a key (tenant, app, tier, key) are the same for all of its calls, so this says
what the policy of that key is, in data and in words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from policies.pdp.decision import RuleRef
from policies.pdp.document import Mode, Rule
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.tree import (
    ALWAYS,
    Constant,
    Expression,
    Operation,
    facts_read,
)
from policies.pdp.obligations import Json
from policies.pdp.program import bind
from policies.pdp.request import DEFAULTS, SLOTS, FactValue, Phase
from policies.pdp.rules import PHASES
from policies.pdp.wording import effects

CALLER = ("tenant.name", "app.name", "app.tier", "key.id", "key.name")
"""The facts that are the same for every call of a key."""

Standing = Literal["always", "never", "depends", "disabled"]

_NEVER: Expression = Constant(value=False, type="bool")
_WHEN: Mapping[Standing, str] = {
    "always": "On every call",
    "never": "On no call of this caller",
    "disabled": "On no call, being disabled",
}


@dataclass(frozen=True, slots=True)
class Remaining:
    """One rule for one caller: whether it applies, and the condition on which it depends still."""

    ref: RuleRef
    phase: Phase
    mode: Mode
    standing: Standing
    when: str
    effects: tuple[str, ...]
    exemptions: tuple[str, ...]

    @property
    def words(self) -> str:
        """Return the rule as a sentence."""
        when = _WHEN.get(self.standing, f"Where {self.when}")
        shadow = " (in shadow: nothing happens)" if self.mode == "shadow" else ""
        free = f" Exempt by {', '.join(self.exemptions)}." if self.exemptions else ""
        said = "; ".join(self.effects).rstrip(".")
        return f"{when}: {said}{shadow}.{free}"

    def written(self) -> dict[str, Json]:
        """Return the rule as data."""
        return {
            "layer": self.ref.layer,
            "policy": self.ref.policy,
            "rule": self.ref.rule,
            "phase": self.phase,
            "mode": self.mode,
            "standing": self.standing,
            "when": self.when,
            "effects": list[Json](self.effects),
            "exemptions": list[Json](self.exemptions),
            "words": self.words,
        }


@dataclass(frozen=True, slots=True)
class CallerPolicy:
    """What holds for one caller. `closed` are policies that deny what no rule of them permits."""

    hash: str
    labels: tuple[str, ...]
    rules: tuple[Remaining, ...]
    closed: tuple[str, ...]

    @property
    def applicable(self) -> tuple[Remaining, ...]:
        """The rules that can match a call of this caller."""
        return tuple(rule for rule in self.rules if rule.standing in ("always", "depends"))

    def written(self) -> dict[str, Json]:
        """Return it as data."""
        return {
            "hash": self.hash,
            "policies": list[Json](self.labels),
            "closed": list[Json](self.closed),
            "rules": [rule.written() for rule in self.rules],
        }


def for_caller(
    policy: EffectivePolicy, known: Mapping[str, FactValue], at_s: float | None = None
) -> CallerPolicy:
    """Return what the policies say of a caller with these facts; the others may be anything.

    Exemptions in force at `at_s` (UTC epoch seconds) are named; without an instant none is.
    """
    slots = list(DEFAULTS)
    for name, value in known.items():
        slots[SLOTS[name]] = value
    free: dict[str, list[str]] = {}
    for exemption in policy.exemptions:
        if at_s is not None and exemption.covers(slots, at_s):
            for rule in exemption.rules:
                free.setdefault(rule, []).append(exemption.name)
    names = frozenset(known)
    rules = tuple(
        _remaining(item.ref, item.rule, residual(item.rule.when, slots, names), free)
        for phase in PHASES
        for item in bind(policy.layered, phase)
    )
    closed = [layered for layered in policy.layered if not layered.document.default_permit]
    return CallerPolicy(
        policy.hash, policy.labels, rules, tuple(layered.name for layered in closed)
    )


def residual(
    condition: Expression, slots: Sequence[FactValue], known: frozenset[str]
) -> Expression:
    """Return a condition that has the same value for all facts that agree with the known ones."""
    names = {use.name for use in facts_read(condition)}
    if names <= known:
        return ALWAYS if evaluate(condition, slots) else _NEVER
    if isinstance(condition, Operation) and condition.operator in ("&&", "||", "!"):
        parts = [residual(operand, slots, known) for operand in condition.operands]
        return _simplified(condition, parts)
    return condition


def _simplified(condition: Operation, parts: list[Expression]) -> Expression:
    if condition.operator == "!":
        if parts[0] in (ALWAYS, _NEVER):
            return _NEVER if parts[0] == ALWAYS else ALWAYS
        return Operation("!", (parts[0],), "bool")
    # What decides the whole by itself, and what leaves it to the others.
    decides, leaves = (_NEVER, ALWAYS) if condition.operator == "&&" else (ALWAYS, _NEVER)
    if decides in parts:
        return decides
    open_parts = tuple(_flat(condition, (part for part in parts if part != leaves)))
    if not open_parts:
        return leaves
    return (
        open_parts[0] if len(open_parts) == 1 else Operation(condition.operator, open_parts, "bool")
    )


def _flat(condition: Operation, parts: Iterable[Expression]) -> Iterable[Expression]:
    """Splice in operands of the same operator, as the parser does."""
    for part in parts:
        if isinstance(part, Operation) and part.operator == condition.operator:
            yield from part.operands
        else:
            yield part


def _remaining(
    ref: RuleRef, rule: Rule, left: Expression, free: Mapping[str, list[str]]
) -> Remaining:
    standing: Standing = "always" if left == ALWAYS else "never" if left == _NEVER else "depends"
    return Remaining(
        ref=ref,
        phase=rule.phase,
        mode=rule.mode,
        standing="disabled" if rule.mode == "disabled" else standing,
        when=format_condition(left),
        effects=effects(rule),
        exemptions=tuple(sorted(free.get(str(ref), ()))),
    )
