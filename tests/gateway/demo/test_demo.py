"""The demo: an organisation as it could be, whose evidence and money hold like any other's."""

import datetime
import io
import json
from itertools import groupby

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import Sum
from django.utils import timezone

from audit.actor import command
from audit.models import Event
from audit.selectors import CallsWanted, calls_page
from gateway.calls import headline, story
from gateway.demo.organisation import TENANTS
from gateway.demo.profiles import PROFILES
from tenants.models import (
    Budget,
    Hold,
    LedgerEntry,
    LedgerPosting,
    Membership,
    Role,
    Tenant,
    UsageRollup,
    VirtualKey,
)
from tenants.services.tenants import tenant_create, tenant_remove
from tests import estate
from tests.stack import Gateway

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
CALLS = 4000


def demo(*arguments):
    output = io.StringIO()
    call_command("demo", "--json", *arguments, stdout=output)
    return json.loads(output.getvalue())


def present():
    return Tenant.objects.filter(name__in=TENANTS).exclude(state="removed").order_by("name")


def removed():
    for tenant in present():
        tenant_remove(actor=OPERATOR, tenant=tenant)


@pytest.fixture(scope="module")
def told(db):
    removed()
    yield demo("--days", "5", "--calls", str(CALLS))
    removed()


def ids():
    return list(present().values_list("pk", flat=True))


def rows(query):
    with psycopg.connect(settings.GATEHOUSE.database_url) as connection:
        return connection.execute(query, [ids()]).fetchall()


def test_each_key_was_used_when_it_last_called(told):
    used = dict(
        rows(
            "SELECT key_id, max(at) FROM audit_record"
            " WHERE tenant_id = ANY(%s) AND kind IN ('refused', 'admitted') GROUP BY 1"
        )
    )
    keys = VirtualKey.objects.filter(tenant_id__in=ids())
    assert used
    assert {key.public_id for key in keys} == used.keys()
    for key in keys:
        took = used[key.public_id] - key.last_used_at  # until it was admitted or refused
        assert datetime.timedelta(0) <= took < datetime.timedelta(seconds=1)


def test_it_says_what_it_did(told):
    assert (told["tenants"], told["calls"], told["days"]) == (["meridian", "harbour"], CALLS, 5)
    counted = "SELECT count(*), count(DISTINCT call_id) FROM audit_record WHERE tenant_id = ANY(%s)"
    ((records, calls),) = rows(counted)
    lost = Hold.objects.filter(tenant_id__in=ids(), state="lost").count()
    assert calls >= CALLS
    assert records >= told["records"] + lost
    assert told["password"]


def test_there_is_somebody_for_each_role_and_a_key_for_each_habit(told):
    meridian = present().get(name="meridian")
    members = Membership.objects.filter(tenant=meridian).values_list("role", flat=True)
    assert set(members) == set(Role.values)
    assert len(told["people"]) == len(Role.values)
    keys = VirtualKey.objects.filter(tenant__in=ids())
    assert keys.count() == len(PROFILES)
    assert len({key.created_at for key in keys}) == 3
    assert keys.filter(state="revoked").count() == 1


def test_calls_of_every_sort_are_among_them(told):
    usage = UsageRollup.objects.filter(tenant_id__in=ids(), granularity="day")
    names = ("calls", "refused", "denied", "redacted", "failed")
    sums = usage.aggregate(**{name: Sum(name) for name in names})
    assert all(sums.values()), sums
    assert sums["calls"] >= CALLS
    codes = {code for (code,) in rows("SELECT code FROM audit_record WHERE tenant_id = ANY(%s)")}
    assert {"", "policy_denied", "insufficient_quota", "rate_limit_exceeded"} <= codes
    assert codes & {"upstream_error", "upstream_timeout", "upstream_rate_limited"}


def test_no_budget_is_overspent_and_the_books_agree(told):
    for budget in Budget.objects.filter(tenant__in=ids()):
        postings = LedgerPosting.objects.filter(budget_id=budget.pk).values("window_start", "group")
        for window in postings.annotate(spent=Sum("delta_micros")):
            assert 0 < window["spent"] <= budget.limit_micros
    ledger = LedgerEntry.objects.filter(tenant_id__in=ids()).aggregate(Sum("delta_pico"))
    rolled = UsageRollup.objects.filter(tenant_id__in=ids(), granularity="day")
    assert rolled.aggregate(Sum("cost_pico"))["cost_pico__sum"] == ledger["delta_pico__sum"]
    assert not Hold.objects.filter(tenant_id__in=ids(), state="open").exists()


def test_every_call_can_be_explained(told):
    for outcome in ("permitted", "denied", "failed"):
        found = calls_page(ids(), CallsWanted(outcome=outcome), 20)
        assert found
        for records in found:
            call = story.read(records)
            assert call.outcome == outcome
            assert headline.sentence(call)


def test_records_are_of_their_time(told):
    late = "SELECT max(at) FROM audit_record WHERE tenant_id = ANY(%s) AND kind <> 'lost'"
    ((newest,),) = rows(late)
    assert newest < timezone.now()
    days = rows("SELECT DISTINCT day FROM audit_record WHERE tenant_id = ANY(%s) ORDER BY 1")
    assert 5 <= len(days) <= 6


def test_who_calls_next_counts_from_what_was_booked(told):
    key = VirtualKey.objects.get(tenant__name="harbour", app__name="claims", tenant__in=ids())
    _, issued = estate.virtual_key_issue(
        actor=OPERATOR, app=key.app, name="next", pepper=estate.pepper()
    )
    with Gateway() as gateway:
        assert gateway.chat(issued.secret, "demo-small", max_tokens=5).status_code == 200


def test_a_second_run_adds_calls_and_keeps_the_people(told):
    again = demo("--days", "5", "--calls", "200")
    assert (again["calls"], again["password"]) == (200, None)
    test_no_budget_is_overspent_and_the_books_agree(told)
    order = rows("SELECT call_id, kind FROM audit_record WHERE tenant_id = ANY(%s) ORDER BY 1, 2")
    assert len(list(groupby(order, key=lambda row: row[0]))) >= CALLS + 200


def test_a_tenant_that_demo_did_not_make_is_left_alone(told):
    removed()
    tenant_create(actor=OPERATOR, name="harbour")
    last = Event.objects.order_by("-id").first()
    with pytest.raises(CommandError, match="harbour was not made by demo"):
        demo("--calls", "10")
    assert Event.objects.order_by("-id").first() == last
    assert list(present().values_list("name", flat=True)) == ["harbour"]


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--calls", "x"), ("--days", "4000")])
def test_numbers_that_make_no_sense_are_refused(arguments):
    with pytest.raises(CommandError, match="whole number"):
        demo(*arguments)
