"""Between trees of nodes, which know their places, and plain JSON values. Pure."""

import math
from typing import Any

from gateway.transformation.pointer import written
from policies.pdp.nodes import Listing, Mapping, Node, Place, Scalar, fault
from policies.pdp.yaml_text import UNSTORABLE

DEEPEST = 40
INTEGER_MAX = 2**63 - 1
DEPTH_MAX = 11
"""How deep a transformation may be: in a file it stands five levels down, and all of it has 16."""


def value_of(node: Node, depth: int = 0) -> Any:
    """Return the JSON value of a node; PolicyError for a number that JSON cannot write, and for
    what is nested too deep to stand in a file."""
    if depth > DEPTH_MAX:
        raise fault(node.at, f"values are nested more than {DEPTH_MAX} deep")
    if isinstance(node, Mapping):
        return {key.text: value_of(item, depth + 1) for key, item in node.entries}
    if isinstance(node, Listing):
        return [value_of(item, depth + 1) for item in node.items]
    value = node.value
    if isinstance(value, float) and not math.isfinite(value):
        raise fault(node.at, "JSON has no such number")
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise fault(node.at, "a number has at most 64 bits")
    return value


def at_path(node: Node, path: list[str | int]) -> Place:
    """Return the place of what stands at a path below a node, or of the last that is there."""
    for step in path:
        inner: Node | None = None
        if isinstance(node, Mapping):
            inner = next((item for key, item in node.entries if key.text == str(step)), None)
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            inner = node.items[step]
        if inner is None:
            break
        node = inner
    return node.at


class Tree:
    """A plain JSON value as nodes. Their places are numbers that `pointer` turns into pointers."""

    def __init__(self, value: Any) -> None:
        self._pointers: list[str] = []
        self.root = self._node(value, ())

    def pointer(self, place: Place) -> str:
        """Return the JSON pointer of a node's place."""
        return self._pointers[place[1] - 1] if place[1] else ""

    def _node(self, value: Any, path: tuple[str | int, ...]) -> Node:
        self._pointers.append(written(path))
        at = (0, len(self._pointers))
        if len(path) > DEEPEST:
            raise fault(at, f"values are nested more than {DEEPEST} deep")
        if isinstance(value, dict):
            return Mapping(
                tuple(
                    (self._scalar(str(key), at), self._node(item, (*path, str(key))))
                    for key, item in value.items()
                ),
                at,
            )
        if isinstance(value, list):
            items = (self._node(item, (*path, index)) for index, item in enumerate(value))
            return Listing(tuple(items), at)
        return self._scalar(value, at)

    @staticmethod
    def _scalar(value: Any, at: Place) -> Scalar:
        text = value if isinstance(value, str) else "null" if value is None else str(value)
        if UNSTORABLE.search(text):
            raise fault(at, "U+0000 and lone surrogates are refused")
        return Scalar(value, text, at)
