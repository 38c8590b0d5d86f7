"""The claim: one holder at a time, fenced by its number, ended once."""

import datetime
import threading

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

from audit.actor import Actor, command
from audit.models import Event
from gateway.jobs import claim as claims
from gateway.jobs.claim import (
    ATTEMPTS_MAX,
    CancelWantedError,
    Finished,
    JobFailedError,
    LostClaimError,
    take,
)
from gateway.jobs.kinds import KINDS
from gateway.jobs.run import run
from gateway.jobs.upkeep import KEEP, SILENT, jobs_prune, jobs_settle, jobs_waiting
from gateway.models import Job
from gateway.selectors import jobs_visible
from gateway.services.jobs import job_cancel, job_create
from tenants.services.tenants import tenant_create
from tests.stack import eventually

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
ONE_DAY = {"first": "2026-01-01", "last": "2026-01-01"}


@pytest.fixture
def acme(unique):
    return tenant_create(actor=OPERATOR, name=unique("acme"))


@pytest.fixture
def job(acme):
    return waiting(acme)


def waiting(tenant, kind="rollup", terms=ONE_DAY):
    return Job.objects.create(kind=kind, tenant=tenant, owner_id="u1", owner="ann", terms=terms)


def person(tenant, *roles, identity="u1"):
    return Actor("user", identity, "ann", memberships={str(tenant.id): frozenset(roles)})


def lapse(job):
    """Let the lease of a job be over, as it is when its worker has been silent for long."""
    Job.objects.filter(pk=job.pk).update(lease_until=Now())


def stored(job):
    return Job.objects.get(pk=job.pk)


def test_a_job_is_taken_once(job):
    first = take(job.id, "one")
    assert (first.attempt, stored(job).state, stored(job).holder) == (1, "running", "one")
    assert take(job.id, "two") is None


