"""A row as JSON for an event: what a reader may see of it, never a secret."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

from django.db import models

_SECRET_NAMES = frozenset({"client_secret", "password"})

Snapshot = dict[str, Any]


def snapshot(row: models.Model) -> Snapshot:
    """Return the row's own columns by field name; bytes and passwords are left out."""
    fields = [
        field
        for field in row._meta.concrete_fields  # noqa: SLF001  (documented by Django)
        if not isinstance(field, models.BinaryField) and field.name not in _SECRET_NAMES
    ]
    return {field.name: _plain(getattr(row, field.attname)) for field in fields}


def difference(before: Snapshot, after: Snapshot) -> tuple[Snapshot, Snapshot]:
    """Return both snapshots without the fields that are equal in both."""
    changed = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in changed}, {name: after[name] for name in changed}


def kind_of(row: models.Model) -> str:
    """Return what an event calls this sort of row: VirtualKey is "virtual_key"."""
    return str(row._meta.verbose_name).replace(" ", "_")  # noqa: SLF001  (documented by Django)


def _plain(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
