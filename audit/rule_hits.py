"""How often each rule matched, hour by hour: counted from the records, whole hours at a time.

An hour may be counted as often as one likes. Who reads a range reads few rows, however many calls
there were.
"""

import datetime
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum

from audit.decided import first_id, utc_day
from audit.models import Mark, RuleHits

HOUR = datetime.timedelta(hours=1)
LATE = datetime.timedelta(hours=2)
"""A call that arrived so long ago has ended, but for few: those are met once a day."""

ABSENT = datetime.timedelta(days=31)
"""So far back hours that were never counted are counted."""

KEEP = datetime.timedelta(days=400)
RULES_MAX = 1000

_ROLL = """
INSERT INTO audit_rulehits (start, tenant_id, rule, mode, calls, denied, decide_us, timed)
SELECT %(start)s, tenant_id, left(hit.rule, 130), hit.mode, count(DISTINCT call_id),
  count(DISTINCT call_id) FILTER (WHERE hit.is_denying),
  coalesce(sum(took.us), 0), count(took.us)
FROM audit_record,
  json_to_record(body) AS told (decision json, timings_us json),
  LATERAL (SELECT kind IN ('refused', 'admitted') AS is_request) AS phase,
  LATERAL (SELECT CASE WHEN is_request AND attempt <= 1
      AND told.timings_us ->> 'decide' ~ '^[0-9]{{1,12}}$'
      AND told.timings_us ->> 'parse' ~ '^[0-9]{{1,12}}$'
    THEN (told.timings_us ->> 'decide')::bigint - (told.timings_us ->> 'parse')::bigint END AS us
  ) AS took,
  LATERAL (
    SELECT '' AS rule, '' AS mode, false AS is_denying WHERE is_request
    UNION ALL
    SELECT named.rule, 'enforce', bool_or(named.is_denying) FROM (
      SELECT matched AS rule, false AS is_denying
      FROM json_array_elements_text({matched}) AS matched
      UNION ALL
      SELECT (ref ->> 1) || '/' || (ref ->> 2), true FROM json_array_elements({determining}) AS ref
      WHERE told.decision ->> 'effect' = 'deny'
    ) AS named WHERE named.rule <> '' GROUP BY 1
    UNION ALL
    SELECT DISTINCT shadow, 'shadow', false FROM json_array_elements_text({shadow}) AS shadow
    WHERE shadow <> ''
  ) AS hit
WHERE day BETWEEN %(first)s AND %(last)s AND call_id >= %(low)s AND call_id < %(high)s
  AND kind <> 'lost' AND json_typeof(told.decision) = 'object'
GROUP BY 2, 3, 4
""".format(  # noqa: S608  (put together from constants)
    **{
        name: f"(CASE WHEN json_typeof(told.decision -> '{name}') = 'array'"
        f" THEN told.decision -> '{name}' ELSE '[]' END)"
        for name in ("matched", "determining", "shadow")
    }
)


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """How a rule did over a time. `decide_us` is the mean time in which calls that it matched in
    were judged, by all rules together; None where it is not known."""

    rule: str
    mode: str
    calls: int
    denied: int
    decide_us: int | None
    last_hour: datetime.datetime
    false_positives: int
    correct: int

    @property
    def precision_percent(self) -> int | None:
        """The share of the marked calls in which it was right; None where none was marked."""
        marked = self.false_positives + self.correct
        return None if not marked else round(100 * self.correct / marked)


def hour_roll(start: datetime.datetime) -> None:
    """Count the calls of one hour anew."""
    until = start + HOUR
    values: dict[str, Any] = {
        "start": start, "low": first_id(start), "high": first_id(until),
        "first": utc_day(start), "last": utc_day(until),
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        RuleHits.objects.filter(start=start).delete()
        cursor.execute(_ROLL, values)


def hits_roll(now: datetime.datetime) -> int:
    """Count the hours that may have changed; return how many.

    Those that begin a day are counted with the whole day before, for calls that ended late.
    """
    this = now.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0)
    newest = RuleHits.objects.aggregate(at=Max("start"))["at"]
    since = this - ABSENT if newest is None else max(min(newest, this) - LATE, this - ABSENT)
    if this.hour == 1:
        since = min(since, this - 26 * HOUR)
    hours = 0
    while since <= this:
        hour_roll(since)
        since, hours = since + HOUR, hours + 1
    RuleHits.objects.filter(start__lt=now - KEEP).delete()
    return hours


def rule_figures(
    tenant_ids: Collection[uuid.UUID],
    since: datetime.datetime,
    until: datetime.datetime,
    policy: str = "",
) -> list[RuleFigures]:
    """Return the rules that matched in these tenants' calls, those that matched most first."""
    named = Q(rule__startswith=f"{policy}/") if policy else ~Q(rule="")
    marks = Mark.objects.filter(
        tenant_id__in=tenant_ids, on=Mark.On.RULE, arrived_at__gte=since, arrived_at__lt=until,
        subject=OuterRef("rule"),
    ).order_by()  # fmt: skip
    found = (
        RuleHits.objects.filter(named, tenant_id__in=tenant_ids, start__gte=since, start__lt=until)
        .values("rule", "mode")
        .annotate(
            hits=Sum("calls"), refused=Sum("denied"), us=Sum("decide_us"), judged=Sum("timed"),
            last=Max("start"), wrong=_count(marks, Mark.Verdict.FALSE_POSITIVE),
            right=_count(marks, Mark.Verdict.CORRECT),
        )
        .order_by("-hits", "rule")[:RULES_MAX]
    )  # fmt: skip
    return [
        RuleFigures(
            rule=row["rule"],
            mode=row["mode"],
            calls=row["hits"],
            denied=row["refused"],
            decide_us=row["us"] // row["judged"] if row["judged"] else None,
            last_hour=row["last"],
            false_positives=row["wrong"] or 0,
            correct=row["right"] or 0,
        )
        for row in found
    ]


class HitsBetween(NamedTuple):
    """How often each rule matched in a range, in how many calls, and the first hour counted."""

    counts: Mapping[str, int]
    calls: int
    first: datetime.datetime | None


def hits_between(
    tenant_ids: Collection[uuid.UUID], since: datetime.datetime, until: datetime.datetime
) -> HitsBetween:
    """Return how often the rules of these tenants matched, however they were enforced."""
    found = RuleHits.objects.filter(tenant_id__in=tenant_ids, start__gte=since, start__lt=until)
    rows = list(found.values("rule").annotate(hits=Sum("calls"), first=Min("start")))
    counts = {row["rule"]: row["hits"] for row in rows}
    first = min((row["first"] for row in rows), default=None)
    return HitsBetween(counts, counts.pop("", 0), first)


def _count(marks: QuerySet[Mark], verdict: str) -> Subquery:
    of_verdict = marks.filter(verdict=verdict).values("subject")
    return Subquery(of_verdict.annotate(number=Count("id")).values("number"))
