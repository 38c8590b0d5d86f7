"""The operations of a step that are written as pointers with values. Pure."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from gateway.transformation import headers as allowed
from gateway.transformation import pointer
from gateway.transformation.document import Clamp, Headers
from gateway.transformation.plain import value_of
from gateway.transformation.pointer import EACH, Pointer, written
from policies.pdp import fields
from policies.pdp.fields import Fields
from policies.pdp.nodes import Node, Place, Scalar, fault
from policies.pdp.problem import PolicyError, Problem

T = TypeVar("T")

MOST = 100
HEADERS_MAX = 20
NUMBER_MAX = 1e15

_read_list = fields.listing(lambda node: _pointer(node, node), MOST)


def pointers(node: Node) -> tuple[Pointer, ...]:
    """Read a list of pointers, which may go through the items of lists."""
    return _read_list(node)


def placed(node: Node, what: str, read: Callable[[Node], T]) -> tuple[tuple[Pointer, T], ...]:
    """Read pointers with a value each; none leads through a list or through another of them."""
    pairs = _pairs(node, what)
    found = gathered(pairs, lambda key, value: (_member(key, value), read(value)))
    _check_apart(node.at, [at for at, _ in found])
    return found


def values(node: Node) -> tuple[tuple[Pointer, Any], ...]:
    """Read pointers with the JSON value of each."""
    return placed(node, "what is set", value_of)


def renames(node: Node) -> tuple[tuple[Pointer, Pointer], ...]:
    """Read pointers with the one that each becomes."""

    def read_new(value: Node) -> Pointer:
        return _member(value, value)

    found = placed(node, "rename", read_new)
    _check_apart(node.at, [at for pair in found for at in pair])
    return found


def clamps(node: Node) -> tuple[tuple[Pointer, Clamp], ...]:
    """Read pointers with the bounds of each."""
    pairs = _pairs(node, "clamp")
    return gathered(pairs, lambda key, value: (_pointer(key, value), _clamp(value)))


def headers(node: Node) -> tuple[Headers, Headers]:
    """Read the headers for providers, and those for clients."""
    keys = Fields(node, "headers", ("provider", "answer"))
    none: Headers = ()
    found = (
        keys.optional("provider", lambda inner: _headers(inner, to_provider=True), none),
        keys.optional("answer", lambda inner: _headers(inner, to_provider=False), none),
    )
    keys.finish()
    return found


def gathered(
    pairs: Iterable[tuple[Scalar, Node]], read: Callable[[Scalar, Node], T]
) -> tuple[T, ...]:
    """Read every pair; PolicyError with the faults of all."""
    found: list[T] = []
    problems: list[Problem] = []
    for key, value in pairs:
        try:
            found.append(read(key, value))
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problems)
    return tuple(found)


def _pairs(node: Node, what: str) -> tuple[tuple[Scalar, Node], ...]:
    pairs = fields.pairs(node, what)
    if len(pairs) > MOST:
        raise fault(node.at, f"there are more than {MOST} of them")
    return pairs


def _pointer(node: Node, near: Node) -> Pointer:
    """Read a pointer; a key is told at its own place, or at its value's where it has none."""
    text = fields.text(pointer.LENGTH_MAX)(node).text
    try:
        return pointer.parse(text)
    except ValueError as error:
        raise fault(
            node.at if node.at[0] else near.at, str(error), "as in /metadata/team"
        ) from None


def _member(node: Node, near: Node) -> Pointer:
    found = _pointer(node, near)
    if EACH in found:
        raise fault(near.at, "what is set is a member of an object: no * can lead to it")
    return found


def _check_apart(at: Place, found: Iterable[Pointer]) -> None:
    pair = pointer.overlap(found)
    if pair is not None:
        one, other = map(written, pair)
        message = f"{one} and {other} are one inside the other: their order would matter"
        raise fault(at, message, "write them as one, or in two steps")


def _clamp(node: Node) -> Clamp:
    keys = Fields(node, "a clamp", ("min", "max"))
    low, high = keys.optional("min", _number, None), keys.optional("max", _number, None)
    if not keys.faulty and low is None and high is None:
        keys.note(keys.at, "a clamp needs min or max")
    if low is not None and high is not None and low > high:
        keys.note(keys.at, f"min {low} is above max {high}")
    keys.finish()
    return Clamp(low, high)


def _number(node: Node) -> float | None:
    value = fields.decimal(-NUMBER_MAX, NUMBER_MAX)(node)
    exact = value_of(node)
    return exact if isinstance(exact, int) else value


def _headers(node: Node, *, to_provider: bool) -> Headers:
    pairs = fields.pairs(node, "headers")
    if len(pairs) > HEADERS_MAX:
        raise fault(node.at, f"there are more than {HEADERS_MAX} headers")

    def read(key: Scalar, value: Node) -> tuple[str, str]:
        text = fields.text(allowed.VALUE_MAX)(value).text
        why = allowed.name_fault(key.text, to_provider=to_provider)
        if why:
            raise fault(key.at if key.at[0] else value.at, why)
        why = allowed.value_fault(text)
        if why:
            raise fault(value.at, why)
        return key.text, text

    return gathered(pairs, read)
