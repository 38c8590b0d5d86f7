"""JSON read strictly: what two readers could understand differently is refused. Pure."""

import json
import re
from typing import Any

import orjson

DEPTH = 64
"""How many objects and lists may stand inside each other."""


def load(text: bytes | str) -> Any:
    """Return the value of a JSON text; ValueError for anything that is not one plain meaning.

    Refused: NaN, lone surrogates, invalid UTF-8, numbers beyond a double, nesting beyond `DEPTH`
    and an object that names a key twice (of which two readers may take different values).
    """
    value = load_last(text)
    if isinstance(value, (dict, list)):
        raw = text.encode() if isinstance(text, str) else text
        if not _names_once(raw, value):
            _UNIQUE.decode(raw.decode())
    return value


def load_last(text: bytes | str) -> Any:
    """Return what `load` does, but of a key named twice the last value.

    For what comes from a provider, and is serialised again where it was inspected.
    """
    raw = text.encode() if isinstance(text, str) else text
    value = orjson.loads(raw)
    if isinstance(value, (dict, list)) and raw.count(b"{") + raw.count(b"[") > DEPTH:
        _check_depth(value)
    return value


def dump(value: object) -> str:
    """Return the JSON text of a value, compact, keys in their order."""
    return orjson.dumps(value).decode()


def _check_depth(value: dict[str, Any] | list[Any]) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {DEPTH} levels")


def _names_once(raw: bytes, value: dict[str, Any] | list[Any]) -> bool:
    """Whether certainly nothing of a text was dropped for a key that stands there twice.

    A key ends in `":`. Writing the value again drops those of what the reader dropped, and changes
    no other, unless a quote or a colon was written in another way: then the answer is no.
    """
    if b"\\u" in raw or _SPACED.search(raw):
        return False
    return raw.count(_KEY_END) == orjson.dumps(value).count(_KEY_END)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("an object names a key twice")


_KEY_END = b'":'
_SPACED = re.compile(rb'"[ \t\r\n]+:')
_UNIQUE = json.JSONDecoder(object_pairs_hook=_unique)
