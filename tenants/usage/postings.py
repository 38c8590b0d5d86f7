"""What budgets have used: added up as far as all is committed; the newest is added when read.

The sums hold the postings of transactions before the mark, and the mark is never above the lower
end of a snapshot: whatever is before it has ended. So a statement that adds the postings from the
mark on to the sums sees each posting once, at every instant.
"""

import datetime
import uuid
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction

from tenants.models import PostingMark, PostingSum
from tenants.usage.statements import HORIZON

SLOT_S = 15 * 60
"""Every zone's days begin at a quarter of an hour."""

_ARRIVED_S = "('x' || left(replace(call_id::text, '-', ''), 12))::bit(48)::bigint / 1000"
_ADD = f"""
INSERT INTO tenants_postingsum (budget_id, window_start, "group", slot, micros)
SELECT budget_id, window_start, "group", {_ARRIVED_S} / {SLOT_S}, sum(delta_micros)
FROM tenants_ledgerposting WHERE xid >= %(since)s AND xid < %(until)s
GROUP BY 1, 2, 3, 4
ON CONFLICT (budget_id, window_start, "group", slot)
DO UPDATE SET micros = tenants_postingsum.micros + excluded.micros
"""  # noqa: S608  (constants)
# The mark alone says what the sums hold. It only moves on, so one that was read before bounds what
# is looked at: the planner knows how little that is.
_POSTED = f"""
WITH mark AS MATERIALIZED (
  SELECT xid FROM tenants_postingmark
  WHERE xid <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
), posted AS (
  SELECT budget_id, window_start, "group", slot, micros FROM tenants_postingsum
  WHERE EXISTS (SELECT FROM mark)
    AND budget_id = ANY(%(budgets)s) AND window_start = ANY(%(starts)s)
  UNION ALL
  SELECT budget_id, window_start, "group", {_ARRIVED_S} / {SLOT_S}, delta_micros
  FROM tenants_ledgerposting
  WHERE xid >= %(seen)s AND xid >= coalesce((SELECT xid FROM mark), 0)
    AND budget_id = ANY(%(budgets)s) AND window_start = ANY(%(starts)s)
)
SELECT budget_id, window_start, "group", width_bucket(slot * {SLOT_S}::bigint, %(days)s::bigint[]),
  sum(micros)::bigint
FROM posted GROUP BY 1, 2, 3, 4
"""  # noqa: S608  (constants)
_HELD = """
SELECT mark.xid, place ->> 0, (place ->> 1)::numeric::bigint, place ->> 3, (place ->> 4)::bigint
FROM (
  SELECT max(xid) AS xid FROM tenants_postingmark
  WHERE xid <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
) AS mark LEFT JOIN (
  tenants_hold AS hold CROSS JOIN LATERAL jsonb_array_elements(hold.amounts) AS place
) ON hold.state = 'open' AND hold.tenant_id = ANY(%s)
"""


class Posted(NamedTuple):
    """What calls of a day cost; `day` counts from 1 in the days asked for, 0 is before them."""

    budget_id: uuid.UUID
    start: datetime.datetime
    group: str
    day: int
    micros: int


class Held(NamedTuple):
    """What an attempt holds of a budget; `start_s` is its window's."""

    budget_id: str
    start_s: int
    group: str
    micros: int


def postings_roll() -> None:
    """Add up what was posted since the last time.

    Begins from the very first row where the mark is ahead of the server: it is another server's.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('gatehouse: postings', 0))")
        cursor.execute(HORIZON)
        until = int(cursor.fetchone()[0])
        since = PostingMark.objects.filter(pk=1, xid__lte=until).values_list("xid", flat=True)
        first = since.first()
        if first is None:
            PostingSum.objects.all().delete()
        cursor.execute(_ADD, {"since": first or 0, "until": until})
        PostingMark.objects.update_or_create(pk=1, defaults={"xid": until})


def posted_and_held(
    tenant_ids: Collection[uuid.UUID],
    budget_ids: Collection[uuid.UUID],
    starts: Collection[datetime.datetime],
    days: Sequence[datetime.datetime] = (),
) -> tuple[list[Posted], list[Held]]:
    """Return what was posted in windows of budgets, and what their tenants' open calls hold."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [list(tenant_ids)])
        rows = cursor.fetchall()
        values: dict[str, Any] = {
            "budgets": list(budget_ids), "starts": list(starts), "seen": rows[0][0] or 0,
            "days": [int(day.timestamp()) for day in days] or [0],
        }  # fmt: skip
        cursor.execute(_POSTED, values)
        posted = [Posted(*row) for row in cursor.fetchall()]
    return posted, [Held(*row[1:]) for row in rows if row[1] is not None]
