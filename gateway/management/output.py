"""How a command speaks: one JSON document on stdout, or lines for a person."""

import json
from collections.abc import Iterable, Mapping

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import CommandError


def document(value: Mapping[str, object]) -> str:
    """Return an object as one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def refused(error: ValidationError | PermissionDenied) -> CommandError:
    """Return what a service refused as a command's failure (exit code 1)."""
    if isinstance(error, ValidationError):
        return CommandError("; ".join(error.messages))
    return CommandError(str(error))


def counted(number: int, noun: str) -> str:
    """Return how many there are of what a noun names, such as `1 rule` or `2,000 rules`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows as columns, each as wide as its widest cell."""
    cells = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    return "\n".join(lines)
