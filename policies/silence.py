"""How often the rules of policies matched lately: what analysis calls silent rests on it.

All of the days must have been counted, and what is asked of must have been there; with fewer calls
than `TRAFFIC_MIN`, silence says nothing.
"""

import datetime
import uuid
from collections.abc import Collection

from audit.anomaly import DAYS, TRAFFIC_MIN
from audit.rule_hits import hits_between
from policies.models import PolicyVersion
from policies.pdp.analysis.analyse import Hits

DAY = datetime.timedelta(days=1)


def hits_of(
    tenant_ids: Collection[uuid.UUID],
    versions: Collection[PolicyVersion],
    now: datetime.datetime,
) -> Hits | None:
    """Return the hits of active versions in the calls of tenants; None where it is too early, or
    there were too few calls, to call a rule silent."""
    begun = max((version.created_at for version in versions), default=now)
    if begun > now - DAYS * DAY or not tenant_ids:
        return None
    found = hits_between(tenant_ids, now - DAYS * DAY, now)
    if found.first is None or found.first > now - (DAYS - 1) * DAY:
        return None
    return Hits(DAYS, found.counts) if found.calls >= TRAFFIC_MIN else None
