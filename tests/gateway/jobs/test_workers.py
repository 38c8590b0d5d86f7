"""A worker that is killed in the middle: another finishes what it began, once."""

import datetime

import psycopg
import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from audit.actor import command
from gateway import tasks
from gateway.models import Job
from gateway.services.jobs import job_create
from gateway.tasks import prune_jobs, roll_usage, tend_jobs
from tenants.models import UsageRollup
from tenants.services.apps import app_create
from tenants.services.tenants import tenant_create
from tests.booked import Calls, hours_of
from tests.gateway.jobs.workers import PATIENCE_S, Worker, end_what_is_left
from tests.stack import eventually

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE %s"


def ask(acme, days):
    today = timezone.now().date()
    first = today - datetime.timedelta(days=days - 1)
    terms = {"first": first.isoformat(), "last": today.isoformat()}
    return job_create(actor=OPERATOR, tenant=acme, kind="rollup", terms=terms)


def has(job, **values):
    return lambda: Job.objects.filter(pk=job.pk, **values).first()


@pytest.fixture
def calls(unique):
    tenant = tenant_create(actor=OPERATOR, name=unique("acme"))
    made = Calls(tenant, app_create(actor=OPERATOR, tenant=tenant, name="app"))
    yesterday = timezone.now().date() - datetime.timedelta(days=1)
    made.at_random(hours_of(yesterday), hours_of(yesterday) + datetime.timedelta(days=1), 50)
    made.book()
    return made


def test_a_job_whose_worker_is_killed_is_finished_by_another(calls):
    end_what_is_left()
    with psycopg.connect(settings.GATEHOUSE.database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('gatehouse: usage', 0))")
        with Worker() as first:
            job = ask(calls.tenant, 2)
            eventually(lambda: tend_jobs() or has(job, state="running", attempts=1)(), PATIENCE_S)
            eventually(lambda: other.execute(BLOCKED, ["%pg_advisory%"]).fetchone(), PATIENCE_S)
            first.kill()
    Job.objects.filter(pk=job.pk).update(lease_until=Now())
    with Worker():
        eventually(lambda: tend_jobs() or has(job, state="done")(), PATIENCE_S)
    done = Job.objects.get(pk=job.pk)
    assert (done.attempts, done.result, done.holder) == (2, {"days": 2}, "")
    rolled = UsageRollup.objects.filter(tenant_id=calls.tenant.id, granularity="day")
    assert sum(rolled.values_list("calls", flat=True)) == 50


def test_a_process_that_does_enough_jobs_leaves_the_next_to_others(calls):
    job = ask(calls.tenant, 1)
    for _ in range(tasks.JOBS_AT_ONCE):
        assert tasks._room_for_jobs.acquire(blocking=False)
    try:
        tasks.run_job(str(job.pk))
        assert Job.objects.get(pk=job.pk).state == "queued"
    finally:
        for _ in range(tasks.JOBS_AT_ONCE):
            tasks._room_for_jobs.release()
    tasks.run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).state == "done"


def test_the_tasks_of_the_beat_are_safe_to_run_at_any_time(calls):
    job = ask(calls.tenant, 1)
    Job.objects.filter(pk=job.pk).update(state="done", finished_at=Now() - datetime.timedelta(40))
    roll_usage()
    prune_jobs()
    tend_jobs()
    assert not Job.objects.filter(pk=job.pk).exists()
    assert UsageRollup.objects.filter(tenant_id=calls.tenant.id).exists()
