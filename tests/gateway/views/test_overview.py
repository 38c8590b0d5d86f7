"""The overview: figures of a range, causes, and what wants attention."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.causes import Cause, causes
from policies.services.activations import (
    policy_activate,
    policy_rollback,
    policy_version_freeze,
)
from policies.services.emergencies import policy_emergency_publish
from tenants.models import Budget, UsageTotal, VirtualKey
from tests.gateway.call_records import World
from tests.gateway.views.insight import used
from tests.gateway.views.reading import body, links, listed, signed_in, text
from tests.gateway.views.test_budgets import spend
from tests.policies.lifecycle import OPERATOR, STRICT, House

pytestmark = pytest.mark.usefixtures("db")

USD = 1_000_000


@pytest.fixture
def admin(world):
    return signed_in(world.person("admin"))


def test_the_figures_of_a_range_lead_to_their_lists(world, admin):
    used(world)
    answer = admin.get("/overview?range=7d")
    told = text(answer)
    for said in ("Calls 4", "Denied 1", "Redacted 1", "Failed 1", "0.000003 EUR", "0.000006 USD"):
        assert said in told
    assert "30 in 15 out" in told
    assert "as of 20" in told
    found = [link for link in links(answer) if link.startswith("/calls?")]
    denied = next(link for link in found if link.endswith("&outcome=denied"))
    assert len(listed(admin.get(denied))) == 1
    assert any(link.startswith("/usage?by=model&range=7d") for link in links(answer))


def test_kept_answers_are_told_of_where_there_are_any(world, admin):
    used(world)
    assert "Kept answers" not in text(admin.get("/overview?range=7d"))
    UsageTotal.objects.filter(tenant_id=world.tenant.id, granularity="day", currency="USD").update(
        cache_hits=3, cache_misses=1, saved_micros=1_200_000
    )
    days = UsageTotal.objects.filter(
        tenant_id=world.tenant.id, granularity="day", currency="USD",
        start__gte=timezone.now() - datetime.timedelta(days=7),
    ).count()  # fmt: skip
    told = text(admin.get("/overview?range=7d"))
    assert f"Kept answers given {3 * days} (75 %)" in told.replace("\xa0", " ")
    assert f"{1.2 * days:.2f} USD saved" in told.replace("\xa0", " ")


def test_hours_and_months_are_ranges_too(world, admin):
    used(world)
    assert "Calls 4" in text(admin.get("/overview?range=24h"))
    assert "Calls 5" in text(admin.get("/overview?range=30d"))
    assert admin.get("/overview?range=1y").status_code == 400
    assert 'aria-current="true">30 days' in body(admin.get("/overview?range=30d"))


def test_all_tenants_together_are_counted_in_windows_of_utc(unique, world):
    user = world.person("owner")
    other = World(unique, zone="Pacific/Auckland")
    other.tenant.memberships.create(user=user, role="analyst")
    used(world)
    used(other)
    browser = signed_in(user)
    for name in ("24h", "7d"):
        assert "Calls 8" in text(browser.get(f"/overview?range={name}"))
    assert "Calls 4" in text(browser.get(f"/overview?tenant={other.tenant.name}"))
    assert "Calls by day, UTC" in body(browser.get("/overview"))


def test_causes_are_counted_over_the_newest_records(world, admin):
    world.call().with_cards().refused()
    world.call().with_cards().refused()
    world.call().refused(code="rate_limit_exceeded")
    now = timezone.now() + datetime.timedelta(seconds=5)
    since = now - datetime.timedelta(days=1)
    found = causes([world.tenant.id], since, now)
    assert [number for _, number in found.refused] == [2, 1]
    assert found.refused[1][0].code == "rate_limit_exceeded"
    assert found.refused[0][0].rule.endswith(" / no-cards")
    assert (found.looked_at, found.back_to) == (3, None)
    bounded = causes([world.tenant.id], since, now, most=2)
    assert bounded.looked_at == 2
    assert bounded.back_to is not None
    assert causes([], since, now).refused == ()
    assert Cause("policy_denied", "").outcome == "denied"
    assert Cause("evidence_unavailable", "").outcome == "failed"


def test_an_answer_that_was_withheld_has_a_cause_too(world):
    world.call().admitted().answer_denied()
    now = timezone.now() + datetime.timedelta(seconds=5)
    found = causes([world.tenant.id], now - datetime.timedelta(days=1), now)
    ((cause, number),) = found.refused
    assert (cause.code, number) == ("policy_denied", 1)
    assert cause.rule.endswith(" / no-tools-back")


def test_the_page_says_what_it_counted(world, admin):
    used(world)
    told = text(admin.get("/overview"))
    assert "Refused, by rule" in told
    assert "counted over all 4 records of the range" in told


def test_who_reads_no_records_sees_no_causes_and_no_link_to_calls(world):
    used(world)
    analyst = signed_in(world.person("analyst"))
    answer = analyst.get("/overview")
    assert "Denied 1" in text(answer)
    assert "Refused, by rule" not in text(answer)
    assert not [link for link in links(answer) if link.startswith("/calls")]


def test_rules_and_kinds_lead_to_their_calls(world, admin):
    used(world)
    now = timezone.now()
    cards = world.call(now).with_cards().refused()
    mail = world.call(now).with_cards().admitted(redacted=True)
    found = [link for link in links(admin.get("/overview")) if link.startswith("/calls?")]
    (rule,) = [link for link in found if "no-cards" in link]
    assert listed(admin.get(rule)) == [cards.id]
    (kind,) = [link for link in found if "redaction=EMAIL_ADDRESS" in link]
    assert listed(admin.get(kind)) == [mail.id]
    (default,) = [link for link in found if link.endswith("rule=policy_denied")]
    assert len(listed(admin.get(default))) == 1


def test_what_wants_attention(world, admin):
    wanted = {"tenant": world.tenant, "currency": "USD", "window": "month"}
    near = Budget.objects.create(name="near", limit_micros=100 * USD, **wanted)
    Budget.objects.create(name="calm", limit_micros=100 * USD, **wanted)
    spend(near, 85 * USD)
    soon = timezone.now() + datetime.timedelta(days=10)
    for name, at in (("soon", soon), ("later", soon + datetime.timedelta(days=60))):
        VirtualKey.objects.create(
            tenant=world.tenant,
            app=world.app,
            name=f"key-{name}",
            public_id=(tag := world.unique("")[-9:]),
            digest=tag.encode(),
            expires_at=at,
        )
    told = text(admin.get("/overview"))
    assert "85 % used" in told
    assert "calm" not in told
    assert "key-soon" in told
    assert "key-later" not in told


def test_a_tenant_without_calls(world, admin):
    told = text(admin.get("/overview"))
    assert "No calls in the last 7 days" in told
    assert "No budget is used to 80 %" in told
    assert "None expires within 30 days." in told


def test_who_may_open_it(unique, world, admin):
    assert signed_in(world.person("key_manager")).get("/overview").status_code == 403
    assert admin.get(f"/overview?tenant={World(unique).tenant.name}").status_code == 404


def test_it_takes_few_queries(world, admin):
    used(world)
    Budget.objects.create(
        tenant=world.tenant, name="b", limit_micros=1, currency="USD", window="month"
    )
    with CaptureQueriesContext(connection) as queries:
        admin.get(f"/overview?tenant={world.tenant.name}")
    assert len(queries) <= 12, "\n".join(query["sql"][:150] for query in queries)


def test_the_last_change_is_what_came_into_force_and_nothing_that_waits():
    house = House()
    frozen = policy_version_freeze(actor=OPERATOR, policy=house.policy, source=house.text(STRICT))
    client, page = signed_in(house.user("owner")), f"/overview?tenant={house.tenant.name}"
    assert f"{house.policy.name} v1 came into force" in text(client.get(page))
    policy_activate(actor=OPERATOR, version=frozen)
    told = text(client.get(page))
    assert f"{house.policy.name} v2 came into force" in told
    assert "Activate, by tests" in told


def test_an_emergency_is_told_until_it_is_over():
    house = House()
    client, part = signed_in(house.user("owner")), "/overview/notices"
    said = f"{house.policy.name} emergency until"
    assert said not in text(client.get(part))
    policy_emergency_publish(
        actor=OPERATOR, policy=house.policy, source=house.text(STRICT), hours=1, reason="a leak"
    )
    assert said in text(client.get(part))
    assert said not in text(signed_in(House().user("owner")).get(part))
    policy_rollback(actor=OPERATOR, version=house.first)
    assert said not in text(client.get(part))
