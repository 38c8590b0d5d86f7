"""The policy language: text to a checked document, and back from its stored form. Pure."""

from collections.abc import Iterable
from typing import Literal

from policies.pdp import fields
from policies.pdp.canonical import read_json
from policies.pdp.cases import read_case
from policies.pdp.document import LANGUAGE, Case, Deny, Document, Expectation, Rule
from policies.pdp.effects import read_name
from policies.pdp.expression.tree import Operation, walk
from policies.pdp.fields import Fields
from policies.pdp.nodes import NOWHERE, Node, fault
from policies.pdp.problem import PolicyError, Problem
from policies.pdp.rules import PlacedRule, read_rule
from policies.pdp.yaml_text import read_yaml

RULES_MAX = 500
TESTS_MAX = 500
PATTERNS_MAX = 200
DESCRIPTION_LENGTH_MAX = 2000

_KEYS = ("policy", "description", "default", "rules", "tests")
_DEFAULTS: tuple[Literal["permit", "deny"], ...] = ("permit", "deny")


def parse_document(text: str, kinds: frozenset[str] | None = None) -> Document:
    """Return the document that the YAML in `text` says; raise PolicyError with all its faults.

    With `kinds`, the kinds that the installed detectors find, a `redact` of any other kind is a
    fault: a misspelt kind would never match, and nobody would notice.
    """
    try:
        return _read(Fields(read_yaml(text), "a policy", _KEYS), text, kinds)
    except PolicyError as error:
        raise PolicyError(error.problems, text) from None


def load_canonical(data: bytes) -> Document:
    """Return the document with this canonical form; raise PolicyError if it is no such form."""
    keys = Fields(read_json(data), "the stored document", ("language", *_KEYS))
    keys.required("language", fields.whole(LANGUAGE, LANGUAGE), LANGUAGE)
    document = _read(keys, "", None)
    if document.canonical() != data:
        raise fault(NOWHERE, "the stored document is not in its canonical form")
    return document


def _read(keys: Fields, source: str, kinds: frozenset[str] | None) -> Document:
    read_rules = fields.listing(lambda node: read_rule(node, kinds), RULES_MAX)
    placed: tuple[PlacedRule, ...] = keys.optional("rules", read_rules, ())
    # Where a rule cannot be read, what the tests say of it cannot be judged.
    rule_ids = None if keys.faulty else frozenset(item.rule.id for item in placed)
    read_cases = fields.listing(read_case(rule_ids), TESTS_MAX)
    document = Document(
        name=keys.required("policy", read_name, ""),
        description=keys.optional("description", _read_description, ""),
        default_permit=keys.optional("default", fields.choice(_DEFAULTS), "deny") == "permit",
        rules=tuple(item.rule for item in placed),
        tests=keys.optional("tests", read_cases, ()),
        source=source,
    )
    for problem in (*_repeated_ids(placed), *_second_routes(placed)):
        keys.note((problem.line, problem.column), problem.message, problem.hint)
    if sum(map(_patterns, document.rules)) > PATTERNS_MAX:
        keys.note(keys.key_at("rules"), f"there are more than {PATTERNS_MAX} matches(...)")
    keys.finish()
    return document


def _read_description(node: Node) -> str:
    return fields.text(DESCRIPTION_LENGTH_MAX, empty=True)(node).text


def _repeated_ids(placed: Iterable[PlacedRule]) -> Iterable[Problem]:
    seen: set[str] = set()
    for item in placed:
        if item.rule.id in seen:
            yield Problem(*item.id_at, f'the rule id "{item.rule.id}" stands twice')
        seen.add(item.rule.id)


def _second_routes(placed: Iterable[PlacedRule]) -> Iterable[Problem]:
    """One layer has one route; a document lies in one layer."""
    routes = [item for item in placed if item.rule.route and item.rule.mode == "enforce"]
    for item in routes[1:]:
        message = f"the rule {routes[0].rule.id} routes already, and a layer has one route"
        yield Problem(*item.route_at, message)


def _patterns(rule: Rule) -> int:
    return sum(
        isinstance(node, Operation) and node.operator == "matches" for node in walk(rule.when)
    )


__all__ = [
    "Case",
    "Deny",
    "Document",
    "Expectation",
    "PolicyError",
    "Problem",
    "Rule",
    "load_canonical",
    "parse_document",
]
