"""Every write to the evidence of the control plane: a change and its event, in one transaction.

The services of the rooms above make their changes through `insert`, `alter`, `delete` and `note`,
so that no change can be written without its event, nor an event without its change.
"""

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection, models
from django.utils import timezone

from audit.actor import Actor
from audit.models import Event
from audit.snapshot import Snapshot, difference, kind_of, snapshot

REASON_MAX = 1000
NAME_MAX = 200
SOURCE_MAX = 64

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Change:
    """Who does what to whose things, and why. No tenant: the change concerns the platform."""

    actor: Actor
    action: str
    tenant_id: uuid.UUID | None = None
    tenant: str = ""
    reason: str = ""


class Thing(NamedTuple):
    """What an event is about: its sort, its id, and its name at that time."""

    kind: str
    id: str
    name: str


def insert(change: Change, row: models.Model) -> None:
    """Check and store a new row, with its event."""
    row.full_clean()
    row.save(force_insert=True)
    note(change, row, before=None, after=snapshot(row))


def alter(
    change: Change,
    row: models.Model,
    values: Mapping[str, Any],
    *,
    besides: Mapping[str, Any] = _NOTHING,
) -> bool:
    """Set fields of a stored row, with an event of what differs; False where nothing did.

    The row is read again under its lock, so that two changes at once follow one another. `besides`
    goes into the event: what else this change brought about.
    """
    rows = type(row)._default_manager  # noqa: SLF001  (documented by Django)
    stored = rows.select_for_update(no_key=True).get(pk=row.pk)
    before = snapshot(stored)
    for name, value in values.items():
        setattr(stored, name, value)
    old, new = difference(before, snapshot(stored))
    if not new:
        return False
    stored.full_clean()
    stored.save(update_fields=list(values))
    for name, value in values.items():
        setattr(row, name, value)
    note(change, stored, before=old, after=new | dict(besides))
    return True


def delete(change: Change, row: models.Model) -> None:
    """Delete a row, with an event of what it held."""
    before, identity = snapshot(row), row.pk
    row.delete()
    row.pk = identity
    note(change, row, before=before, after=None)


def note(
    change: Change, row: models.Model, *, before: Snapshot | None, after: Snapshot | None
) -> Event:
    """Write the event of a change that the caller makes in this same transaction."""
    return note_of(change, thing_of(row), before=before, after=after)


def thing_of(row: models.Model) -> Thing:
    """Return how events call a row."""
    return Thing(kind_of(row), str(row.pk), str(row)[:NAME_MAX])


def note_of(
    change: Change, thing: Thing, *, before: Snapshot | None, after: Snapshot | None
) -> Event:
    """Write the event of what was done to, or read of, something that may be no row of a table."""
    if len(change.reason) > REASON_MAX:
        raise ValidationError({"reason": f"a reason has at most {REASON_MAX} characters"})
    if not connection.in_atomic_block:
        raise RuntimeError(f"{change.action} must run in the transaction of its change")
    return Event.objects.create(
        at=timezone.now(),
        tenant_id=change.tenant_id,
        tenant=change.tenant,
        actor_kind=change.actor.kind,
        actor=change.actor.name[:NAME_MAX],
        source=change.actor.source[:SOURCE_MAX],
        action=change.action,
        object_kind=thing.kind,
        object_id=thing.id,
        object_name=thing.name,
        before=before,
        after=after,
        reason=change.reason,
    )


def partitions_create(*, first: datetime.date, last: datetime.date) -> int:
    """Create the daily partitions of the record from `first` to `last`; return how many were new.

    The application's role owns no table: a function of the owner's does it, and nothing else.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_create_partitions(%s, %s)", [first, last])
        (created,) = cursor.fetchone()
    return int(created)
