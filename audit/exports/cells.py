"""Rows as cells of a table that is safe to open. Pure.

A spreadsheet runs a cell that begins like a formula, and names come from anybody. Such a text gets
an apostrophe in front, which spreadsheets take for "this is text".
"""

from collections.abc import Mapping
from typing import Any

import orjson

COLUMNS = {
    "records": (
        "day", "call_id", "attempt", "kind", "at", "tenant_id", "app_id", "key_id", "model", "code",
        "cost_micros", "app", "key_name", "user", "source", "endpoint", "stream", "effect",
        "policies", "provider", "upstream_model", "region", "redacted", "currency", "status",
        "charge", "input_tokens", "output_tokens", "cached_tokens", "message",
    ),
    "events": (
        "id", "at", "tenant_id", "tenant", "actor_kind", "actor", "source", "action", "object_kind",
        "object_id", "object_name", "reason", "before", "after",
    ),
}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_USAGE = ("input_tokens", "output_tokens", "cached_tokens")


def cells(kind: str, row: Mapping[str, Any]) -> list[str]:
    """Return a row of an export's JSON as cells, in the order of its kind's columns."""
    found = dict(row)
    body = found.pop("body", None)
    if isinstance(body, dict):
        found = body | found
        found["effect"] = body.get("decision", {}).get("effect")
        found |= zip(_USAGE, body.get("usage", ()), strict=False)
    return [cell(found.get(column)) for column in COLUMNS[kind]]


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
