"""A policy as values: the document, its rules and its own tests. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.tree import Expression, facts_read
from policies.pdp.message import Message
from policies.pdp.obligations import (
    Cap,
    Json,
    K,
    Obligation,
    Redact,
    RouteTo,
    demand,
    kinds_written,
)
from policies.pdp.request import (
    FACTS,
    NAMED,
    NER,
    FactValue,
    FindingFact,
    Phase,
    detectors_of,
)

LANGUAGE = 1
"""The version of the canonical form."""

Mode = Literal["enforce", "shadow", "disabled"]
OnError = Literal["deny", "skip"]


@dataclass(frozen=True, slots=True)
class Deny:
    """The refusal: what the caller is told, and what would make the call pass (may be empty)."""

    message: Message
    remedy: Message


@dataclass(frozen=True, slots=True)
class Rule:
    """When the condition holds, the effects follow. `risk` 0 adds none. `line` 0: not known.

    `obligations` holds at most one of each kind, in the order of `obligations.KINDS`.
    """

    id: str
    phase: Phase
    mode: Mode
    when: Expression
    deny: Deny | None
    permit: bool
    obligations: tuple[Obligation, ...]
    risk: int
    on_error: OnError
    line: int = field(default=0, compare=False)

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of the facts that the condition reads, each once, in the order of the text."""
        return tuple(dict.fromkeys(use.name for use in facts_read(self.when)))

    @property
    def detectors(self) -> frozenset[str]:
        """The detectors that feed what the rule reads and takes out; `reliance.depends_on` tells
        those without which it cannot be judged or kept."""
        redact = self.redact
        found = detectors_of(self.reads) | (redact.detectors if redact else frozenset())
        return found | {NER} if self._asks_names(self.reads, NAMED) else found

    def asks_names(self, phase: Phase, entities: frozenset[str]) -> bool:
        """Tell whether names of these kinds, found in the text of that phase, matter to it."""
        read = (name for name in (*self.reads, *self.shows) if FACTS[name].phase == phase)
        taken = entities if self.phase == phase else frozenset[str]()
        return self._asks_names(read, taken)

    def _asks_names(self, reads: Iterable[str], taken: frozenset[str]) -> bool:
        """Tell whether one of the facts holds personal data, or such kinds are taken out."""
        redact = self.redact
        takes = redact is not None and any(redact.names(kind) for kind in taken)
        return takes or "pii" in detectors_of(reads)

    def demand(self, kind: type[K]) -> K | None:
        """Return what the rule demands of this kind."""
        return demand(self.obligations, kind)

    @property
    def redact(self) -> Redact | None:
        """What the rule takes out."""
        return self.demand(Redact)

    @property
    def cap(self) -> Cap | None:
        """What the rule bounds."""
        return self.demand(Cap)

    @property
    def route(self) -> RouteTo | None:
        """Where the rule sends the call."""
        return self.demand(RouteTo)

    @property
    def shows(self) -> tuple[str, ...]:
        """The names of the facts that its message and remedy show."""
        return self.deny.message.facts + self.deny.remedy.facts if self.deny else ()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a test expects. Unset parts are not looked at; an empty `redact` means every kind.

    `obliges` are keys of obligations that the decision must hold, whatever is in them.
    """

    deny: str | None = None
    permit: bool = False
    redact: frozenset[str] | None = None
    route: str | None = None
    cap: int | None = None
    obliges: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Case:
    """Facts of a call, by name, and what the policy alone must say of it."""

    name: str
    phase: Phase
    given: tuple[tuple[str, FactValue], ...]
    expect: Expectation
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Document:
    """One version of one policy. Equal documents have equal canonical bytes, and the other way."""

    name: str
    description: str
    default_permit: bool
    rules: tuple[Rule, ...]
    tests: tuple[Case, ...]
    source: str = field(default="", compare=False, repr=False)

    @cached_property
    def _canonical(self) -> bytes:
        value: dict[str, Json] = {
            "language": LANGUAGE,
            "policy": self.name,
            "description": self.description,
            "default": "permit" if self.default_permit else "deny",
            "rules": [_rule(rule) for rule in self.rules],
            "tests": [_test(test) for test in self.tests],
        }
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
        )
        return text.encode("utf-8")

    def canonical(self) -> bytes:
        """Return the canonical JSON: no positions, no comments, defaults written out."""
        return self._canonical

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal."""
        return hashlib.sha256(self._canonical).hexdigest()


def _rule(rule: Rule) -> dict[str, Json]:
    written: dict[str, Json] = {
        "id": rule.id,
        "phase": rule.phase,
        "mode": rule.mode,
        "when": format_condition(rule.when),
        "on_error": rule.on_error,
    }
    if rule.deny:
        written["deny"] = {"message": rule.deny.message.text, "remedy": rule.deny.remedy.text}
    if rule.permit:
        written["permit"] = True
    for obligation in rule.obligations:
        written[obligation.key] = obligation.written()
    if rule.risk:
        written["risk"] = rule.risk
    return written


def _test(test: Case) -> Json:
    return {
        "name": test.name,
        "phase": test.phase,
        "given": {name: _fact(value) for name, value in test.given},
        "expect": _expect(test.expect),
    }


def _fact(value: FactValue) -> Json:
    if isinstance(value, bool | int | float | str):
        return value
    return [_item(item) for item in value]


def _item(item: str | FindingFact) -> Json:
    return dict(item._asdict()) if isinstance(item, FindingFact) else item


def _expect(expect: Expectation) -> Json:
    parts: Mapping[str, Json] = {
        "deny": expect.deny,
        "permit": expect.permit or None,
        "redact": None if expect.redact is None else kinds_written(expect.redact),
        "route": expect.route,
        "cap": expect.cap,
        "obliges": list[Json](sorted(expect.obliges)) or None,
    }
    return {key: value for key, value in parts.items() if value is not None}
