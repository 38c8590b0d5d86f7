"""Reads of the evidence, for an actor: newest first, page by page after a known row."""

import datetime
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit import marked
from audit.actor import EVIDENCE_READERS, Actor
from audit.models import Event, Export, Record
from audit.outcome import LAST_WORD, OUTAGES, OUTCOME_OF_LAST, WITHHELD
from audit.record import day

PAGE = 50
PATIENCE_MS = 4000
RECORDED_FIRST = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
RECORDED_LAST = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
"""Nothing is recorded outside: days are reckoned within, whatever instant is asked for."""
QUERY_CANCELED = "57014"
# How many calls have an outcome is not to be estimated: the planner would rather read and sort all.
ALONG_THE_INDEX = "SET LOCAL enable_sort = off"

RECENT = datetime.timedelta(days=3)
KNOWN_MOST = 3000
"""So many records that may tell an outcome are looked up one by one; more are met on the way."""

WALKED = "FROM audit_record AS record"
# Kept apart from the rest, so that no plan walks along the index after all.
_EACH = """CROSS JOIN LATERAL (
    SELECT * FROM audit_record AS of_call
    WHERE of_call.day = known.day AND of_call.call_id = known.call_id OFFSET 0
  ) AS record"""
LISTED = f"FROM unnest(%(days)s::date[], %(ids)s::uuid[]) AS known (day, call_id) {_EACH}"
# The conditions are those of the index record_told.
TOLD = "(told.code <> '' OR told.kind = 'lost') AND told.kind = ANY(%(kinds)s)"
KNOWN = f"""FROM (
    SELECT DISTINCT day, call_id FROM audit_record AS told
    WHERE told.tenant_id = tenant.id AND {TOLD}
      AND (%(first_day)s::date IS NULL OR told.day >= %(first_day)s)
      AND (%(last_day)s::date IS NULL OR told.day <= %(last_day)s)
  ) AS known {_EACH}"""  # noqa: S608  (constants)
COUNT_TOLD = f"""
SELECT count(*) FROM (
  SELECT FROM audit_record AS told WHERE told.tenant_id = ANY(%(tenants)s) AND {TOLD}
    AND (%(first_day)s::date IS NULL OR told.day >= %(first_day)s)
    AND (%(last_day)s::date IS NULL OR told.day <= %(last_day)s)
  LIMIT {KNOWN_MOST + 1}
) AS told
"""  # noqa: S608  (constants)
TOLD_BY = {
    "denied": ("refused", "completed"), "failed": ("refused", "completed"), "lost": ("lost",),
}  # fmt: skip
"""The kinds of record without which no call ends so."""

# A call is listed where its first record stands. Each tenant's calls are read along the index on
# (tenant_id, at) and no further than a page, then merged. Values that ask for nothing ('' or NULL)
# are literals when the statement is planned, so that their conditions are gone before it runs.
CALLS = """
SELECT found.day, found.call_id, found.at
FROM unnest(%(tenants)s::uuid[]) AS tenant (id) CROSS JOIN LATERAL (
  SELECT record.day, record.call_id, record.at {{source}}
  WHERE record.tenant_id = tenant.id AND record.kind IN ('refused', 'admitted')
    AND (%(since)s::timestamptz IS NULL OR record.at >= %(since)s)
    AND (%(first_day)s::date IS NULL OR record.day >= %(first_day)s)
    AND (%(until)s::timestamptz IS NULL OR record.at < %(until)s)
    AND (%(last_day)s::date IS NULL OR record.day <= %(last_day)s)
    AND (%(before)s::timestamptz IS NULL OR record.at <= %(before)s)
    AND (%(before)s::timestamptz IS NULL OR (record.at, record.call_id) < (%(before)s, %(id)s))
    AND (%(model)s = '' OR record.model = %(model)s)
    AND (%(apps)s::uuid[] IS NULL OR record.app_id = ANY(%(apps)s::uuid[]))
    AND (record.attempt, record.kind) = (
      SELECT first.attempt, first.kind FROM audit_record AS first
      WHERE first.day = record.day AND first.call_id = record.call_id
        AND first.kind IN ('refused', 'admitted')
      ORDER BY first.attempt, first.kind LIMIT 1)
    AND (%(outcome)s = '' OR %(outcome)s = {outcome})
  ORDER BY record.at DESC, record.call_id DESC LIMIT %(size)s
) AS found
ORDER BY found.at DESC, found.call_id DESC LIMIT %(size)s
""".format(outcome=OUTCOME_OF_LAST.format(record="record"))  # noqa: S608  (a statement of ours)


