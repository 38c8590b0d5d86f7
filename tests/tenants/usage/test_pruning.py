"""Old hours go, and no day loses anything by it."""

import datetime
import zoneinfo

import pytest
from django.db.models import Sum
from django.utils import timezone

from audit.actor import command
from tenants.models import UsageMark, UsageRollup, UsageTotal
from tenants.services.apps import app_create
from tenants.services.tenants import tenant_create, tenant_update
from tenants.usage.pruning import usage_hours_since, usage_prune
from tenants.usage.rolling import usage_rebuild, usage_roll
from tests.booked import Calls, hours_of

OPERATOR = command("tests")
ZONE = zoneinfo.ZoneInfo("Asia/Kolkata")
DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
OLD = (timezone.now() - 6 * DAY).astimezone(ZONE).date()
NEW = OLD + 2 * DAY


@pytest.fixture
def calls(db, unique):
    tenant = tenant_create(actor=OPERATOR, name=unique("acme"), timezone=ZONE.key)
    made = Calls(tenant, app_create(actor=OPERATOR, tenant=tenant, name="app"))
    for day, count in ((OLD, 3), (NEW, 2)):
        for number in range(count):
            made.call(at(day, 5 + number))
    made.book()
    usage_roll()
    UsageMark.objects.update(hours_since=None)
    yield made
    UsageMark.objects.update(hours_since=None)


def at(day, hour):
    return (hours_of(day, ZONE) + hour * HOUR).astimezone(datetime.UTC)


def counted(calls, granularity, table=UsageRollup):
    found = table.objects.filter(tenant_id=calls.tenant.id, granularity=granularity)
    days = found.values_list("start").annotate(Sum("calls"))
    return {start.astimezone(ZONE): count for start, count in days}


def by_day(calls, zone=ZONE):
    found = {}
    for start, count in counted(calls, "day").items():
        found[start.astimezone(zone).date()] = count
    return found


def test_hours_of_days_that_ended_before_go_and_days_stay(calls):
    usage_prune(at(NEW, 3))
    for table in (UsageRollup, UsageTotal):
        hours = counted(calls, "hour", table)
        assert set(hours) == {at(NEW, 5), at(NEW, 6)}
        assert sorted(counted(calls, "day", table).values()) == [2, 3]
    assert by_day(calls) == {OLD: 3, NEW: 2}
    assert usage_hours_since() == at(NEW, 3)


def test_once_a_day_is_enough(calls):
    usage_prune(at(OLD, 0))
    assert usage_prune(at(OLD, 23)) == 0
    assert len(counted(calls, "hour")) == 5
    assert usage_prune(at(OLD, 24)) > 0
    assert len(counted(calls, "hour")) == 2


def test_nothing_goes_before_anything_was_rolled_up(calls):
    UsageMark.objects.all().delete()
    assert usage_prune(at(NEW, 3)) == 0
    usage_roll()


def test_what_comes_late_for_a_day_without_its_hours_is_counted_with_the_rest(calls):
    usage_prune(at(NEW, 3))
    calls.call(at(OLD, 9))
    calls.book()
    usage_roll()
    assert by_day(calls) == {OLD: 4, NEW: 2}
    assert len(counted(calls, "hour")) == 6


def test_a_rebuilt_day_is_whole(calls):
    usage_prune(at(NEW, 3))
    usage_rebuild(calls.tenant, OLD, OLD)
    assert by_day(calls) == {OLD: 3, NEW: 2}


def test_another_time_zone_cuts_what_has_hours_and_keeps_the_days_before(calls):
    usage_prune(at(NEW, 3))
    tenant_update(actor=OPERATOR, tenant=calls.tenant, timezone="America/New_York")
    usage_roll()
    there = zoneinfo.ZoneInfo("America/New_York")
    starts = sorted(counted(calls, "day"))
    assert starts[0] == at(OLD, 0)
    assert all(start.astimezone(there).hour == 0 for start in starts[1:])
    assert sum(counted(calls, "day").values()) == 5
