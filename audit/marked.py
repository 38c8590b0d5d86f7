"""The statement that finds calls by the cause of a refusal or by a redacted kind.

Those are read along indexes of their own (migration 0004), newest arrival first: a call's id is its
arrival, so a page begins after an id. `audit_cause` names a rule as "policy / rule", a limit or
budget by its name, and anything else by its code.
"""

import datetime
import uuid
from collections.abc import Sequence
from typing import Any

from django.db.backends.utils import CursorWrapper

from audit.outcome import OUTCOME_OF_LAST

BY_RULE = """audit_cause(mark.code, mark.body) = %(rule)s AND mark.code <> ''
    AND (mark.kind = 'refused' OR mark.code = ANY(%(withheld)s))"""
BY_REDACTION = """mark.kind = 'admitted' AND mark.body ->> 'redacted' = 'true'
    AND audit_redactions(mark.body) @> ARRAY[%(redaction)s]"""
BY_KIND = BY_REDACTION.replace("mark.body ->> 'redacted'", "lower(mark.body ->> 'redacted')")
AMONG_FEW = "mark.day = ANY(%(days)s::date[]) AND mark.call_id = ANY(%(ids)s::uuid[])"
# Where both are asked for, the rule leads, and the kind is looked up in the same call.
ALSO_REDACTED = """EXISTS (SELECT FROM audit_record AS redacted
      WHERE redacted.day = mark.day AND redacted.call_id = mark.call_id
        AND redacted.kind = 'admitted' AND redacted.body ->> 'redacted' = 'true'
        AND audit_redactions(redacted.body) @> ARRAY[%(redaction)s])"""

Found = tuple[datetime.date, uuid.UUID]

FEW = 1000
THROUGH_KINDS = "SET LOCAL enable_indexscan = off; SET LOCAL enable_seqscan = off"
ALONG_REDACTED = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
AS_BEFORE = "SET LOCAL enable_indexscan = on; SET LOCAL enable_seqscan = on"
SOME = f"""
SELECT mark.day, mark.call_id FROM audit_record AS mark
WHERE mark.tenant_id = ANY(%(tenants)s::uuid[]) AND {BY_KIND}
  AND (%(first_day)s::date IS NULL OR mark.day >= %(first_day)s)
  AND (%(last_day)s::date IS NULL OR mark.day <= %(last_day)s)
LIMIT {FEW}
"""  # noqa: S608  (put together from constants)
"""A kind that few calls have is found by the index on kinds, which knows no order; one that many
have by walking along the redacted calls. No statistics tell them apart, so it is tried."""

_STATEMENT = """
SELECT found.day, found.call_id
FROM unnest(%(tenants)s::uuid[]) AS tenant (id) CROSS JOIN LATERAL (
  SELECT DISTINCT ON (mark.call_id) mark.day, mark.call_id FROM audit_record AS mark
  WHERE mark.tenant_id = tenant.id AND {mark}
    AND (%(first_day)s::date IS NULL OR mark.day >= %(first_day)s)
    AND (%(last_day)s::date IS NULL OR mark.day <= %(last_day)s)
    AND (%(id)s::uuid IS NULL OR mark.call_id < %(id)s::uuid)
    AND (%(model)s = '' OR mark.model = %(model)s)
    AND (%(apps)s::uuid[] IS NULL OR mark.app_id = ANY(%(apps)s::uuid[]))
    AND EXISTS (SELECT FROM (
      SELECT first.at FROM audit_record AS first
      WHERE first.day = mark.day AND first.call_id = mark.call_id
        AND first.kind IN ('refused', 'admitted')
      ORDER BY first.attempt, first.kind LIMIT 1) AS listed
      WHERE (%(since)s::timestamptz IS NULL OR listed.at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR listed.at < %(until)s))
    AND (%(outcome)s = '' OR %(outcome)s = {outcome})
  ORDER BY mark.call_id DESC LIMIT %(size)s
) AS found
ORDER BY found.call_id DESC LIMIT %(size)s
"""


def find(cursor: CursorWrapper, values: dict[str, Any]) -> list[Found]:
    """Return day and id of the calls that the marks in `values` ask for, newest first."""
    marks, given = [BY_RULE], values
    if values["rule"]:
        marks += [ALSO_REDACTED] if values["redaction"] else []
    else:
        cursor.execute(THROUGH_KINDS)
        cursor.execute(SOME, values)
        some = cursor.fetchall()
        cursor.execute(AS_BEFORE)
        if len(some) < FEW:
            marks = [AMONG_FEW]
            days = sorted({day for day, _ in some})
            given = values | {"days": days, "ids": [call_id for _, call_id in some]}
        else:
            marks = [BY_REDACTION]
            cursor.execute(ALONG_REDACTED)
    cursor.execute(statement(marks), given)
    found: list[Found] = cursor.fetchall()
    return found


def statement(marks: Sequence[str]) -> str:
    """Return the statement for the conditions on a record."""
    outcome = OUTCOME_OF_LAST.format(record="mark")
    return _STATEMENT.format(mark=" AND ".join(marks), outcome=outcome)
