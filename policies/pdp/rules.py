"""One rule of a document: its keys to a `Rule`, and what a rule may not say. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from policies.pdp import fields
from policies.pdp.decision import DEFAULT_RULE, REDACT_METHODS, CapOutputTokens, Redact, RouteTo
from policies.pdp.document import Deny, Mode, OnError, Rule
from policies.pdp.expression.parser import parse_condition
from policies.pdp.expression.tokens import LENGTH_MAX, ExpressionError
from policies.pdp.expression.tree import ALWAYS, Expression, facts_read
from policies.pdp.fields import Fields, Read
from policies.pdp.message import MESSAGE_LENGTH_MAX, Message, not_yet_known, parse_message, plain
from policies.pdp.nodes import NOWHERE, Node, Place, Scalar, fault
from policies.pdp.problem import closest
from policies.pdp.request import FACTS, RISK_MAX, Phase

EFFECTS = ("deny", "permit", "redact", "cap", "route", "risk")
KEYS = ("id", "phase", "mode", "when", *EFFECTS, "on_error")
LATER = (
    "allow_models",
    "allow_regions",
    "allow_tools",
    "sanitise",
    "require_approval",
    "add_system_prompt",
    "set_default",
    "tag",
    "notify",
    "require",
)
REQUEST_EFFECTS = ("permit", "cap", "route", "risk")
"""Effects on a request: a rule of the answer phase comes too late for them."""

MIN_SCORE_DEFAULT = 0.4
TOKENS_MAX = 10_000_000
KINDS_MAX = 200

PHASES: tuple[Phase, ...] = ("request", "answer")

_MODES: tuple[Mode, ...] = ("enforce", "shadow", "disabled")
_ON_ERRORS: tuple[OnError, ...] = ("deny", "skip")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_KIND = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_MODEL = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
# Canonical text may be longer than what was written: blanks and escapes are added.
_CANONICAL_LENGTH_MAX = 8 * LENGTH_MAX
_NO_MESSAGE = plain("")

T = TypeVar("T")

read_name = fields.word(_NAME, "a name: up to 63 letters, digits and . _ -, no sign first")
read_model = fields.word(_MODEL, "a model name: up to 200 characters, no blanks")


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule, and where its id and its route stand."""

    rule: Rule
    id_at: Place
    route_at: Place


def read_kinds(known: frozenset[str] | None = None) -> Read[frozenset[str]]:
    """Read `all` (the empty set) or a list of kinds; only `known` ones, where these are given."""
    shaped = fields.word(_KIND, "a kind such as EMAIL_ADDRESS")

    def read_kind(node: Node) -> str:
        kind = shaped(node)
        if known is not None and kind not in known:
            raise fault(node.at, f"no detector finds {kind}", closest(kind, known))
        return kind

    read_list = fields.listing(read_kind, KINDS_MAX)

    def read(node: Node) -> frozenset[str]:
        if isinstance(node, Scalar) and node.value == "all":
            return frozenset()
        kinds = read_list(node)
        if not kinds:
            raise fault(node.at, "the list is empty", "write all for every kind")
        return frozenset(kinds)

    return read


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
        redact=keys.optional("redact", _read_redact(kinds), None),
        cap=keys.optional("cap", _read_cap, None),
        route=keys.optional("route", lambda route: RouteTo(read_model(route)), None),
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


def _read_redact(known: frozenset[str] | None) -> Read[Redact]:
    def read(node: Node) -> Redact:
        keys = Fields(node, "redact", ("kinds", "min_score", "method"), ("links",))
        redact = Redact(
            kinds=keys.optional("kinds", read_kinds(known), frozenset()),
            min_score=keys.optional("min_score", fields.decimal(0.0, 1.0), MIN_SCORE_DEFAULT),
            method=keys.optional("method", fields.choice(REDACT_METHODS, ("placeholder",)), "mask"),
        )
        keys.finish()
        return redact

    return read


def _read_cap(node: Node) -> CapOutputTokens:
    later = ("n", "temperature", "messages", "bytes")
    keys = Fields(node, "cap", ("max_output_tokens",), later)
    tokens = keys.required("max_output_tokens", fields.whole(1, TOKENS_MAX), 0)
    keys.finish()
    return CapOutputTokens(tokens)


def _placed(node: Scalar, parse: Callable[[str], T]) -> T:
    try:
        return parse(node.text)
    except ExpressionError as error:
        raise fault(node.place(error.offset), error.message, error.hint) from None


def _check_effects(rule: Rule, keys: Fields) -> None:
    effects = [effect for effect in EFFECTS if effect in keys]
    if not effects and not any(key in keys for key in LATER):
        keys.note(keys.at, "the rule does nothing", f"give it one of {', '.join(EFFECTS)}")
    if "deny" in effects and len(effects) > 1:
        message = f"a rule that denies cannot {effects[1]} too"
        keys.note(keys.key_at(effects[1]), message, "write two rules")
    if rule.phase == "answer":
        for effect in REQUEST_EFFECTS:
            if effect in effects:
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
