"""The tests that a document carries: `given` facts, `expect` an outcome. Pure.

`given` names facts exactly as conditions do; what is not given has its default, and nothing is
derived: findings that are given do not count themselves in pii.count.
"""

import sys
from collections.abc import Callable, Mapping

from policies.pdp import fields
from policies.pdp.decision import DEFAULT_RULE
from policies.pdp.document import Case, Expectation
from policies.pdp.effects import OBLIGATIONS, TOKENS_MAX, read_kinds, read_model, read_name
from policies.pdp.fields import Fields, Read
from policies.pdp.message import not_yet_known
from policies.pdp.nodes import Node, fault
from policies.pdp.problem import closest
from policies.pdp.request import FACTS, FactType, FactValue, FindingFact, Phase
from policies.pdp.rules import PHASES

NAME_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 4096
ITEMS_MAX = 200

_INT_MAX = 2**63 - 1
_EXPECT_KEYS = ("deny", "permit", "redact", "route", "cap", "obliges")
_FINDING_KEYS = ("kind", "category", "score", "place", "count")


def read_case(rule_ids: frozenset[str] | None) -> Read[Case]:
    """Read one test; where the rules are known, `deny` names one of them or the default."""

    def read(node: Node) -> Case:
        keys = Fields(node, "a test", ("name", "phase", "given", "expect"))
        phase: Phase = keys.optional("phase", fields.choice(PHASES), "request")
        case = Case(
            name=keys.required("name", _read_title, ""),
            phase=phase,
            given=keys.optional("given", _read_given(phase), ()),
            expect=keys.required("expect", _read_expect(rule_ids), Expectation()),
            line=keys.at[0],
        )
        keys.finish()
        return case

    return read


def _read_title(node: Node) -> str:
    return fields.text(NAME_LENGTH_MAX)(node).text


def _read_given(phase: Phase) -> Read[tuple[tuple[str, FactValue], ...]]:
    def read(node: Node) -> tuple[tuple[str, FactValue], ...]:
        keys = Fields(node, "given", FACTS)
        given = []
        for name, fact in FACTS.items():
            if name in keys:
                if phase == "request" and fact.phase == "answer":
                    keys.note(keys.key_at(name), *not_yet_known(name))
                if phase == "request" and name == "risk":
                    hint = "give the facts that add it"
                    keys.note(keys.key_at(name), "risk is computed in the request phase", hint)
                given.append((name, keys.required(name, _FACT_READERS[fact.type], fact.default)))
        keys.finish()
        return tuple(given)

    return read


def _read_text(node: Node) -> str:
    return fields.text(TEXT_LENGTH_MAX, empty=True)(node).text


def _read_finding(node: Node) -> FindingFact:
    keys = Fields(node, "a finding", _FINDING_KEYS)
    finding = FindingFact(
        kind=keys.required("kind", _read_text, ""),
        category=keys.required("category", _read_text, ""),
        score=keys.required("score", fields.decimal(0.0, 1.0), 0.0),
        place=keys.optional("place", _read_text, "user"),
        count=keys.optional("count", fields.whole(1, _INT_MAX), 1),
    )
    keys.finish()
    return finding


_FACT_READERS: Mapping[FactType, Read[FactValue]] = {
    "bool": fields.flag,
    "int": fields.whole(-_INT_MAX - 1, _INT_MAX),
    "double": fields.decimal(-sys.float_info.max, sys.float_info.max),
    "string": _read_text,
    "list<string>": fields.listing(_read_text, ITEMS_MAX),
    "list<finding>": fields.listing(_read_finding, ITEMS_MAX),
}


def _read_obliges(node: Node) -> frozenset[str]:
    return frozenset(fields.listing(fields.choice(OBLIGATIONS), len(OBLIGATIONS))(node))


def _read_expect(rule_ids: frozenset[str] | None) -> Read[Expectation]:
    def read(node: Node) -> Expectation:
        keys = Fields(node, "expect", _EXPECT_KEYS)
        expect = Expectation(
            deny=keys.optional("deny", _read_rule_id(rule_ids), None),
            permit=keys.optional("permit", fields.only_true, default=False),
            redact=keys.optional("redact", read_kinds(), None),
            route=keys.optional("route", read_model, None),
            cap=keys.optional("cap", fields.whole(1, TOKENS_MAX), None),
            obliges=keys.optional("obliges", _read_obliges, frozenset()),
        )
        present = [key for key in _EXPECT_KEYS if key in keys]
        if not present:
            keys.note(keys.at, "the test expects nothing", "as in expect: {permit: true}")
        if "deny" in present and len(present) > 1:
            keys.note(keys.key_at("deny"), "a call that is denied is nothing else too")
        keys.finish()
        return expect

    return read


def _read_rule_id(rule_ids: frozenset[str] | None) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        rule_id = read_name(node)
        if rule_ids is not None and rule_id not in rule_ids | {DEFAULT_RULE}:
            raise fault(node.at, f'no rule has the id "{rule_id}"', closest(rule_id, rule_ids))
        return rule_id

    return read
