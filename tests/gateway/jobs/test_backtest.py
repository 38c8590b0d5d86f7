"""The job that back-tests: its result, its end by whoever asked, and the death of its worker."""

import datetime

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from gateway import backtesting
from gateway.jobs import backtest as job
from gateway.jobs.backtest import backtests_prune
from gateway.jobs.claim import LostClaimError, take
from gateway.jobs.run import run
from gateway.models import Job
from gateway.services.backtests import BacktestWanted, backtest_cancel, backtest_create
from gateway.tasks import tend_jobs
from policies.models import Attachment, Backtest
from policies.pdp.problem import PolicyError
from policies.substitution import Place
from tests.estate import ACTOR
from tests.gateway.history import Past
from tests.gateway.jobs.workers import PATIENCE_S, Worker, end_what_is_left
from tests.stack import eventually

pytestmark = pytest.mark.usefixtures("db")

TIGHTER = ("pii.count > 2 &&", "pii.count > 0 &&")
BLOCKED = """
SELECT 1 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND application_name = 'gatehouse-decided'
"""


def is_blocked():
    with connection.cursor() as cursor:
        cursor.execute(BLOCKED)
        return cursor.fetchone()


@pytest.fixture
def past(unique):
    made = Past(unique)
    call = made.call(pii__count=1, pii__kinds=("CREDIT_CARD",))
    call.admitted().completed(code="upstream_error")
    return made


def wanted(past, text=None, **more):
    since, until = past.range()
    terms = {"since": since, "until": until, **more}
    return BacktestWanted(text or past.house_text(*TIGHTER), **terms)


def ask(past, **more):
    return backtest_create(actor=ACTOR, tenant=past.tenant, wanted=wanted(past, **more), send=False)


def test_a_result_is_stored_with_the_end_of_its_job(past):
    asked = ask(past)
    assert (asked.state, asked.result, asked.policy) == ("pending", None, past.house.name)
    assert run(asked.job_id, "test")
    done = Backtest.objects.get(pk=asked.pk)
    assert (done.state, done.result["changes"]["newly_denied"], done.error) == ("ready", 1, "")
    told = Job.objects.get(pk=asked.job_id).result
    assert (told["calls"], told["changes"]["newly_denied"]) == (1, 1)
    assert past.house_text(*TIGHTER) not in str(told)


def test_what_cannot_be_asked_for(past):
    since, _ = past.range()
    for terms in (
        {"until": since},
        {"since": since - datetime.timedelta(days=500)},
        {"place": Place("app")},
        {"place": Place("tenant", past.app.id)},
        {"place": Place("app", past.tenant.id)},
        {"place": Place("moon")},
        {"text": "policy: somewhere-else\n"},
    ):
        with pytest.raises(ValidationError):
            ask(past, **terms)
    for terms in ({"text": "policy: 7"}, {"place": Place("tenant")}):
        with pytest.raises(PolicyError):
            ask(past, **terms)
    assert not Backtest.objects.filter(tenant=past.tenant).exists()


def test_one_that_waits_is_cancelled_at_once(past):
    asked = ask(past)
    assert backtest_cancel(actor=ACTOR, backtest=asked)
    assert not backtest_cancel(actor=ACTOR, backtest=asked)
    assert not run(asked.job_id, "test")
    found = Backtest.objects.get(pk=asked.pk)
    assert (found.state, found.error) == ("failed", job.CANCELLED)


def test_one_that_runs_stops_at_its_next_report(past, monkeypatch):
    asked, whole = ask(past), backtesting.Backtester.take

    def cancelled_meanwhile(tester, rows):
        assert backtest_cancel(actor=ACTOR, backtest=asked)
        whole(tester, rows)

    monkeypatch.setattr(backtesting.Backtester, "take", cancelled_meanwhile)
    assert run(asked.job_id, "test")
    found = Backtest.objects.get(pk=asked.pk)
    assert (found.state, found.error, found.result) == ("failed", job.CANCELLED, None)
    assert Job.objects.get(pk=asked.job_id).state == "cancelled"


def test_what_does_not_fit_any_more_says_so(past):
    asked = ask(past)
    Attachment.objects.filter(policy=past.house).delete()
    assert run(asked.job_id, "test")
    found = Backtest.objects.get(pk=asked.pk)
    assert found.state == "failed"
    assert "holds nowhere" in found.error
    added = ask(past, place=Place("tenant"))
    Attachment.objects.create(policy=past.house, tenant=past.tenant)
    assert run(added.job_id, "test")
    assert "does not fit" in Backtest.objects.get(pk=added.pk).error


def test_an_attempt_that_lost_its_claim_stores_nothing(past):
    asked = ask(past)
    claim = take(asked.job_id, "first")
    Job.objects.filter(pk=asked.job_id).update(lease_until=Now())
    assert run(asked.job_id, "second")
    stored = Backtest.objects.get(pk=asked.pk)
    with pytest.raises(LostClaimError):
        claim.finish(job.work(claim))
    assert Backtest.objects.get(pk=asked.pk).ready_at == stored.ready_at
    assert Job.objects.get(pk=asked.job_id).attempts == 2


def test_a_back_test_whose_worker_is_killed_is_begun_again(past):
    end_what_is_left()
    owner = settings.GATEHOUSE.database_owner_url
    with psycopg.connect(owner) as other:
        other.execute("LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE")
        with Worker() as first:
            asked = ask(past)
            eventually(
                lambda: tend_jobs() or Job.objects.filter(pk=asked.job_id, attempts=1).exists(),
                PATIENCE_S,
            )
            eventually(is_blocked, PATIENCE_S)
            first.kill()
    Job.objects.filter(pk=asked.job_id).update(lease_until=Now())
    with Worker():
        eventually(
            lambda: tend_jobs() or Backtest.objects.filter(pk=asked.pk, state="ready").exists(),
            PATIENCE_S,
        )
    assert Job.objects.get(pk=asked.job_id).attempts == 2
    assert Backtest.objects.get(pk=asked.pk).result["changes"]["newly_denied"] == 1


def test_old_ones_are_deleted(past):
    old, new = ask(past), ask(past)
    now = timezone.now()
    Backtest.objects.filter(pk=old.pk).update(created_at=now - datetime.timedelta(days=31))
    assert backtests_prune(now) >= 1
    left = Backtest.objects.filter(tenant=past.tenant)
    assert list(left.values_list("pk", flat=True)) == [new.pk]
