"""How often rules matched, counted from real records."""

import datetime

import pytest
from django.utils import timezone

from audit.models import Mark, RuleHits
from audit.record import instant
from audit.rule_hits import HOUR, KEEP, hits_roll, hour_roll, rule_figures
from tests.gateway.call_records import World

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


def start_of(at):
    return at.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0)


def counted(world):
    rows = RuleHits.objects.filter(tenant_id=world.tenant.id)
    return {
        (row.rule.rpartition("/")[2], row.mode): (row.calls, row.denied) for row in rows
    }  # fmt: skip


def test_rules_are_counted_once_a_call(world):
    at = timezone.now()
    world.call(at).with_cards().refused()
    world.call(at).admitted().answer_denied()
    world.call(at).admitted().completed(code="upstream_error").admitted(2).completed(2)
    world.call(at - 2 * HOUR).admitted().lost()
    for _ in range(2):  # as often as one likes
        hour_roll(start_of(at))
    assert counted(world) == {
        ("", ""): (3, 0),
        ("staff", "enforce"): (3, 0),
        ("mask-mail", "enforce"): (1, 0),
        ("no-cards", "enforce"): (1, 1),
        ("no-tools-back", "enforce"): (1, 1),
        ("watch-size", "shadow"): (3, 0),
    }


def test_a_default_that_refuses_is_a_rule(world):
    at = timezone.now()
    world.call(at, app__name="").refused()
    hour_roll(start_of(at))
    assert counted(world)["default", "enforce"] == (1, 1)


def test_the_time_to_decide_is_told_where_it_is_known(world):
    at = timezone.now()
    world.call(at).with_cards().refused()
    hour_roll(start_of(at))
    figures = rule_figures([world.tenant.id], at - HOUR, at + HOUR)
    assert {each.decide_us for each in figures} == {2400 - 420}


def test_figures_of_a_range_with_marks(world):
    at = timezone.now()
    house = world.layered[1].name
    calls = [world.call(at - HOUR * number).with_cards().refused() for number in (0, 0, 1, 5)]
    for number in (0, 1, 5):
        hour_roll(start_of(at) - HOUR * number)
    for call, verdict in zip(calls, ["correct", "correct", "false_positive"], strict=False):
        Mark.objects.create(
            tenant_id=world.tenant.id, tenant="x", call_id=call.id, arrived_at=instant(call.id),
            on="rule", subject=f"{house}/no-cards", verdict=verdict, author="ann",
        )  # fmt: skip
    figures = rule_figures([world.tenant.id], at - 3 * HOUR, at + HOUR, house)
    rules = {each.rule: each for each in figures}
    assert f"{world.layered[0].name}/no-secrets-to-nowhere" not in rules
    found = rules[f"{house}/no-cards"]
    assert (found.calls, found.denied, found.last_hour) == (3, 3, start_of(at))
    assert (found.false_positives, found.correct, found.precision_percent) == (1, 2, 67)
    assert rules[f"{house}/staff"].precision_percent is None
    assert rule_figures([], at - HOUR, at + HOUR) == []


def test_only_hours_that_may_have_changed_are_counted_again(world):
    RuleHits.objects.all().delete()
    now = start_of(timezone.now()).replace(hour=12)
    world.call(now).with_cards().refused()
    assert hits_roll(now) == 31 * 24 + 1
    assert hits_roll(now) == 3
    assert hits_roll(now + HOUR) == 4
    assert hits_roll(now.replace(hour=1) + datetime.timedelta(days=1)) == 27
    assert counted(world)["no-cards", "enforce"] == (1, 1)
    old = RuleHits.objects.create(
        start=now - KEEP - HOUR, tenant_id=world.tenant.id, calls=1, denied=0, decide_us=0, timed=0
    )
    hits_roll(now)
    assert not RuleHits.objects.filter(pk=old.pk).exists()
