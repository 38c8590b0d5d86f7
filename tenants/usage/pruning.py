"""Hours that are old go; their days stay."""

import datetime
import zoneinfo

from tenants.budgets import window_starts
from tenants.models import UsageCalendar, UsageMark, UsageRollup, UsageTotal

EVERY = datetime.timedelta(days=1)


def usage_prune(before: datetime.datetime) -> int:
    """Delete the hours of local days that ended before an instant; return how many rows.

    Does nothing where that was done less than a day ago. Must not run beside `usage_roll`.
    """
    mark = UsageMark.objects.filter(pk=1).first()
    if mark is None or (mark.hours_since is not None and before < mark.hours_since + EVERY):
        return 0
    # Said before it is done: a day that may lack hours is never rolled up from those it has.
    UsageMark.objects.filter(pk=1).update(hours_since=before)
    calendars = UsageCalendar.objects.values_list("tenant_id", "timezone")
    deleted = 0
    for tenant_id, zone in list(calendars):
        (start_s, *_) = window_starts("day", zoneinfo.ZoneInfo(zone), before, before)
        day = datetime.datetime.fromtimestamp(start_s, datetime.UTC)
        for table in (UsageRollup, UsageTotal):
            old = table.objects.filter(tenant_id=tenant_id, granularity="hour", start__lt=day)
            deleted += old.delete()[0]
    return deleted


def usage_hours_since() -> datetime.datetime | None:
    """Return the instant from which on there are hours; None where none was deleted."""
    return UsageMark.objects.filter(pk=1).values_list("hours_since", flat=True).first()
