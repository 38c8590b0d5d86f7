"""Rows as cells of a table that is safe to open. Pure.

A spreadsheet runs a cell that begins like a formula, and names come from anybody. Such a text gets
an apostrophe in front, which spreadsheets take for "this is text".
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
import orjson

_USAGE = ("input_tokens", "output_tokens", "cached_tokens")
_OF_BODY = (
    "app", "key_name", "user", "source", "endpoint", "stream", "effect", "policies", "provider",
    "upstream_model", "region", "redacted", "currency", "status", "charge", *_USAGE, "message",
)  # fmt: skip
_OF_ROW = (
    "day", "call_id", "attempt", "kind", "at", "tenant_id", "app_id", "key_id", "model", "code",
    "cost_micros",
)  # fmt: skip
COLUMNS = {
    "records": (*_OF_ROW, *_OF_BODY),
    "events": (
        "id", "at", "tenant_id", "tenant", "actor_kind", "actor", "source", "action", "object_kind",
        "object_id", "object_name", "reason", "before", "after",
    ),
}  # fmt: skip
KNOWN_MOST = 10_000
"""How many texts are remembered with their cells: most are met again and again."""

_OURS = {"records": _OF_ROW.index("key_id"), "events": 3}
"""How many columns begin a row whose texts are the database's own: nobody chooses those."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Decision(msgspec.Struct):
    effect: Any = None


class _Body(msgspec.Struct):
    """What a table tells of a record's body; the rest is not even read."""

    decision: _Decision | None = None
    usage: tuple[Any, ...] = ()

    @property
    def effect(self) -> Any:
        return self.decision and self.decision.effect

    @property
    def input_tokens(self) -> Any:
        return self.usage[0] if self.usage else None

    @property
    def output_tokens(self) -> Any:
        return self.usage[1] if self.usage else None

    @property
    def cached_tokens(self) -> Any:
        return self.usage[2] if self.usage else None


def _with(base: type[msgspec.Struct], names: Sequence[str], **others: Any) -> type[msgspec.Struct]:
    """Return what reads these fields, too; those that a row lacks are None."""
    fields: list[Any] = [*others.items(), *((name, Any, None) for name in names)]
    return msgspec.defstruct("Row", fields, bases=(base,))


_OWN = [name for name in _OF_BODY if not hasattr(_Body, name)]
_Record = _with(msgspec.Struct, _OF_ROW, body=_with(_Body, _OWN))
_DECODERS = {
    "records": msgspec.json.Decoder(_Record),
    "events": msgspec.json.Decoder(_with(msgspec.Struct, COLUMNS["events"])),
}
_PICK = {
    "records": attrgetter(*_OF_ROW, *(f"body.{name}" for name in _OF_BODY)),
    "events": attrgetter(*COLUMNS["events"]),
}


class Table:
    """Makes the JSON of rows of one kind into cells, in the order of the kind's columns."""

    def __init__(self, kind: str) -> None:
        self._decode, self._pick, self._ours = _DECODERS[kind].decode, _PICK[kind], _OURS[kind]
        self._known = _Known()

    def rows(self, lines: Sequence[str]) -> list[list[Any]]:
        """Return the cells of rows; None and whole numbers are left to who writes them."""
        known, ours = self._known, self._ours
        known.bound()
        picked = map(self._pick, map(self._decode, lines))
        return [
            [
                *values[:ours],
                *(
                    known[value]
                    if value.__class__ is str
                    else value
                    if value is None or value.__class__ is int
                    else cell(value)
                    for value in values[ours:]
                ),
            ]
            for values in picked
        ]


class _Known(dict[str, str]):
    """Cells by their text."""

    def __missing__(self, text: str) -> str:
        made = self[text] = cell(text)
        return made

    def bound(self) -> None:
        if len(self) > KNOWN_MOST:
            self.clear()


def cell(value: object) -> str:
    """Return a value as the text of a cell; only texts can begin like a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
