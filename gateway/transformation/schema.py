"""JSON Schemas (2020-12) of bodies: checked when they are declared, quick when they are used. Pure.

Nothing outside of a schema is ever read: it refers to its own parts, never to itself and never to
another document. Patterns run in an engine whose time is linear in the text.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson

from gateway.providers.walk import words
from gateway.transformation.fault import FAULTS_MAX, Fault
from gateway.transformation.plain import at_path, value_of
from gateway.transformation.pointer import written
from policies.pdp.nodes import Mapping, Node, fault
from policies.pdp.problem import PolicyError, closest

BYTES_MAX = 32 * 1024
PARTS_MAX = 2_000
REFERENCES_MAX = 50
PATTERNS_FOREIGN_MAX = 8
MESSAGE_MAX = 200
VALUES_MAX = 2_000
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)

_ONE = words(
    "not if then else items contains propertyNames additionalProperties unevaluatedItems"
    " unevaluatedProperties"
)
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
_KEPT = frozenset({"$defs", "definitions"})
_REFUSED = words("$id $anchor $dynamicRef $dynamicAnchor $vocabulary $recursiveRef")
_RENAMING = _REFUSED | {"$schema"}
_PLAIN = words(
    "$schema $ref $comment title description default examples deprecated readOnly writeOnly type"
    " enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength"
    " pattern format maxItems minItems uniqueItems maxContains minContains maxProperties"
    " minProperties required dependentRequired contentEncoding contentMediaType"
)
KNOWN = _ONE | _LISTS | _NAMED | _KEPT | _PLAIN

Steps = tuple[str | int, ...]


class Schema:
    """A schema that bodies are checked against."""

    def __init__(self, schema: Any) -> None:
        self._validator = jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=False,
            offline=True,
            mask="the value",
            pattern_options=_PATTERNS,
        )

    def fits(self, value: Any) -> bool:
        """Tell whether a value is one that the schema describes."""
        return self._validator.is_valid(value)

    def faults(self, body: Any) -> list[Fault]:
        """Return what is wrong with a body, place by place; at most the first `FAULTS_MAX`.

        Of a body of many values only one is told: the library gathers all before it tells any.
        """
        if self._validator.is_valid(body):
            return []
        if _is_large(body):
            return [self._first(body)]
        return sorted(
            {_fault(one) for one in islice(self._validator.iter_errors(body), FAULTS_MAX)}
        )

    def _first(self, body: Any) -> Fault:
        try:
            self._validator.validate(body)
        except jsonschema_rs.ValidationError as error:
            return _fault(error)
        return Fault("", "the body does not fit its schema")


def read(node: Node) -> Schema:
    """Return the schema that a node writes; PolicyError with each fault at its place."""
    if not isinstance(node, Mapping):
        raise fault(node.at, "a JSON schema must be keys with values")
    value = value_of(node)
    if len(orjson.dumps(value)) > BYTES_MAX:
        raise fault(node.at, f"a schema has at most {BYTES_MAX} bytes")
    problems = [
        problem
        for path, message, hint in _Survey(value).faults()
        for problem in fault(at_path(node, list(path)), message, hint).problems
    ]
    if problems:
        raise PolicyError(problems)
    try:
        return Schema(value)
    except jsonschema_rs.ValidationError as error:
        message = f"no JSON schema: {error.message[:MESSAGE_MAX]}"
        raise fault(at_path(node, error.instance_path), message) from None


def foreign(value: Any) -> Schema | None:
    """Return the schema that somebody else wrote, in whichever dialect, read as one of 2020-12.

    None for what is no schema, and for one of which it is not known how long a check takes: that is
    larger than one of ours may be, refers to itself or to what is not in it, or has many patterns.
    Keywords that nobody knows say nothing, as the standard has it.
    """
    schema = {name: value[name] for name in value if name != "$schema"}
    try:
        if len(orjson.dumps(schema)) > BYTES_MAX or not _Survey(schema).is_bounded():
            return None
        return Schema(schema)
    except (jsonschema_rs.ValidationError, ValueError, RecursionError):
        return None


def _fault(error: jsonschema_rs.ValidationError) -> Fault:
    return Fault(written(error.instance_path), error.message[:MESSAGE_MAX])


def _is_large(body: Any) -> bool:
    """Whether a body holds more than `VALUES_MAX` values."""
    ahead, count = [body], 0
    while ahead and count <= VALUES_MAX:
        node = ahead.pop()
        count += 1
        if isinstance(node, dict):
            ahead += node.values()
        elif isinstance(node, list):
            ahead += node
    return count > VALUES_MAX


class _Survey:
    """A look at all parts of a schema: which there are, and how much work they ask for."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._weights: dict[str, int] = {}

    def faults(self) -> Iterator[tuple[Steps, str, str]]:
        """Yield what is refused: where, why, and what would do instead."""
        found = list(self._walk(self._root, ()))
        yield from found
        if len([*_references(self._root, kept=True)]) > REFERENCES_MAX:
            yield (), f"the schema has more than {REFERENCES_MAX} references", "make it simpler"
        elif not found and self._weight(self._root) > PARTS_MAX:
            message = f"the schema has more than {PARTS_MAX} parts, each counted where it is used"
            yield (), message, "make it simpler"

    def is_bounded(self) -> bool:
        """Whether the work is: references lead to parts and never back, and parts are few."""
        targets = [*_references(self._root, kept=True)]
        return (
            len(targets) <= REFERENCES_MAX
            and all(target.startswith("#/") and "%" not in target for target in targets)
            and all(self._resolved(target) is not None for target in targets)
            and not any(map(self._is_circular, targets))
            and self._weight(self._root) <= PARTS_MAX
            and self._is_plain()
        )

    def _is_plain(self) -> bool:
        """Whether nothing gives a part another name, and patterns are few, wherever they stand: a
        reference may lead to a place that is no keyword's."""
        ahead, patterns = [self._root], 0
        while ahead:
            node = ahead.pop()
            if isinstance(node, list):
                ahead += node
            if not isinstance(node, dict):
                continue
            if not node.keys().isdisjoint(_RENAMING):
                return False
            named = node.get("patternProperties")
            patterns += isinstance(node.get("pattern"), str)
            patterns += len(named) if isinstance(named, dict) else 0
            ahead += node.values()
        return patterns <= PATTERNS_FOREIGN_MAX

    def _walk(self, schema: Any, path: Steps) -> Iterator[tuple[Steps, str, str]]:
        if not isinstance(schema, dict):
            return
        for key, value in schema.items():
            yield from self._keyword(key, value, path)
        for steps, inner in _parts(schema, kept=True):
            yield from self._walk(inner, (*path, *steps))

    def _keyword(self, key: str, value: Any, path: Steps) -> Iterator[tuple[Steps, str, str]]:
        at = (*path, key)
        if key in _REFUSED:
            yield at, f"{key} is refused: a schema here stands alone", "use $defs and $ref"
        elif key == "$schema" and value != DIALECT:
            yield at, "only the 2020-12 dialect of JSON Schema is read", DIALECT
        elif key == "$ref":
            yield from self._reference(value, at)
        elif key not in KNOWN and not key.startswith("x-"):
            hint = closest(key, KNOWN)
            yield at, f'JSON Schema has no keyword "{key[:64]}"', hint

    def _reference(self, target: Any, at: Steps) -> Iterator[tuple[Steps, str, str]]:
        hint = 'as in "#/$defs/name"'
        if not isinstance(target, str) or not target.startswith("#/") or "%" in target:
            yield at, "$ref names a part of this schema: no other document is read", hint
        elif self._resolved(target) is None:
            yield at, f"there is nothing at {target[:64]}", hint
        elif self._is_circular(target):
            yield at, "a schema may not refer to itself: how long it takes must be known", ""

    def _resolved(self, target: str) -> Any:
        node = self._root
        for step in target[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and name.isdigit() and int(name) < len(node):
                node = node[int(name)]
            elif isinstance(node, dict) and name in node:
                node = node[name]
            else:
                return None
        return node if isinstance(node, dict | bool) else None

    def _is_circular(self, target: str) -> bool:
        """Whether what a reference leads to comes back to it."""
        seen: set[str] = set()
        ahead = list(_references(self._resolved(target)))
        while ahead:
            inner = ahead.pop()
            if inner == target:
                return True
            if inner not in seen:
                seen.add(inner)
                ahead += _references(self._resolved(inner))
        return False

    def _weight(self, schema: Any) -> int:
        """Return how many parts a schema has, each counted as often as it is referred to."""
        if not isinstance(schema, dict):
            return 1
        total = 1 + sum(self._weight(inner) for _, inner in _parts(schema, kept=False))
        target = schema.get("$ref")
        if isinstance(target, str):
            if target not in self._weights:
                self._weights[target] = self._weight(self._resolved(target))
            total += self._weights[target]
        return total


def _parts(schema: dict[str, Any], *, kept: bool) -> Iterator[tuple[Steps, Any]]:
    """Yield the schemas inside one, with the steps to them; those only `kept` for use if asked."""
    named = _NAMED | _KEPT if kept else _NAMED
    for key, value in schema.items():
        if key in _ONE:
            yield (key,), value
        elif key in _LISTS and isinstance(value, list):
            yield from (((key, index), inner) for index, inner in enumerate(value))
        elif key in named and isinstance(value, dict):
            yield from (((key, name), inner) for name, inner in value.items())


def _references(schema: Any, *, kept: bool = False) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for _, inner in _parts(schema, kept=kept):
            yield from _references(inner, kept=kept)
