"""Rollups: equal to the ledger, in the tenant's calendar, true again whatever comes late."""

import datetime
import zoneinfo

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from audit.actor import command
from audit.record import call_id
from tenants.models import LedgerEntry, UsageMark, UsageRollup, UsageTotal
from tenants.services.apps import app_create
from tenants.services.tenants import tenant_create, tenant_update
from tenants.usage.latency import added as added_histograms
from tenants.usage.rolling import first_id, local_days, usage_rebuild, usage_roll
from tenants.usage.statements import OTHER, ROWS_MAX
from tests.booked import Calls, hours_of

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
YESTERDAY = timezone.now().date() - datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def calls(unique):
    return of_zone(unique, "UTC")


def of_zone(unique, zone):
    tenant = tenant_create(actor=OPERATOR, name=unique("acme"), timezone=zone)
    return Calls(tenant, app_create(actor=OPERATOR, tenant=tenant, name="app"))


def rows(calls, granularity="hour"):
    return UsageRollup.objects.filter(tenant_id=calls.tenant.id, granularity=granularity)


def sums(found):
    names = (
        "calls", "refused", "denied", "redacted", "failed", "lost", "input_tokens",
        "output_tokens", "cached_tokens", "cost_pico", "cost_micros", "latency_ms",
    )  # fmt: skip
    return found.aggregate(**{name: Sum(name, default=0) for name in names})


def ledger(calls):
    entries = LedgerEntry.objects.filter(tenant_id=calls.tenant.id)
    return dict(entries.values_list("currency").annotate(Sum("delta_pico")))


def rolled_cost(calls, granularity):
    costs = rows(calls, granularity).exclude(currency="").values_list("currency")
    return dict(costs.annotate(Sum("cost_pico")))


def test_the_sums_are_the_ledgers_to_the_last_pico(calls):
    since = hours_of(YESTERDAY) - 30 * HOUR
    calls.at_random(since, since + 60 * HOUR, 700)
    calls.book()
    usage_roll()
    assert rolled_cost(calls, "hour") == rolled_cost(calls, "day") == ledger(calls)
    assert len(ledger(calls)) == 2
    assert sums(rows(calls)) == sums(rows(calls, "day"))
    found = sums(rows(calls))
    assert found["calls"] == 700
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(cost_micros), count(DISTINCT call_id), count(*) FILTER"
            " (WHERE kind = 'refused') FROM audit_record WHERE tenant_id = %s",
            [calls.tenant.id],
        )
        assert cursor.fetchone() == (found["cost_micros"], 700, found["refused"])


def test_totals_are_the_sums_over_users_and_tags(calls):
    since = hours_of(YESTERDAY) - 30 * HOUR
    calls.at_random(since, since + 60 * HOUR, 300)
    calls.book()
    usage_roll()
    usage_rebuild(calls.tenant, YESTERDAY, YESTERDAY)
    kept = ("granularity", "start", "app_id", "key_id", "model", "currency")
    added = {name: Sum(name) for name in ("calls", "denied", "cost_pico", "latency_ms")}

    def parted(table):
        found = table.objects.filter(tenant_id=calls.tenant.id).values(*kept).annotate(**added)
        return sorted(map(tuple, found.values_list(*kept, *added)), key=str)

    assert parted(UsageTotal) == parted(UsageRollup)
    assert UsageTotal.objects.filter(tenant_id=calls.tenant.id).count() == len(parted(UsageTotal))

    def histogram(table):
        found = table.objects.filter(tenant_id=calls.tenant.id, granularity="day")
        return added_histograms(list(found.values_list("latency", flat=True)))

    assert histogram(UsageTotal) == histogram(UsageRollup)


def test_each_outcome_is_counted_where_the_console_counts_it(calls):
    at = hours_of(YESTERDAY) + 9 * HOUR
    calls.call(at, user="ann", took_ms=1000, redacted=True, usage=(100, 20, 30))
    calls.call(at, code="policy_denied")
    calls.call(at, code="upstream_error", usage=None)
    calls.call(at, attempts=2)
    calls.refuse(at)
    calls.refuse(at, code="insufficient_quota")
    calls.refuse(at, code="evidence_unavailable")
    calls.book()
    usage_roll()
    found = sums(rows(calls))
    wanted = {
        "calls": 7, "refused": 3, "denied": 3, "failed": 2, "lost": 0, "redacted": 1,
        "input_tokens": 120, "output_tokens": 30, "cached_tokens": 34, "cost_pico": 6_000_000,
        "cost_micros": 8, "latency_ms": 1900,
    }  # fmt: skip
    assert found == wanted
    of_ann = rows(calls).get(user="ann")
    assert (of_ann.start, of_ann.calls, sum(of_ann.latency)) == (at, 1, 1)


