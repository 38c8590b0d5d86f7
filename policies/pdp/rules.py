"""One rule of a document: its keys to a `Rule`, and what a rule may not say. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from policies.pdp import fields
from policies.pdp.decision import DEFAULT_RULE
from policies.pdp.document import Deny, Mode, OnError, Rule
from policies.pdp.effects import (
    ADVICE,
    ANSWER_EFFECTS,
    EFFECTS,
    LATER,
    read_name,
    read_obligations,
)
from policies.pdp.expression.parser import parse_condition
from policies.pdp.expression.tokens import LENGTH_MAX, ExpressionError
from policies.pdp.expression.tree import ALWAYS, Expression, facts_read
from policies.pdp.fields import Fields, Read
from policies.pdp.message import MESSAGE_LENGTH_MAX, Message, not_yet_known, parse_message, plain
from policies.pdp.nodes import NOWHERE, Node, Place, Scalar, fault
from policies.pdp.request import FACTS, RISK_MAX, Phase

KEYS = ("id", "phase", "mode", "when", *EFFECTS, "on_error")

PHASES: tuple[Phase, ...] = ("request", "answer")

_MODES: tuple[Mode, ...] = ("enforce", "shadow", "disabled")
_ON_ERRORS: tuple[OnError, ...] = ("deny", "skip")
# Canonical text may be longer than what was written: blanks and escapes are added.
_CANONICAL_LENGTH_MAX = 8 * LENGTH_MAX
_NO_MESSAGE = plain("")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule, and where its id and its route stand."""

    rule: Rule
    id_at: Place
    route_at: Place


def read_rule(node: Node, kinds: frozenset[str] | None = None) -> PlacedRule:
    """Read one rule; raise PolicyError with all its faults."""
    keys = Fields(node, "a rule", KEYS, LATER)
    phase: Phase = keys.optional("phase", fields.choice(PHASES), "request")
    rule = Rule(
        id=keys.required("id", _read_id, ""),
        phase=phase,
        mode=keys.optional("mode", fields.choice(_MODES), "enforce"),
        when=keys.required("when", _read_condition, ALWAYS),
        deny=keys.optional("deny", _read_deny(phase), None),
        permit=keys.optional("permit", fields.only_true, default=False),
        obligations=read_obligations(keys, phase, kinds),
        risk=keys.optional("risk", fields.whole(1, RISK_MAX), 0),
        on_error=keys.optional("on_error", fields.choice(_ON_ERRORS), "deny"),
        line=keys.at[0],
    )
    _check_effects(rule, keys)
    _check_facts(rule, keys)
    keys.finish()
    route_at = keys.key_at("route") if "route" in keys else NOWHERE
    return PlacedRule(rule, keys.value_at("id"), route_at)


def _read_id(node: Node) -> str:
    rule_id = read_name(node)
    if rule_id == DEFAULT_RULE:
        raise fault(node.at, f"the id {DEFAULT_RULE} stands for the policy's own default")
    return rule_id


def _read_condition(node: Node) -> Expression:
    """Read a condition; a fault inside it stands at its character."""
    if not isinstance(node, Scalar):
        raise fault(node.at, "a condition is a text", "put the whole condition in quotes")
    if not node.text.strip():
        raise fault(node.at, "the condition is empty", "when: true holds always")
    longest = LENGTH_MAX if node.origin else _CANONICAL_LENGTH_MAX
    return _placed(node, lambda text: parse_condition(text, longest))


def _read_deny(phase: Phase) -> Read[Deny]:
    def read(node: Node) -> Deny:
        keys = Fields(node, "deny", ("message", "remedy"))
        message = keys.required("message", _read_message(phase, empty=False), _NO_MESSAGE)
        remedy = keys.optional("remedy", _read_message(phase, empty=True), _NO_MESSAGE)
        keys.finish()
        return Deny(message, remedy)

    return read


def _read_message(phase: Phase, *, empty: bool) -> Read[Message]:
    read_text = fields.text(MESSAGE_LENGTH_MAX, empty=empty)

    def read(node: Node) -> Message:
        return _placed(read_text(node), lambda text: parse_message(text, phase))

    return read


def _placed(node: Scalar, parse: Callable[[str], T]) -> T:
    try:
        return parse(node.text)
    except ExpressionError as error:
        raise fault(node.place(error.offset), error.message, error.hint) from None


def _check_effects(rule: Rule, keys: Fields) -> None:
    effects = [effect for effect in EFFECTS if effect in keys]
    if not effects and not any(key in keys for key in LATER):
        keys.note(keys.at, "the rule does nothing", f"give it one of {', '.join(EFFECTS)}")
    beside = [effect for effect in effects if effect not in ("deny", *ADVICE)]
    if "deny" in effects and beside:
        message = f"a rule that denies cannot {beside[0]} too"
        keys.note(keys.key_at(beside[0]), message, "write two rules")
    if rule.phase == "answer":
        for effect in effects:
            if effect not in ANSWER_EFFECTS:
                keys.note(keys.key_at(effect), f"{effect} is too late in the answer phase")


def _check_facts(rule: Rule, keys: Fields) -> None:
    """Refuse facts that are not known yet when the rule is judged."""
    condition = keys.node("when")
    if isinstance(condition, Scalar):
        for use in facts_read(rule.when):
            reason = _unknown_yet(rule, use.name)
            if reason:
                keys.note(condition.place(use.at), *reason)


def _unknown_yet(rule: Rule, fact: str) -> tuple[str, str] | None:
    if rule.phase == "request" and FACTS[fact].phase == "answer":
        return not_yet_known(fact)
    if fact == "risk" and rule.risk:
        return "a rule that adds risk cannot read risk", "write two rules"
    return None
