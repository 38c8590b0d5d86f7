"""The rows of an export, in one snapshot, from day to day, never many in memory at once."""

import uuid
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import psycopg

from audit.decided import DAYS, first_id, utc_day
from audit.exports.wanted import ExportWanted
from audit.outcome import LAST_WORD, WITHHELD, outcome

FETCH = 2000

_COUNT_RECORDS = """
SELECT count(*) FROM audit_record
WHERE tenant_id = %(tenant)s AND day BETWEEN %(first)s AND %(last)s
  AND call_id >= %(low)s AND call_id < %(high)s
"""
_RECORDS = """
SELECT {of_call}row_to_json(line)::text
FROM audit_record AS record CROSS JOIN LATERAL (
  SELECT record.day, record.call_id, record.attempt, record.kind, record.at, record.tenant_id,
    record.app_id, record.key_id, record.model, record.code, record.cost_micros, record.body
) AS line
WHERE record.day = %(day)s AND record.tenant_id = %(tenant)s
  AND record.call_id >= %(low)s AND record.call_id < %(high)s
  AND (%(apps)s::uuid[] IS NULL OR record.app_id = ANY(%(apps)s::uuid[]))
  AND (%(model)s = '' OR record.model = %(model)s)
ORDER BY record.call_id, record.attempt, record.kind
"""
# Read where calls are chosen by them alone.
_OF_CALL = """record.call_id, record.attempt, record.kind, record.code, {effect}, {rule},
  {redaction}, """
_EFFECT = """CASE WHEN record.kind IN ('refused', 'admitted')
  THEN record.body -> 'decision' ->> 'effect' END"""
_BY_RULE = """audit_cause(record.code, record.body) = %(rule)s
  AND (record.kind = 'refused' OR record.code = ANY(%(withheld)s))"""
_BY_REDACTION = """record.kind = 'admitted' AND record.body ->> 'redacted' = 'true'
  AND audit_redactions(record.body) @> ARRAY[%(redaction)s]"""
_EVENTS_WANTED = """
FROM audit_event WHERE tenant_id = %(tenant)s AND at >= %(since)s AND at < %(until)s
  AND (%(actions)s::text[] IS NULL OR action = ANY(%(actions)s::text[]))
  AND (%(actor)s = '' OR strpos(upper(actor), upper(%(actor)s)) > 0)
  AND (%(object)s = '' OR object_id = %(object)s
    OR strpos(upper(object_name), upper(%(object)s)) > 0)
"""
_EVENTS = "SELECT row_to_json(audit_event)::text" + _EVENTS_WANTED + "ORDER BY id"
_COUNT_EVENTS = "SELECT count(*)" + _EVENTS_WANTED


class _Row(NamedTuple):
    call_id: uuid.UUID
    attempt: int
    kind: str
    code: str
    effect: str | None
    is_by_rule: bool | None
    is_redacted: bool | None
    line: str


class Rows:
    """What a filter asks for of one tenant, read in one transaction that only reads."""

    def __init__(
        self, connection: psycopg.Connection[Any], tenant_id: uuid.UUID, wanted: ExportWanted
    ) -> None:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        self._connection, self._wanted = connection, wanted
        self._values: dict[str, Any] = {
            "tenant": tenant_id, "since": wanted.since, "until": wanted.until,
            "first": utc_day(wanted.since), "last": utc_day(wanted.until),
            "low": first_id(wanted.since), "high": first_id(wanted.until),
            "apps": list(wanted.apps) or None, "model": wanted.model,
            "actions": list(wanted.actions) or None, "actor": wanted.actor,
            "object": wanted.object, "rule": wanted.rule, "redaction": wanted.redaction,
            "withheld": list(WITHHELD),
        }  # fmt: skip

    def count(self) -> int:
        """Return how many rows will be looked at: those of the time, whatever else is asked."""
        counts = {"records": _COUNT_RECORDS, "events": _COUNT_EVENTS}
        found = 0
        for kind in self._wanted.kinds:
            row = self._connection.execute(counts[kind], self._values).fetchone()
            found += row[0] if row else 0
        return found

    def lines(self, kind: str) -> Iterator[tuple[int, list[str]]]:
        """Yield batches: how many rows were looked at, and the JSON of those that are wanted."""
        return self._records() if kind == "records" else self._events()

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        wanted = self._wanted
        of_call = _OF_CALL.format(
            effect=_EFFECT if wanted.decision else "NULL",
            rule=_BY_RULE if wanted.rule else "NULL",
            redaction=_BY_REDACTION if wanted.redaction else "NULL",
        )
        statement = _RECORDS.format(of_call=of_call if wanted.asks_of_calls else "")
        first, last = self._values["first"], self._values["last"]
        for (day,) in self._connection.execute(DAYS).fetchall():
            if not first <= day <= last:
                continue
            batches = self._batches(statement, self._values | {"day": day})
            if wanted.asks_of_calls:
                yield from self._of_calls(batches)
            else:
                yield from ((len(batch), [row[-1] for row in batch]) for batch in batches)

    def _of_calls(
        self, batches: Iterator[Sequence[tuple[Any, ...]]]
    ) -> Iterator[tuple[int, list[str]]]:
        rows = (_Row(*row) for batch in batches for row in batch)
        for _, of_call in groupby(rows, key=itemgetter(0)):
            call = list(of_call)
            yield len(call), [row.line for row in call] if self._wants(call) else []

    def _wants(self, call: Sequence[_Row]) -> bool:
        wanted = self._wanted
        last = min(call, key=lambda row: (-row.attempt, LAST_WORD.index(row.kind)))
        decided = [row.effect for row in call if row.effect is not None]
        return (
            wanted.outcome in ("", outcome(last.kind, last.code))
            and (not wanted.decision or decided[-1:] == [wanted.decision])
            and (not wanted.rule or any(row.is_by_rule for row in call))
            and (not wanted.redaction or any(row.is_redacted for row in call))
        )

    def _events(self) -> Iterator[tuple[int, list[str]]]:
        for batch in self._batches(_EVENTS, self._values):
            yield len(batch), [row[0] for row in batch]

    def _batches(
        self, statement: str, values: dict[str, Any]
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        with self._connection.cursor("export", scrollable=False) as cursor:
            cursor.execute(statement, values)
            while batch := cursor.fetchmany(FETCH):
                yield batch
