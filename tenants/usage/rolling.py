"""Keeping the rollups true: whole windows, absolute values, as often as one likes.

Which windows are to be rolled again is learned from what was written since the last run, however
late. Neither a row's time nor a sequence's number is monotone: a row may be older, or committed
later, than rows that were seen. The transaction's number is, in one direction: whatever a snapshot
did not see was written by a transaction that is not below the snapshot's lower end. So each row
carries its transaction, and a run takes every row from the lower end of the run before it on. Rows
that it meets twice do no harm.
"""

import datetime
import uuid
import zoneinfo
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from audit.outcome import LAST_WORD, OUTAGES, WITHHELD
from audit.record import call_id
from audit.selectors import partitions_first
from tenants.budgets import window_starts
from tenants.models import Tenant, UsageCalendar, UsageMark, UsageRollup, UsageTotal
from tenants.usage.postings import postings_roll
from tenants.usage.statements import (
    FORGET,
    HORIZON,
    ROWS_MAX,
    TOUCHED,
    roll_day,
    roll_hours,
)

SLOT_MS = 15 * 60 * 1000
"""Every zone's hours begin at a quarter of a UTC hour."""

_ROLL_HOURS, _ROLL_DAY = roll_hours(), roll_day()
# Compiling statements of so many sums takes longer than running them over an hour.
_BEGIN = """
SET LOCAL jit = off;
SET LOCAL work_mem = '64MB';
SELECT pg_advisory_xact_lock(hashtextextended('gatehouse: usage', 0));
"""
_NO_NOISE = bytes(10)


class Span(NamedTuple):
    """A time from one instant to another, which it does not hold."""

    since: datetime.datetime
    until: datetime.datetime


@dataclass(frozen=True, slots=True)
class Stretch:
    """Hours of one local day that are rolled up together, for tenants of one calendar."""

    zone: str
    day: Span
    hours: Span
    tenants: tuple[uuid.UUID, ...]


def usage_roll(progress: Callable[[int, int], None] | None = None) -> int:
    """Roll up every window that was written to since the last run; return how many stretches.

    Begins from the very first row where the mark is ahead of the server: it is another server's.
    """
    lower, upper = _horizon()
    _follow_calendars()
    mark = UsageMark.objects.filter(pk=1).first()
    since = 0 if mark is None or mark.xid > lower else mark.xid
    whole_before = None if mark is None else mark.hours_since
    at = timezone.now()
    touched = _touched(since, upper if since else 2**63 - 1)
    stretches = list(_stretches(touched, whole_before))
    for place, stretch in enumerate(stretches):
        roll(stretch)
        if progress is not None:
            progress(place + 1, len(stretches))
    UsageMark.objects.update_or_create(pk=1, defaults={"xid": lower, "at": at})
    postings_roll()
    return len(stretches)


