"""Budgets: meters, creating, raising and ending one."""

import datetime
import uuid
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from audit.models import Event
from gateway.standing import meters
from tenants.budgets import window_starts
from tenants.models import Budget, Hold, LedgerPosting
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

USD = 1_000_000


@pytest.fixture
def admin(world):
    return signed_in(world.person("admin"))


@pytest.fixture
def budget(world):
    return made(world)


def made(world, **fields):
    wanted = {"name": "month", "limit_micros": 100 * USD, "currency": "USD", "window": "month"}
    return Budget.objects.create(tenant=world.tenant, **(wanted | fields))


def window(budget):
    start, end = window_starts(
        budget.window, ZoneInfo(budget.tenant.timezone), timezone.now(), timezone.now()
    )[:2]
    return start, end


def spend(budget, micros, group=""):
    LedgerPosting.objects.create(
        tenant_id=budget.tenant_id,
        budget_id=budget.id,
        window_start=datetime.datetime.fromtimestamp(window(budget)[0], datetime.UTC),
        group=group,
        call_id=uuid.uuid4(),
        attempt=1,
        delta_micros=micros,
    )


def hold(budget, micros, group="", state="open"):
    start, end = window(budget)
    Hold.objects.create(
        call_id=uuid.uuid4(),
        attempt=1,
        tenant_id=budget.tenant_id,
        state=state,
        amounts=[[str(budget.id), start, end, group, micros]],
        bound_pico=0,
        currency="USD",
        lease_until=timezone.now() + datetime.timedelta(minutes=5),
        created_at=timezone.now(),
    )


def test_the_meter_counts_what_is_spent_and_held_in_this_window(budget):
    spend(budget, 20 * USD)
    spend(budget, 5 * USD)
    spend(budget, -1 * USD)
    hold(budget, 6 * USD)
    hold(budget, 50 * USD, state="settled")
    LedgerPosting.objects.filter(budget_id=budget.id).first()
    (meter,) = meters([budget], timezone.now())
    assert (meter.spent_micros, meter.held_micros) == (24 * USD, 6 * USD)
    assert (meter.spent, meter.held, meter.used_percent, meter.look) == (24, 6, 30, "")
    assert meter.text == "24.00 spent, 6.00 held of 100.00 USD (30 %)"
    later = meters([budget], meter.end + datetime.timedelta(seconds=1))
    assert later[0].spent_micros == 0


@pytest.mark.parametrize(("spent", "look"), [(79, ""), (80, "warn"), (100, "bad"), (130, "bad")])
def test_a_meter_looks_as_urgent_as_it_is(budget, spent, look):
    spend(budget, spent * USD)
    (meter,) = meters([budget], timezone.now())
    assert meter.look == look
    assert meter.spent + meter.held <= 100


def test_a_grouped_budget_shows_the_group_that_spent_most(world, admin):
    budget = made(world, group_by=["user"])
    spend(budget, 3 * USD, "ann")
    spend(budget, 1 * USD, "bob")
    hold(budget, 4 * USD, "bob")
    (meter,) = meters([budget], timezone.now())
    assert (meter.group, meter.groups) == ("bob", 2)
    assert (meter.spent_micros, meter.held_micros) == (1 * USD, 4 * USD)
    shown = text(admin.get(f"/budgets/{budget.id}"))
    assert "bob 1.00 spent, 4.00 held (5 %) ann 3.00 spent, 0.00 held (3 %)" in shown
    assert "2 have spent in this window" in shown


def test_a_budget_without_end_and_one_of_nothing(world):
    total, nothing = made(world, window="total"), made(world, name="stop", limit_micros=0)
    spend(total, USD)
    found = meters([total, nothing], timezone.now())
    assert (found[0].spent_micros, found[0].end) == (USD, None)
    assert (found[1].used_percent, found[1].look) == (100, "bad")


def test_the_list_and_one_budget(world, admin, budget):
    spend(budget, 81 * USD)
    told = text(admin.get("/budgets"))
    assert "81.00 spent, 0.00 held of 100.00 USD (81 %)" in told
    assert "whole tenant" in told
    shown = text(admin.get(f"/budgets/{budget.id}"))
    assert "by the clock of Europe/Berlin" in shown
    Budget.objects.filter(id=budget.id).update(is_active=False)
    assert "No budgets yet" in text(admin.get("/budgets"))
    assert admin.get(f"/budgets/{budget.id}").status_code == 404