def hit(saved_pico, currency="USD", **more):
    """Return what the record of a hit says of it."""
    return {
        "outcome": "hit", "age_s": 3, "stale": False, "saved_pico": str(saved_pico),
        "currency": currency, "first": "x", **more,
    }  # fmt: skip


def test_hits_and_what_they_saved_are_counted_in_the_money_that_they_saved(calls):
    at = hours_of(YESTERDAY) + 9 * HOUR
    calls.call(at, cache={"outcome": "miss"})
    calls.call(at, cache={"outcome": "miss"}, attempts=2)
    calls.call(at, cache={"outcome": "bypass"})
    calls.call(at, cache=hit(2_500_000), cost_pico=0, usage=None)
    calls.call(at, cache=hit(1_500_000, stale=True), cost_pico=500_000, usage=None)
    calls.call(at, cache=hit(7_000_000, "EUR"), cost_pico=0, usage=None)
    calls.call(at, cache=hit(9_000_000), code="policy_denied", cost_pico=0, usage=None)
    calls.call(at, cache=hit(0, outcome="replayed"), cost_pico=0, usage=None)
    calls.book()
    usage_roll()
    for granularity in ("hour", "day"):
        found = (
            rows(calls, granularity)
            .values_list("currency")
            .annotate(Sum("cache_hits"), Sum("cache_misses"), Sum("saved_micros"))
        )
        assert sorted(found) == [("", 0, 0, 0), ("EUR", 1, 0, 7), ("USD", 2, 2, 3)]
    assert sums(rows(calls))["calls"] == 8


def test_running_again_changes_nothing(calls):
    calls.at_random(hours_of(YESTERDAY), hours_of(YESTERDAY) + 24 * HOUR, 60)
    calls.book()
    usage_roll()
    before = sums(rows(calls)), rows(calls).count()
    UsageMark.objects.all().delete()
    usage_roll()
    usage_rebuild(calls.tenant, YESTERDAY, YESTERDAY)
    assert (sums(rows(calls)), rows(calls).count()) == before


def test_what_comes_late_is_rolled_in(calls):
    at = hours_of(YESTERDAY) + 3 * HOUR
    calls.call(at)
    calls.book()
    usage_roll()
    assert usage_roll() == 0
    calls.call(at - HOUR)
    calls.refuse(at)
    calls.book()
    usage_roll()
    assert sums(rows(calls))["calls"] == sums(rows(calls, "day"))["calls"] == 3


def test_a_transaction_that_commits_after_a_later_one_was_rolled_up_is_not_missed(calls):
    at = hours_of(YESTERDAY) + 5 * HOUR
    with psycopg.connect(settings.GATEHOUSE.database_url) as slow:
        slow.execute(
            "INSERT INTO audit_record (day, call_id, attempt, kind, at, tenant_id, key_id, model,"
            " code, body) VALUES (%s, %s, 0, 'refused', %s, %s, 'K', 'm', 'policy_denied', '{}')",
            [YESTERDAY, call_id(int(at.timestamp() * 1000), bytes(10)), at, calls.tenant.id],
        )
        calls.call(at)
        calls.book()
        usage_roll()
        usage_roll()
        assert sums(rows(calls))["calls"] == 1
        slow.commit()
    usage_roll()
    assert sums(rows(calls))["calls"] == 2


def test_a_lost_attempt_that_is_settled_after_all_corrects_its_window(calls):
    at = hours_of(YESTERDAY) + 7 * HOUR
    call = calls.call(at, lost=True, bound_pico=9_000_000)
    calls.book()
    usage_roll()
    assert sums(rows(calls))["cost_pico"] == 0
    calls.complete(call, at, cost_pico=700_000)
    calls.book()
    usage_roll()
    assert sums(rows(calls))["cost_pico"] == 700_000
    assert rolled_cost(calls, "day") == ledger(calls)