class TooBroadError(Exception):
    """The search went through more records than it has time for: a shorter range would do."""


@dataclass(frozen=True, slots=True)
class CallsWanted:
    """Which calls to list; what is left out asks for all. `until` and `before` are exclusive.

    `rule` is what refused a call or withheld its answer, as marked.py names it; `redaction` is a
    kind that its request carried and was redacted for. `among` names the only calls that can be
    wanted, where few are known to be.
    """

    app_ids: Collection[uuid.UUID] | None = None
    model: str = ""
    outcome: str = ""
    rule: str = ""
    redaction: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    before: tuple[datetime.datetime, uuid.UUID] | None = None
    among: Collection[uuid.UUID] | None = None


def events_visible(actor: Actor) -> QuerySet[Event]:
    """Return the events that the actor may see: all, or those of tenants where a role allows it."""
    events = Event.objects.order_by("-id")
    if _sees_everything(actor):
        return events
    return events.filter(tenant_id__in=_tenants_read_by(actor))


def event_page(
    actor: Actor, *, before_id: int | None = None, action: str = "", size: int = PAGE
) -> list[Event]:
    """Return the next page of events older than `before_id`."""
    wanted = Q()
    if before_id is not None:
        wanted &= Q(id__lt=before_id)
    if action:
        wanted &= Q(action=action)
    return list(events_visible(actor).filter(wanted)[:size])


def events_named(events: QuerySet[Event], *, actor: str = "", thing: str = "") -> QuerySet[Event]:
    """Return those of the events whose actor, and whose object, are named so.

    An actor and an object's name are found by a part of them in any case, an object's id by all.
    """
    if actor:
        events = events.filter(actor__icontains=actor)
    if thing:
        events = events.filter(Q(object_id=thing) | Q(object_name__icontains=thing))
    return events


def records_visible(actor: Actor) -> QuerySet[Record]:
    """Return the records of calls that the actor may see."""
    records = Record.objects.order_by("-at")
    if _sees_everything(actor):
        return records
    return records.filter(tenant_id__in=_tenants_read_by(actor))


def exports_visible(actor: Actor) -> QuerySet[Export]:
    """Return the exports that the actor may see, newest first."""
    exports = Export.objects.order_by("-created_at")
    if _sees_everything(actor):
        return exports
    return exports.filter(tenant_id__in=_tenants_read_by(actor))


def call_records(actor: Actor, *, call_id: uuid.UUID, day: datetime.date) -> list[Record]:
    """Return every record of one call, oldest first; empty where there is none to see."""
    found = records_visible(actor).filter(day=day, call_id=call_id)
    return list(found.order_by("at", "attempt"))


def calls_page(
    tenant_ids: Collection[uuid.UUID], wanted: CallsWanted, size: int = PAGE
) -> list[list[Record]]:
    """Return the records of the newest calls of these tenants that are wanted, a list for each.

    Within a call the first attempt comes first. Raises TooBroadError where it takes too long.
    """
    keys = _call_keys(tenant_ids, wanted, size)
    found: dict[uuid.UUID, list[Record]] = {call_id: [] for _, call_id in keys}
    records = Record.objects.filter(
        day__in={day for day, _ in keys}, call_id__in=found, tenant_id__in=tenant_ids
    )
    for record in records.order_by("attempt", "kind"):
        found[record.call_id].append(record)
    return list(found.values())