def test_of_many_who_want_a_job_at_once_one_gets_it(job):
    barrier, taken = threading.Barrier(8), []

    def want(name):
        barrier.wait(20)
        taken.append(take(job.id, name))
        connections.close_all()

    threads = [threading.Thread(target=want, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [claim is not None for claim in taken].count(True) == 1


def test_a_holder_that_was_slow_changes_nothing_any_more(job):
    slow = take(job.id, "one")
    lapse(job)
    quick = take(job.id, "two")
    assert quick.attempt == 2
    done = []
    with pytest.raises(LostClaimError):
        slow.finish(Finished({"by": "one"}, lambda: done.append("one")))
    with pytest.raises(LostClaimError):
        slow.report(1, 2)
    with pytest.raises(LostClaimError):
        slow.end(Job.State.FAILED)
    slow.give_back(ValueError())
    quick.finish(Finished({"by": "two"}, lambda: done.append("two")))
    assert (done, stored(job).result, stored(job).state) == (["two"], {"by": "two"}, "done")


def test_an_effect_that_fails_leaves_the_job_unfinished(job):
    claim = take(job.id, "one")

    def broken():
        raise JobFailedError("no room")

    with pytest.raises(JobFailedError):
        claim.finish(Finished({}, broken))
    assert stored(job).state == "running"


def test_a_report_renews_the_lease(job):
    claim = take(job.id, "one")
    lapse(job)
    claim.report(3, 10)
    assert stored(job).lease_until > timezone.now() + claims.LEASE / 2
    assert (stored(job).done, stored(job).total) == (3, 10)


def test_a_lease_is_renewed_while_one_statement_takes_long(job):
    claim = take(job.id, "one")
    lapse(job)
    with claim.kept(every_s=0.01):
        eventually(lambda: stored(job).lease_until > timezone.now() + claims.LEASE / 2)
    renewed = stored(job).lease_until
    lapse(job)
    assert stored(job).lease_until < renewed
    assert take(job.id, "two").attempt == 2
    with claim.kept(every_s=0.01), pytest.raises(LostClaimError):
        eventually(lambda: claim.report(1))


def test_a_lease_is_not_renewed_for_work_that_hangs(job, monkeypatch):
    monkeypatch.setattr(claims, "SILENT_MAX_S", 0.0)
    claim = take(job.id, "one")
    lapse(job)
    with claim.kept(every_s=0.01):
        eventually(lambda: not [one for one in threading.enumerate() if one.name == "lease"])
    assert stored(job).lease_until < timezone.now()


def test_progress_is_written_at_most_once_a_second(job):
    claim = take(job.id, "one")
    claim.progress(1)
    claim.progress(2)
    assert stored(job).done == 1


def test_a_job_that_waits_is_cancelled_at_once(job, acme):
    assert job_cancel(actor=person(acme, "owner"), job=job, reason="not needed")
    assert (stored(job).state, take(job.id, "one")) == ("cancelled", None)
    assert not job_cancel(actor=OPERATOR, job=job)
    event = Event.objects.filter(action="job.cancel", object_id=str(job.id)).get()
    assert (event.actor, event.reason) == ("ann", "not needed")


def test_a_running_job_hears_of_its_cancellation_at_its_next_report(job):
    claim = take(job.id, "one")
    job_cancel(actor=OPERATOR, job=job)
    assert stored(job).state == "running"
    with pytest.raises(CancelWantedError):
        claim.report(1)


def test_a_job_in_progress_ends_as_cancelled(job):
    Job.objects.filter(pk=job.pk).update(cancel_wanted=True)
    today = timezone.now().date().isoformat()
    Job.objects.filter(pk=job.pk).update(terms={"first": today, "last": today})
    assert run(job.id, "one")
    assert (stored(job).state, stored(job).error) == ("cancelled", "")


def test_who_asked_for_a_job_may_stop_it_and_others_who_only_see_it_may_not(job, acme):
    other = waiting(acme)
    with pytest.raises(PermissionDenied):
        job_cancel(actor=person(acme, "auditor", identity="u2"), job=job)
    with pytest.raises(PermissionDenied):
        job_cancel(actor=person(acme, "analyst"), job=job)
    assert job_cancel(actor=person(acme, "auditor"), job=job)
    assert job_cancel(actor=person(acme, "admin", identity="u2"), job=other)


def test_a_job_is_seen_in_its_tenant_alone(job, acme, unique):
    elsewhere = tenant_create(actor=OPERATOR, name=unique("other"))
    assert job in jobs_visible(person(acme, "auditor"))
    assert job in jobs_visible(OPERATOR)
    assert job not in jobs_visible(person(elsewhere, "owner"))
    assert job not in jobs_visible(person(acme, "analyst"))


def test_a_lapsed_job_is_given_on_and_after_enough_attempts_given_up(job):
    for attempt in range(1, ATTEMPTS_MAX + 1):
        assert job.id in jobs_waiting()
        assert take(job.id, "w").attempt == attempt
        assert job.id not in jobs_waiting()
        assert jobs_settle() == 0
        lapse(job)
    assert job.id not in jobs_waiting()
    assert jobs_settle() == 1
    assert stored(job).state == "failed"
    assert stored(job).error == f"given up after {ATTEMPTS_MAX} attempts: {SILENT}"


def test_a_lapsed_job_that_was_cancelled_is_not_given_on(job):
    take(job.id, "w")
    job_cancel(actor=OPERATOR, job=job)
    lapse(job)
    assert job.id not in jobs_waiting()
    jobs_settle()
    assert stored(job).state == "cancelled"


def test_a_fault_is_tried_again_at_once_and_at_last_told(acme):
    job = waiting(acme, terms={"first": "2026-01-01"})
    for _ in range(ATTEMPTS_MAX - 1):
        with pytest.raises(KeyError):
            run(job.id, "one")
        assert job.id in jobs_waiting()
    with pytest.raises(KeyError):
        run(job.id, "one")
    assert (stored(job).state, stored(job).error) == ("failed", "an unexpected fault (KeyError)")


def test_a_kind_that_nobody_knows_fails(acme):
    job = waiting(acme, kind="juggle")
    assert run(job.id, "one")
    assert stored(job).state == "failed"
    assert "juggle" in stored(job).error


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"first": "2026-01-01"},
        {"first": "2026-01-02", "last": "2026-01-01"},
        {"first": "soon", "last": "2026-01-01"},
        {"first": 1, "last": 2},
        {"first": "2020-01-01", "last": "2026-01-01"},
        {"first": "0001-01-01", "last": "0001-01-02"},
        {"first": "1999-12-31", "last": "2000-01-01"},
        {"first": "9999-12-31", "last": "9999-12-31"},
        {"first": "2026-01-01", "last": "2026-01-01", "fast": True},
    ],
)
def test_terms_are_checked_before_anything_is_queued(acme, terms):
    with pytest.raises(ValidationError):
        job_create(actor=OPERATOR, tenant=acme, kind="rollup", terms=terms)
    assert not Job.objects.filter(tenant=acme).exists()


def test_only_kinds_without_a_service_of_their_own_are_asked_for_as_jobs(acme):
    for kind in {"juggle"} | {name for name, kind in KINDS.items() if kind.check is None}:
        with pytest.raises(ValidationError, match="no kind of job"):
            job_create(actor=OPERATOR, tenant=acme, kind=kind, terms={})


def test_jobs_that_ended_long_ago_go(acme):
    old, recent, open_job = waiting(acme), waiting(acme), waiting(acme)
    now = timezone.now()
    for job, age in ((old, KEEP + datetime.timedelta(hours=1)), (recent, datetime.timedelta(1))):
        Job.objects.filter(pk=job.pk).update(state="done", finished_at=now - age)
    jobs_prune(now)
    left = set(Job.objects.filter(tenant=acme).values_list("pk", flat=True))
    assert left == {recent.pk, open_job.pk}