def test_a_mark_of_another_server_is_not_believed(calls):
    calls.call(hours_of(YESTERDAY))
    calls.book()
    usage_roll()
    UsageMark.objects.update(xid=2**60)
    calls.call(hours_of(YESTERDAY))
    calls.book()
    usage_roll()
    assert sums(rows(calls))["calls"] == 2
    assert UsageMark.objects.get().xid < 2**60


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", datetime.date(2026, 3, 29), 23),
        ("Europe/Berlin", datetime.date(2026, 10, 25), 25),
        ("Asia/Kathmandu", datetime.date(2026, 6, 1), 24),
        ("Australia/Lord_Howe", datetime.date(2026, 4, 5), 24.5),
    ],
)
def test_a_day_is_the_tenants_day_also_when_the_clock_is_moved(unique, zone, day, hours):
    calls = of_zone(unique, zone)
    midnight = hours_of(day, zoneinfo.ZoneInfo(zone)).astimezone(datetime.UTC)
    calls.call(midnight - datetime.timedelta(milliseconds=1))
    calls.call(midnight)
    calls.at_random(midnight, midnight + hours * HOUR, 100)
    calls.call(midnight + hours * HOUR)
    calls.book()
    usage_roll()
    days = rows(calls, "day").values_list("start").annotate(Sum("calls")).order_by("start")
    assert [count for _, count in days] == [1, 101, 1]
    assert [start for start, _ in days][1:] == [midnight, midnight + hours * HOUR]
    within = rows(calls).filter(start__gte=midnight, start__lt=midnight + hours * HOUR)
    assert within.aggregate(Sum("calls"))["calls__sum"] == 101
    where = zoneinfo.ZoneInfo(zone)
    assert {start.astimezone(where).minute for start in within.values_list("start", flat=True)} == {
        0
    }


def test_another_time_zone_cuts_other_days_and_loses_nothing(calls):
    evening = hours_of(YESTERDAY) + 23 * HOUR
    calls.call(evening)
    calls.call(evening - 12 * HOUR)
    calls.book()
    usage_roll()
    assert rows(calls, "day").count() == 1
    tenant_update(actor=OPERATOR, tenant=calls.tenant, timezone="Asia/Kolkata")
    usage_roll()
    zone = zoneinfo.ZoneInfo("Asia/Kolkata")
    starts = sorted(rows(calls, "day").values_list("start", flat=True))
    assert [start.astimezone(zone).date() for start in starts] == [
        YESTERDAY,
        YESTERDAY + datetime.timedelta(days=1),
    ]
    assert sums(rows(calls))["calls"] == 2


def test_another_time_zone_cuts_days_without_records_from_their_hours(calls):
    calls.call(hours_of(YESTERDAY))
    calls.book()
    usage_roll()
    old = rows(calls).get()
    old.pk, old.start = None, datetime.datetime(2019, 1, 1, 20, tzinfo=datetime.UTC)
    old.save(force_insert=True)
    tenant_update(actor=OPERATOR, tenant=calls.tenant, timezone="Asia/Tokyo")
    usage_roll()
    first = rows(calls, "day").order_by("start").first()
    assert first.start == datetime.datetime(2019, 1, 1, 15, tzinfo=datetime.UTC)
    assert (first.calls, first.cost_pico) == (1, old.cost_pico)
    assert sums(rows(calls, "day"))["calls"] == sums(rows(calls))["calls"] == 2


def test_many_users_share_a_row_beyond_the_bound(calls):
    at = hours_of(YESTERDAY) + 2 * HOUR
    for number in range(ROWS_MAX + 40):
        calls.call(at, user=f"user-{number}")
    calls.call(at, user="ann")
    calls.call(at, user="ann")
    calls.book()
    usage_roll()
    for granularity in ("hour", "day"):
        found = rows(calls, granularity)
        assert found.aggregate(rows=Count("id"), calls=Sum("calls")) == {
            "rows": ROWS_MAX + 1,
            "calls": ROWS_MAX + 42,
        }
        assert found.get(user="ann").calls == 2
        rest = found.get(user=OTHER)
        assert (rest.calls, rest.tags, rest.model) == (41, [OTHER], "m")
        assert rolled_cost(calls, granularity) == ledger(calls)


def test_days_without_records_keep_what_they_have(calls):
    long_ago = datetime.date(2019, 1, 1)
    assert usage_rebuild(calls.tenant, long_ago, long_ago) == 0


def test_ids_begin_with_their_instant():
    at = hours_of(YESTERDAY)
    earlier = call_id(int(at.timestamp() * 1000) - 1, b"\xff" * 10)
    assert earlier < first_id(at) < call_id(int(at.timestamp() * 1000), bytes(10))


def test_days_of_a_calendar_follow_one_another():
    days = local_days("Europe/Berlin", datetime.date(2026, 3, 28), datetime.date(2026, 3, 30))
    assert [(day.until - day.since) / HOUR for day in days] == [24, 23, 24]
    assert [one.until for one in days[:-1]] == [other.since for other in days[1:]]
