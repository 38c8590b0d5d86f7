"""What budgets have used: the ledger's sums at every instant, however far they are added up."""

import datetime

import psycopg
import pytest
from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from audit.actor import command
from audit.record import call_id
from tenants.models import LedgerPosting, PostingMark, PostingSum
from tenants.services.apps import app_create
from tenants.services.budgets import budget_create
from tenants.services.tenants import tenant_create
from tenants.usage.postings import Held, posted_and_held, postings_roll
from tests.booked import Calls, hours_of

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
START = hours_of(timezone.now().date() - datetime.timedelta(days=1))
END = START + datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def calls(unique):
    tenant = tenant_create(actor=OPERATOR, name=unique("acme"), timezone="UTC")
    made = Calls(tenant, app_create(actor=OPERATOR, tenant=tenant, name="app"))
    made.budget = budget_create(
        actor=OPERATOR, tenant=tenant, name="day", limit_micros=100, currency="USD", window="day"
    )
    held_by(made)
    return made


def held_by(calls, group=""):
    place = (str(calls.budget.id), int(START.timestamp()), int(END.timestamp()), group)
    calls.budgets = [place]


def told(calls, days=()):
    posted, _ = posted_and_held([calls.tenant.id], [calls.budget.id], [START], days)
    return {(each.group, each.day): each.micros for each in posted}


def in_ledger(calls):
    of_budget = LedgerPosting.objects.filter(budget_id=calls.budget.id)
    return of_budget.aggregate(sum=Sum("delta_micros"))["sum"]


def added_up(calls):
    return PostingSum.objects.filter(budget_id=calls.budget.id).aggregate(sum=Sum("micros"))["sum"]


def test_before_and_after_they_are_added_up_the_sums_are_the_ledgers(calls):
    calls.at_random(START, END, 60)
    calls.book()
    first = in_ledger(calls)
    assert sum(told(calls).values()) == first > 60
    postings_roll()
    assert added_up(calls) == sum(told(calls).values()) == first
    calls.at_random(START, END, 20)
    calls.book()
    assert added_up(calls) == first
    assert sum(told(calls).values()) == in_ledger(calls) > first
    postings_roll()
    postings_roll()
    assert added_up(calls) == sum(told(calls).values()) == in_ledger(calls)


def test_days_and_groups_are_told_apart(calls):
    for group, at, cost in (("a", START - HOUR, 1), ("a", START, 2), ("b", END - HOUR, 3)):
        held_by(calls, group)
        calls.call(at, cost_pico=cost * 1_000_000)
    calls.book()
    wanted = {("a", 0): 1, ("a", 1): 2, ("b", 2): 3}
    days = (START, START + 12 * HOUR)
    assert told(calls, days) == wanted
    postings_roll()
    assert told(calls, days) == wanted
    assert posted_and_held([calls.tenant.id], [calls.budget.id], [END]) == ([], [])


def test_what_open_calls_hold_is_told_with_it(calls):
    calls.call(START, lost=True, bound_pico=7_000_000)
    calls.book()
    _, held = posted_and_held([calls.tenant.id], [calls.budget.id], [START])
    assert held == [Held(str(calls.budget.id), int(START.timestamp()), "", 7)]


def test_a_transaction_that_commits_after_a_later_one_was_added_up_is_not_missed(calls):
    with psycopg.connect(settings.GATEHOUSE.database_url) as slow:
        slow.execute(
            'INSERT INTO tenants_ledgerposting (tenant_id, budget_id, window_start, "group",'
            " call_id, attempt, delta_micros) VALUES (%s, %s, %s, '', %s, 1, 11)",
            [calls.tenant.id, calls.budget.id, START,
             call_id(int(START.timestamp() * 1000), bytes(10))],
        )  # fmt: skip
        calls.call(START, cost_pico=5_000_000)
        calls.book()
        postings_roll()
        assert sum(told(calls).values()) == 5
        slow.commit()
    assert sum(told(calls).values()) == 16
    postings_roll()
    assert (sum(told(calls).values()), added_up(calls)) == (16, 16)


def test_a_mark_of_another_server_is_not_believed(calls):
    calls.call(START, cost_pico=5_000_000)
    calls.book()
    postings_roll()
    PostingMark.objects.update(xid=2**60)
    calls.call(START, cost_pico=6_000_000)
    calls.book()
    assert sum(told(calls).values()) == 11
    postings_roll()
    assert (sum(told(calls).values()), added_up(calls)) == (11, 11)
    assert PostingMark.objects.get().xid < 2**60


def test_without_a_mark_sums_are_made_anew(calls):
    calls.call(START, cost_pico=5_000_000)
    calls.book()
    postings_roll()
    PostingMark.objects.all().delete()
    assert sum(told(calls).values()) == 5
    postings_roll()
    assert (sum(told(calls).values()), added_up(calls)) == (5, 5)