def usage_rebuild(
    tenant: Tenant,
    first: datetime.date,
    last: datetime.date,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Roll the tenant's days from `first` to `last` up again; return how many.

    Days whose records are gone keep the rollups that they have.
    """
    kept = partitions_first()
    days = [day for day in local_days(tenant.timezone, first, last) if _has_records(day, kept)]
    for place, day in enumerate(days):
        roll(Stretch(tenant.timezone, day, day, (tenant.id,)))
        if progress is not None:
            progress(place + 1, len(days))
    return len(days)


def roll(stretch: Stretch) -> None:
    """Replace the stretch's hours by what records and ledger say, and its day by its hours."""
    zone, hours = zoneinfo.ZoneInfo(stretch.zone), stretch.hours
    starts = [
        _instant(start_s)
        for start_s in window_starts("hour", zone, hours.since, hours.until)
        if hours.since.timestamp() <= start_s < hours.until.timestamp()
    ]
    low, high = first_id(hours.since), first_id(hours.until)
    values: dict[str, Any] = {
        "granularity": "hour", "tenants": list(stretch.tenants),
        "since": hours.since, "until": hours.until,
        "first_day": hours.since.date(), "last_day": hours.until.date(), "low": low, "high": high,
        "starts": starts, "lows": [first_id(start) for start in starts],
        "words": list(reversed(LAST_WORD)), "outages": list(OUTAGES), "withheld": list(WITHHELD),
        "most": ROWS_MAX,
    }  # fmt: skip
    of_day: dict[str, Any] = {
        "granularity": "day", "tenants": list(stretch.tenants), "most": ROWS_MAX,
        "since": stretch.day.since, "until": stretch.day.until,
        "start": stretch.day.since, "end": stretch.day.until,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        for statement in (*FORGET, _ROLL_HOURS):
            cursor.execute(statement, values)
        for statement in (*FORGET, _ROLL_DAY):
            cursor.execute(statement, of_day)


def local_days(zone: str, first: datetime.date, last: datetime.date) -> list[Span]:
    """Return the days of a calendar from `first` to `last` as spans of time."""
    where = zoneinfo.ZoneInfo(zone)
    since, until = (
        datetime.datetime.combine(day, datetime.time(12), where) for day in (first, last)
    )
    instants = [_instant(start_s) for start_s in window_starts("day", where, since, until)]
    return [Span(*pair) for pair in pairwise(instants)]


def first_id(instant: datetime.datetime) -> uuid.UUID:
    """Return what no id of a call from this instant on is below, and all earlier ones are."""
    at_ms = int(instant.timestamp() * 1000)
    return uuid.UUID(int=call_id(at_ms, _NO_NOISE).int >> 80 << 80)


def _horizon() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(HORIZON)
        lower, upper = cursor.fetchone()
    return int(lower), int(upper)


def _touched(since: int, until: int) -> list[tuple[uuid.UUID, int]]:
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED, {"since": since, "until": until, "slot_ms": SLOT_MS})
        return list(cursor.fetchall())


def _stretches(
    touched: Collection[tuple[uuid.UUID, int]], whole_before: datetime.datetime | None
) -> Iterator[Stretch]:
    """Yield what to roll, oldest first: in each tenant's day from its first touched hour on.

    Days that began before an instant have lost hours: all of them are rolled anew.
    """
    named = Tenant.objects.filter(pk__in={tenant for tenant, _ in touched})
    zones, places, first = dict(named.values_list("pk", "timezone")), _Places(), partitions_first()
    days: dict[tuple[str, Span], dict[uuid.UUID, Span]] = {}
    for tenant, slot in touched:
        if tenant not in zones:
            continue
        day, hour = places.of(zones[tenant], slot)
        if whole_before is not None and day.since < whole_before:
            hour = day
        hours = days.setdefault((zones[tenant], day), {})
        hours[tenant] = _both(hours.get(tenant, hour), hour)
    for (zone, day), hours in sorted(days.items(), key=lambda entry: entry[0][1]):
        yield from (one for one in _together(zone, day, hours) if _has_records(one.hours, first))


def _together(zone: str, day: Span, hours: Mapping[uuid.UUID, Span]) -> Iterator[Stretch]:
    for span in sorted(set(hours.values())):
        tenants = tuple(sorted(tenant for tenant, own in hours.items() if own == span))
        yield Stretch(zone, day, span, tenants)


class _Places:
    """In which day and hour of a calendar a slot lies; each is worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[Span, Span]] = {}

    def of(self, zone: str, slot: int) -> tuple[Span, Span]:
        """Return the day and the hour."""
        found = self._known.get((zone, slot))
        if found is None:
            where = zoneinfo.ZoneInfo(zone)
            instant = _instant(slot * SLOT_MS // 1000)
            day, hour = (
                Span(*map(_instant, window_starts(window, where, instant, instant)[:2]))
                for window in ("day", "hour")
            )
            found = self._known[zone, slot] = (day, hour)
        return found


def _follow_calendars() -> None:
    """Cut the days of tenants whose time zone was changed anew, and note the zone of new ones."""
    known = dict(UsageCalendar.objects.values_list("tenant_id", "timezone"))
    for tenant in Tenant.objects.all():
        if known.get(tenant.pk, tenant.timezone) != tenant.timezone:
            _recut(tenant)
        if known.get(tenant.pk) != tenant.timezone:
            UsageCalendar.objects.update_or_create(
                tenant_id=tenant.pk, defaults={"timezone": tenant.timezone}
            )


def _recut(tenant: Tenant) -> None:
    """Roll all of a tenant's windows up in its new calendar; days without records from hours.

    Days whose hours have been deleted stay as they were cut.
    """
    hours = UsageRollup.objects.filter(tenant_id=tenant.pk, granularity="hour").order_by("start")
    starts = list(hours.values_list("start", flat=True).distinct())
    if not starts:
        return
    places, kept = _Places(), partitions_first()
    slots = [_slot(start) + quarter for start in starts for quarter in range(4)]
    _forget_days(tenant, starts[0])
    first = places.of(tenant.timezone, slots[0])[1].since
    for day in sorted({places.of(tenant.timezone, slot)[0] for slot in slots}):
        since = max(first, day.since) if _has_records(day, kept) else day.until
        roll(Stretch(tenant.timezone, day, Span(since, day.until), (tenant.pk,)))


def _forget_days(tenant: Tenant, first_hour: datetime.datetime) -> None:
    """Delete the days from the one of a tenant's first hour on."""
    for table in (UsageRollup, UsageTotal):
        days = table.objects.filter(tenant_id=tenant.pk, granularity="day")
        of_hour = days.filter(start__lte=first_hour).aggregate(last=Max("start"))["last"]
        days.filter(start__gte=of_hour or first_hour).delete()


def _slot(instant: datetime.datetime) -> int:
    return int(instant.timestamp() * 1000) // SLOT_MS


def _has_records(span: Span, first: datetime.date | None) -> bool:
    """Return whether nothing of a time has been dropped: what has keeps the rollup it had."""
    return first is not None and span.since.date() >= first


def _both(one: Span, other: Span) -> Span:
    return Span(min(one.since, other.since), max(one.until, other.until))


def _instant(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
