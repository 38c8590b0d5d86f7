"""What a candidate version changes on live traffic, counted from the records of calls."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from audit.actor import Actor
from policies.models import Rollout
from policies.scopes import scopes_of
from tenants.models import Tenant
from tenants.permissions import LacksError, tenants_where

READ = "record.read"
MOST = 20_000
"""So many of the newest records are looked at; the answer says whether there are more."""
EXAMPLES = 20

# Along the index on (tenant_id, at), the newest first; what is looked into is bounded.
_SEEN = f"""
WITH seen AS MATERIALIZED (
  SELECT record.call_id, record.at, record.kind, record.app_id, record.tenant_id, record.key_id,
    record.body -> 'rollout' AS compared
  FROM unnest(%(tenants)s::uuid[]) AS tenant (id) CROSS JOIN LATERAL (
    SELECT * FROM audit_record AS each
    WHERE each.tenant_id = tenant.id AND each.at >= %(since)s AND each.at <= %(until)s
      AND each.day >= %(first_day)s AND each.day <= %(last_day)s
    ORDER BY each.at DESC LIMIT {MOST}
  ) AS record
  ORDER BY record.at DESC LIMIT {MOST}
)
"""  # noqa: S608  (a constant)
_OF_ROLLOUT = """
  SELECT *, CASE kind WHEN 'completed' THEN 'answer' ELSE 'request' END AS phase,
    compared ->> 'change' AS change, compared ->> 'served' AS served
  FROM seen WHERE compared ->> 'name' = %(rollout)s
"""
_COUNTS = f"""{_SEEN}
SELECT phase, change, served, count(DISTINCT call_id)
FROM ({_OF_ROLLOUT}) AS told GROUP BY 1, 2, 3 ORDER BY 1 DESC, 4 DESC, 2, 3
"""  # noqa: S608  (constants)
_EXAMPLES = f"""{_SEEN}
SELECT call_id, at, phase, change, served, key_id,
  coalesce(compared -> 'other' ->> 'effect', ''), ARRAY(
    SELECT concat(rule ->> 1, '/', rule ->> 2)
    FROM json_array_elements(coalesce(compared -> 'other' -> 'determining', '[]'::json)) AS rule)
FROM ({_OF_ROLLOUT}) AS told WHERE change <> 'same' ORDER BY at DESC LIMIT {EXAMPLES}
"""  # noqa: S608  (constants)
_LOOKED_AT = f"{_SEEN} SELECT count(*), min(at) FROM seen"  # noqa: S608  (constants)


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls a candidate changes in one way, in one phase, for those served one version."""

    phase: str
    change: str
    served: str
    calls: int


@dataclass(frozen=True, slots=True)
class Example:
    """A call on which two versions differ, with what the one that did not hold decided."""

    call_id: uuid.UUID
    at: datetime.datetime
    phase: str
    change: str
    served: str
    key_id: str
    effect: str
    rules: list[str]


@dataclass(frozen=True, slots=True)
class Drift:
    """What a rollout showed so far. Not `complete`: only records since `since` were looked at."""

    since: datetime.datetime
    until: datetime.datetime
    records: int
    complete: bool
    counts: tuple[Count, ...]
    examples: tuple[Example, ...]


def drift_of(actor: Actor, rollout: Rollout) -> Drift:
    """Return what a rollout showed, on calls whose records the actor may read."""
    tenants = _tenants(actor, rollout)
    until = rollout.ended_at or timezone.now()
    wanted: dict[str, Any] = {
        "tenants": tenants,
        "rollout": str(rollout.id),
        "since": rollout.created_at,
        "until": until,
        "first_day": rollout.created_at.astimezone(datetime.UTC).date() - datetime.timedelta(1),
        "last_day": until.astimezone(datetime.UTC).date(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOOKED_AT, wanted)
        looked_at, oldest = cursor.fetchone()
        cursor.execute(_COUNTS, wanted)
        counts = tuple(Count(*row) for row in cursor.fetchall())
        cursor.execute(_EXAMPLES, wanted)
        examples = tuple(Example(*row) for row in cursor.fetchall())
    is_complete = looked_at < MOST
    since = rollout.created_at if is_complete else oldest
    return Drift(since, until, looked_at, is_complete, counts, examples)


def _tenants(actor: Actor, rollout: Rollout) -> list[uuid.UUID]:
    ids = tenants_where(actor, READ)
    if ids == frozenset():
        raise LacksError(actor, READ)
    scopes = scopes_of(rollout.policy)
    concerned = [tenant.id for tenant in scopes if tenant is not None]
    if None in scopes:
        active = Tenant.objects.exclude(state=Tenant.State.REMOVED)
        concerned = list(active.values_list("id", flat=True))
    return [one for one in concerned if ids is None or str(one) in ids]
