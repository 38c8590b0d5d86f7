"""Canonical JSON to nodes, so that stored documents pass the same checks as written ones. Pure."""

import json
from typing import Any, NoReturn

from policies.pdp.nodes import NOWHERE, Listing, Mapping, Node, Scalar, fault
from policies.pdp.yaml_text import DEPTH_MAX, UNSTORABLE

BYTES_MAX = 1024 * 1024


def read_json(data: bytes) -> Node:
    """Return the root of the JSON in `data`; raise PolicyError, without a place."""
    if len(data) > BYTES_MAX:
        raise fault(NOWHERE, f"the stored document is larger than {BYTES_MAX} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise fault(NOWHERE, "the stored document is not JSON") from None
    return _node(value, 0)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key stands twice")
    return unique


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _node(value: Any, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise fault(NOWHERE, f"values are nested more than {DEPTH_MAX} deep")
    if isinstance(value, dict):
        return Mapping(tuple((_scalar(key), _node(item, depth + 1)) for key, item in value.items()))
    if isinstance(value, list):
        return Listing(tuple(_node(item, depth + 1) for item in value))
    return _scalar(value)


def _scalar(value: bool | int | float | str | None) -> Scalar:
    text = value if isinstance(value, str) else json.dumps(value)
    if UNSTORABLE.search(text):
        raise fault(NOWHERE, "U+0000 and lone surrogates are refused")
    return Scalar(value, text)
