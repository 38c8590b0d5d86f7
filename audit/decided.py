"""The records of calls in the order of the calls, read in one snapshot, never many in memory.

Whole calls: those that arrived from one instant on and before another, each with all its records.
Of one attempt the admission comes before its end.
"""

import datetime
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg

from audit.record import call_id

FETCH = 2000
_NO_NOISE = bytes(10)
_ALL = "(%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)"
_RANGE = f"""
FROM audit_record WHERE {_ALL} AND call_id >= %(low)s AND call_id < %(high)s
"""
_COUNT = f"SELECT count(*) {_RANGE} AND day BETWEEN %(first)s AND %(last)s"
_ROWS = f"""
SELECT call_id, attempt, kind, tenant_id, app_id, key_id, model, code, cost_micros, body::text
{_RANGE} AND day = %(day)s ORDER BY call_id, attempt, kind
"""
DAYS = """
SELECT to_date(right(part.relname, 8), 'YYYYMMDD')
FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
WHERE inhparent = 'audit_record'::regclass ORDER BY 1
"""


class Row(NamedTuple):
    """One record; `body` is its JSON as it was written."""

    call_id: uuid.UUID
    attempt: int
    kind: str
    tenant_id: uuid.UUID
    app_id: uuid.UUID | None
    key_id: str
    model: str
    code: str
    cost_micros: int | None
    body: str


class Range(NamedTuple):
    """The calls that arrived from `since` on and before `until`: of one tenant, or of all."""

    since: datetime.datetime
    until: datetime.datetime
    tenant_id: uuid.UUID | None = None


class Decided:
    """The records of a range as they stood when the first of them was read."""

    def __init__(self, connection: psycopg.Connection[Any], of: Range) -> None:
        self._connection = connection
        self._values: dict[str, Any] = {
            "tenant": of.tenant_id,
            "low": first_id(of.since),
            "high": first_id(of.until),
            "first": utc_day(of.since),
            "last": utc_day(of.until),
        }

    def count(self) -> int:
        """Return how many records there are."""
        row = self._connection.execute(_COUNT, self._values).fetchone()
        return int(row[0]) if row else 0

    def batches(self) -> Iterator[Sequence[Row]]:
        """Yield the records, some thousand at a time."""
        for (day,) in self._connection.execute(DAYS).fetchall():
            if self._values["first"] <= day <= self._values["last"]:
                yield from self._of(day)

    def _of(self, day: datetime.date) -> Iterator[Sequence[Row]]:
        with self._connection.cursor("decided", scrollable=False) as cursor:
            cursor.execute(_ROWS, self._values | {"day": day})
            while found := cursor.fetchmany(FETCH):
                yield [Row._make(row) for row in found]


@contextmanager
def decided(database_url: str, of: Range) -> Iterator[Decided]:
    """Open a transaction that only reads, on a connection of its own."""
    with psycopg.connect(
        database_url, application_name="gatehouse-decided", options="-c timezone=UTC"
    ) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield Decided(connection, of)


def first_id(instant: datetime.datetime) -> uuid.UUID:
    """Return what no id of a call from this instant on is below, and all earlier ones are."""
    at_ms = -(-int(instant.timestamp() * 1_000_000) // 1000)
    return uuid.UUID(int=call_id(at_ms, _NO_NOISE).int >> 80 << 80)


def utc_day(instant: datetime.datetime) -> datetime.date:
    """Return the day, in UTC, that what arrived at an instant is filed under."""
    return instant.astimezone(datetime.UTC).date()
