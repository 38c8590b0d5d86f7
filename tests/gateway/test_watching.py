"""Notices of rules that behave otherwise: opened once, closed when it is over."""

import datetime

import pytest
from django.utils import timezone

from audit.models import Event, Notice, RuleHits
from gateway.tasks import watch_rules
from gateway.watching import watch, watched
from policies.models import PolicyVersion
from tests.gateway.history import Past
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)


@pytest.fixture
def past(unique):
    made = Past(unique)
    PolicyVersion.objects.filter(policy__name__in=[each.name for each in made.layered])
    return made


def counted(past, rule, per_day, today):
    """Write so many calls of a rule (empty: of all) for each of 30 days and the last one."""
    RuleHits.objects.bulk_create(
        RuleHits(
            tenant_id=past.tenant.id, start=NOW - DAY * back - datetime.timedelta(hours=1),
            rule=rule and f"{past.house.name}/{rule}", mode="enforce" if rule else "",
            calls=today if back == 0 else per_day, denied=0, decide_us=0, timed=0,
        )
        for back in range(31)
    )  # fmt: skip


def open_notices(past):
    found = Notice.objects.filter(tenant_id=past.tenant.id, closed_at=None)
    return sorted((each.rule.rpartition("/")[2], each.kind) for each in found)


def test_jump_and_silence_are_noticed_once_and_closed(past):
    counted(past, "", 1000, 1000)
    counted(past, "no-cards", 10, 90)
    counted(past, "mask-mail", 50, 0)
    counted(past, "staff", 1000, 1000)
    counted(past, "gone-by-now", 10, 900)
    assert watch(NOW) >= 2
    assert open_notices(past) == [("mask-mail", "silence"), ("no-cards", "jump")]
    watch(NOW)
    watch(NOW + datetime.timedelta(minutes=10))
    assert len(Notice.objects.filter(tenant_id=past.tenant.id)) == 2
    events = Event.objects.filter(tenant_id=past.tenant.id, action="notice.open")
    assert len(events) == 2
    rule = f"{past.house.name}/mask-mail"
    RuleHits.objects.filter(tenant_id=past.tenant.id, rule=rule).update(calls=50)
    watch(NOW + datetime.timedelta(minutes=20))
    assert open_notices(past) == [("no-cards", "jump")]
    closed = Notice.objects.get(tenant_id=past.tenant.id, kind="silence")
    assert closed.closed_at == NOW + datetime.timedelta(minutes=20)


def test_a_rule_that_never_matches_is_noticed_once_it_is_old_enough(past):
    counted(past, "", 1000, 1000)
    counted(past, "staff", 1000, 1000)
    watch(NOW)
    assert open_notices(past) == []  # its version is younger than that
    versions = PolicyVersion.objects.filter(policy=past.house)
    assert versions.count() == 1
    later = timezone.now() + 40 * DAY
    shift = later - NOW
    for row in RuleHits.objects.filter(tenant_id=past.tenant.id):
        RuleHits.objects.filter(pk=row.pk).update(start=row.start + shift)
    watch(later)
    named = [rule for rule, kind in open_notices(past) if kind == "never"]
    assert "no-cards" in named
    assert "weekend" not in named  # disabled
    assert "staff" not in named


def test_without_traffic_nothing_is_unusual(past):
    counted(past, "", 1000, 0)
    counted(past, "no-cards", 10, 0)
    watch(NOW)
    assert open_notices(past) == []


def test_days_are_counted_back_from_the_instant(past):
    for hours, calls in ((1, 1), (24, 2), (25, 4), (31 * 24, 8), (31 * 24 + 1, 16), (0, 32)):
        RuleHits.objects.create(
            tenant_id=past.tenant.id, start=NOW - datetime.timedelta(hours=hours), rule="a/b",
            mode="enforce", calls=calls, denied=0, decide_us=0, timed=0,
        )  # fmt: skip
    days = watched(past.tenant.id, NOW).hits["a/b"]
    assert (days[30], days[29], days[0], len(days)) == (3, 4, 8, 31)


def test_notices_are_shown_to_who_may_see_them(past, unique):
    counted(past, "", 1000, 1000)
    counted(past, "no-cards", 10, 90)
    watch(NOW)
    auditor = signed_in(past.person("auditor"))
    assert "/overview/notices" in body(auditor.get("/overview"))
    told = text(auditor.get("/overview/notices")).replace("\u200b", "")
    assert "It matched 90 times in a day; 10 are usual." in told
    assert f"{past.house.name}/no-cards" in told
    owner = signed_in(past.person(is_superuser=True))
    assert "It matched 90 times in a day" in text(owner.get("/system"))
    stranger = signed_in(Past(unique).person("auditor"))
    assert "90 times" not in text(stranger.get("/overview/notices"))


def test_the_task_counts_and_notices(past):
    past.call(timezone.now()).with_cards().refused()
    watch_rules()
    found = RuleHits.objects.filter(tenant_id=past.tenant.id, rule__endswith="/no-cards")
    assert found.get().calls == 1
