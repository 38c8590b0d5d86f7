"""JSON pointers into bodies (RFC 6901), with `*` for each item of a list. Pure.

Bodies are never changed in place: what a change does not touch is shared with the original.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from gateway.exchange import Body

Pointer = tuple[str, ...]
"""The names of members on the way to a value; `*` stands for each item of a list."""

EACH = "*"
LENGTH_MAX = 256
STEPS_MAX = 16


def parse(text: str) -> Pointer:
    """Return the pointer that a text writes; ValueError says why it writes none."""
    if not text.startswith("/") or len(text) > LENGTH_MAX:
        raise ValueError(f"a JSON pointer begins with / and has at most {LENGTH_MAX} characters")
    if "~" in text.replace("~0", "").replace("~1", ""):
        raise ValueError("in a JSON pointer ~ is written ~0, and / inside a name ~1")
    steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))
    if len(steps) > STEPS_MAX:
        raise ValueError(f"a pointer has at most {STEPS_MAX} steps")
    if "" in steps or any(step.isascii() and step.isdigit() for step in steps):
        raise ValueError("each step is the name of a member, or * for each item of a list")
    if steps[-1] == EACH:
        raise ValueError("a pointer ends in the name of a member")
    return steps


def written(path: Iterable[str | int]) -> str:
    """Return the text of a pointer; of the whole value, ""."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def overlap(pointers: Iterable[Pointer]) -> tuple[Pointer, Pointer] | None:
    """Return two pointers of which one leads through the other, or None."""
    ordered = sorted(pointers)
    for one, other in pairwise(ordered):
        if other[: len(one)] == one:
            return one, other
    return None


def held(body: Body, pointer: Pointer) -> tuple[bool, Any]:
    """Return whether there is a value at a pointer without `*`, and the value."""
    node: Any = body
    for step in pointer:
        if not isinstance(node, dict) or step not in node:
            return False, None
        node = node[step]
    return True, node


def put(body: Body, pointer: Pointer, value: Any) -> Body:
    """Return a body with this value there; what is in the way and is no object becomes one."""
    first, rest = pointer[0], pointer[1:]
    if not rest:
        return {**body, first: value}
    inner = body.get(first)
    return {**body, first: put(inner if isinstance(inner, dict) else {}, rest, value)}


def takes(body: Body, pointer: Pointer) -> bool:
    """Whether a value can be put there without replacing anything: null counts as nothing."""
    node: Any = body
    for step in pointer:
        if not isinstance(node, dict):
            return False
        node = node.get(step)
        if node is None:
            return True
    return False


def without(body: Body, pointer: Pointer) -> Body:
    """Return a body without what stands there; the same body where nothing does."""
    found: Body = _changed(body, pointer, _removed)
    return found


def replaced(body: Body, pointer: Pointer, change: Callable[[Any], Any]) -> Body:
    """Return a body with `change` of each value there; the same body where nothing differs."""

    def set_last(node: Body, name: str) -> Body:
        value = change(node[name])
        return node if value is node[name] else {**node, name: value}

    found: Body = _changed(body, pointer, set_last)
    return found


def _removed(node: Body, name: str) -> Body:
    return {key: value for key, value in node.items() if key != name}


def _changed(node: Any, pointer: Pointer, last: Callable[[Body, str], Body]) -> Any:
    """Return a node with `last` done to each object that holds the pointer's last name."""
    first, rest = pointer[0], pointer[1:]
    if isinstance(node, list) and first == EACH:
        items = [_changed(item, rest, last) for item in node]
        same = all(new is old for new, old in zip(items, node, strict=True))
        return node if same else items
    if not isinstance(node, dict) or first not in node:
        return node
    if not rest:
        return last(node, first)
    inner = _changed(node[first], rest, last)
    return node if inner is node[first] else {**node, first: inner}
