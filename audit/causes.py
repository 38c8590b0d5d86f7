"""Why calls were refused or answers withheld, and what was redacted: of the newest records.

Rollups do not tell rules and kinds apart. So as many records are looked at as a page may wait for,
along the index on (tenant_id, at), and the answer says how far back they reach.
"""

import datetime
import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import connection

from audit.outcome import WITHHELD, Outcome, outcome

LOOKED_AT_MAX = 4000

_NEWEST = """
SELECT record.at, record.code, record.code = 'policy_denied' AS by_policy,
  CASE WHEN record.code <> '' THEN told.decision -> 'determining' -> 0 ->> 1 END AS policy,
  CASE WHEN record.code <> '' THEN told.decision -> 'determining' -> 0 ->> 2 END AS rule,
  told.rule AS limit_name,
  CASE WHEN told.redacted = 'true' THEN told.facts -> 'findings' END
FROM unnest(%(tenants)s::uuid[]) AS tenant (id) CROSS JOIN LATERAL (
  SELECT at, code, body FROM audit_record
  WHERE tenant_id = tenant.id
    AND (kind IN ('refused', 'admitted') OR kind = 'completed' AND code = ANY(%(withheld)s))
    AND at >= %(since)s AND at < %(until)s AND day BETWEEN %(first)s AND %(last)s
  ORDER BY at DESC LIMIT %(most)s
) AS record
CROSS JOIN LATERAL json_to_record(record.body)
  AS told (decision json, rule text, redacted text, facts json)
ORDER BY record.at DESC LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why calls were refused: a code, and the rule or limit where one decided."""

    code: str
    rule: str

    @property
    def outcome(self) -> Outcome:
        """How the calls ended that it was met in: lists are narrowed by it."""
        return outcome("refused", self.code)


@dataclass(frozen=True, slots=True)
class Causes:
    """How often each cause and each redacted kind was met, most first.

    `back_to` is None where all of the time was looked at.
    """

    refused: tuple[tuple[Cause, int], ...]
    redacted: tuple[tuple[str, int], ...]
    looked_at: int
    back_to: datetime.datetime | None


def causes(
    tenant_ids: Collection[uuid.UUID],
    since: datetime.datetime,
    until: datetime.datetime,
    most: int = LOOKED_AT_MAX,
) -> Causes:
    """Return what the newest `most` records of these tenants say; one that was left counts once."""
    values: dict[str, Any] = {
        "withheld": list(WITHHELD), "tenants": list(tenant_ids), "since": since,
        "until": until, "most": most,
        "first": (since - datetime.timedelta(days=1)).date(), "last": until.date(),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, values)
        rows = cursor.fetchall()
    refused = Counter(_cause(row) for row in rows if row[1])
    redacted = Counter(kind for row in rows for kind in _kinds(row[-1]))
    return Causes(
        refused=tuple(refused.most_common()),
        redacted=tuple(redacted.most_common()),
        looked_at=len(rows),
        back_to=rows[-1][0] if len(rows) == most else None,
    )


def _cause(row: tuple[Any, ...]) -> Cause:
    _at, code, by_policy, policy, rule, limit_name, _findings = row
    if by_policy:
        return Cause(code, f"{policy} / {rule}" if rule else "")
    return Cause(code, limit_name or "")


def _kinds(findings: Any) -> set[str]:
    """Return the kinds that a redacted call carried, each once."""
    return {finding[0] for finding in findings or ()}