def new(world, **changes):
    return {
        "owner": f"app:{world.app.id}",
        "name": "week",
        "limit_micros": "12.50",
        "currency": "USD",
        "window": "week",
        "mode": "hard",
        "group_by": "",
        "alert_at": "0.5, 1",
        "reason": "",
    } | changes


def test_a_budget_is_created_for_an_app(world, admin):
    answer = admin.post("/budgets/new", new(world))
    budget = Budget.objects.get(tenant=world.tenant)
    assert answer["Location"] == f"/budgets/{budget.id}"
    assert (budget.app, budget.limit_micros) == (world.app, 12_500_000)
    assert [str(share) for share in budget.alert_at] == ["0.500", "1.000"]
    again = admin.post("/budgets/new", new(world))
    assert "A budget of this name exists there." in text(again)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"limit_micros": "12.1234567"}, "more than six decimal places"),
        ({"limit_micros": "much"}, "not a decimal number"),
        ({"currency": "usd"}, "three capital letters"),
        ({"group_by": "shoe-size"}, "a budget is grouped by"),
        ({"group_by": "user"}, "needs an ungrouped hard budget"),
        ({"alert_at": "half"}, "such as 0.8"),
        ({"owner": "tenant:x"}, "valid choice"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(world, admin, changes, told):
    answer = admin.post("/budgets/new", new(world, **changes))
    assert answer.status_code == 422
    assert told in text(answer)
    assert not Budget.objects.filter(tenant=world.tenant).exists()


def test_raising_takes_a_reason_which_the_event_keeps(admin, budget):
    path = f"/budgets/{budget.id}/edit"
    assert 'value="100.00"' in body(admin.get(path))
    terms = {"limit_micros": "250", "mode": "hard", "alert_at": "1", "reason": ""}
    assert admin.post(path, terms).status_code == 422
    answer = admin.post(path, terms | {"reason": "the launch"}, follow=True)
    assert "is now 250.00 USD" in text(answer)
    budget.refresh_from_db()
    assert budget.limit_micros == 250 * USD
    event = Event.objects.filter(action="budget.update").latest("id")
    assert (event.reason, event.before["limit_micros"]) == ("the launch", 100 * USD)
    assert "Nothing differed" in text(admin.post(path, terms | {"reason": "x"}, follow=True))


def test_a_budget_is_removed(admin, budget):
    path = f"/budgets/{budget.id}/remove"
    assert "nothing is counted" in text(admin.get(path))
    assert admin.post(path, {"reason": "obsolete"})["Location"] == "/budgets"
    budget.refresh_from_db()
    assert not budget.is_active


@pytest.mark.parametrize("act", ["", "/edit", "/remove"])
def test_s2_a_strangers_budget_is_not_there(unique, world, admin, client, budget, act):
    other = World(unique)
    foreign = made(other)
    assert admin.get(f"/budgets/{foreign.id}{act}").status_code == 404
    if act:
        assert client.post(f"/budgets/{budget.id}{act}", {"reason": "x"}).status_code == 403
    assert admin.post("/budgets/new", new(other)).status_code == 422


def test_the_burn_down_says_how_it_goes(admin, budget):
    spend(budget, 25 * USD)
    hold(budget, 5 * USD)
    answer = admin.get(f"/budgets/{budget.id}")
    told = text(answer)
    assert "30 % used on day" in told
    assert "Settled 25.00" in told
    assert "Reserved by calls in flight 5.00" in told
    assert 'class="limit"' in body(answer)
    assert "used up" not in told


def test_a_budget_that_is_used_up_shows_its_page(world, admin, budget):
    spend(budget, 130 * USD)
    assert "calls that do not fit are refused until" in text(admin.get(f"/budgets/{budget.id}"))
    nothing = made(world, name="stop", limit_micros=0, window="total")
    assert "100 % used since" in text(admin.get(f"/budgets/{nothing.id}"))


def test_groups_are_listed_with_their_meters(world, admin):
    budget = made(world, group_by=["user"])
    assert "Nobody has spent in this window" in text(admin.get(f"/budgets/{budget.id}"))
    spend(budget, 90 * USD, "ann")
    spend(budget, 10 * USD, "bob")
    told = text(admin.get(f"/budgets/{budget.id}"))
    assert "ann 90.00 spent, 0.00 held (90 %)" in told
    assert "bob 10.00 spent, 0.00 held (10 %)" in told
    assert "2 have spent in this window" in told