def _call_keys(
    tenant_ids: Collection[uuid.UUID], wanted: CallsWanted, size: int
) -> list[tuple[datetime.date, uuid.UUID]]:
    values = _values(tenant_ids, wanted, size)
    is_marked = bool(wanted.rule or wanted.redaction)
    with in_time(plan="" if is_marked else ALONG_THE_INDEX), connection.cursor() as cursor:
        if is_marked:
            return marked.find(cursor, values)
        is_rare = wanted.among is not None or wanted.outcome == "lost"
        narrowed = not is_rare and bool(wanted.model or wanted.app_ids)
        found = _recent(cursor, values) if narrowed else None
        if found is None:
            source = _source(cursor, wanted, values)
            cursor.execute(CALLS.replace("{source}", source), values)
            found = cursor.fetchall()
        return [(filed, call_id) for filed, call_id, _ in found]


def _values(tenant_ids: Collection[uuid.UUID], wanted: CallsWanted, size: int) -> dict[str, Any]:
    before, identity = wanted.before or (None, None)
    ends = [instant for instant in (wanted.until, before) if instant is not None]
    # A record is written on the day of its call's arrival, or soon after midnight.
    day_ahead = datetime.timedelta(days=1)
    return {
        "tenants": list(tenant_ids),
        "since": wanted.since,
        "until": wanted.until,
        "first_day": None if wanted.since is None else _day(wanted.since) - day_ahead,
        "last_day": _day(min(ends)) if ends else None,
        "before": before,
        "id": identity,
        "model": wanted.model,
        "apps": None if wanted.app_ids is None else list(wanted.app_ids),
        "outcome": wanted.outcome,
        "rule": wanted.rule,
        "redaction": wanted.redaction,
        "outages": list(OUTAGES),
        "withheld": list(WITHHELD),
        "last_word": list(LAST_WORD),
        "size": size,
        "kinds": list(TOLD_BY.get(wanted.outcome, ())),
        "ids": list(wanted.among or ()),
        "days": [day(call_id) for call_id in wanted.among or ()],
    }


@contextmanager
def in_time(patience_ms: int = PATIENCE_MS, *, plan: str = "") -> Iterator[None]:
    """Give each statement so long; raise TooBroadError for one that takes longer.

    `plan` is what else holds for them: settings of the planner, as SET LOCAL statements.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {patience_ms}; {plan}")
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == QUERY_CANCELED:
            raise TooBroadError from error
        raise


def _recent(cursor: Any, values: Mapping[str, Any]) -> list[Any] | None:
    """Return a page of the last days alone, or None where it might be another one.

    To merge days by time, the first match of each is looked for: an old day that has none is read
    to its end.
    """
    first = (values["last_day"] or _day(timezone.now())) - RECENT
    if values["first_day"] is not None and values["first_day"] >= first:
        return None
    cursor.execute(CALLS.replace("{source}", WALKED), {**values, "first_day": first})
    found: list[Any] = cursor.fetchall()
    # What was filed before the first of these days was written before the second, at the latest.
    is_whole = len(found) == values["size"] and _day(found[-1][-1]) > first
    return found if is_whole else None


def _source(cursor: Any, wanted: CallsWanted, values: Mapping[str, Any]) -> str:
    """Return where calls are looked for: an outcome that is rare is not met by walking."""
    if wanted.among is not None:
        return LISTED
    if wanted.outcome in TOLD_BY:
        cursor.execute(COUNT_TOLD, values)
        if cursor.fetchone()[0] <= KNOWN_MOST:
            return KNOWN
    return WALKED


def _day(instant: datetime.datetime) -> datetime.date:
    within = min(max(instant, RECORDED_FIRST), RECORDED_LAST)
    return within.astimezone(datetime.UTC).date()


def partitions_ahead(today: datetime.date) -> int:
    """Return for how many days from `today` on, without a gap, records have a place."""
    names = _partitions()
    days = 0
    while f"audit_record_{today + datetime.timedelta(days):%Y%m%d}" in names:
        days += 1
    return days


def partitions_first() -> datetime.date | None:
    """Return the first day that records have a place for."""
    days = sorted(name.removeprefix("audit_record_") for name in _partitions())
    return datetime.date.fromisoformat(days[0]) if days else None


def _partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'audit_record'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


def _sees_everything(actor: Actor) -> bool:
    return actor.is_operator or actor.is_superuser


def _tenants_read_by(actor: Actor) -> list[str]:
    return [tenant_id for tenant_id, roles in actor.memberships.items() if roles & EVIDENCE_READERS]
