"""What keeps jobs moving: those whose worker died are given on, and old ones go."""

import datetime
import uuid

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from gateway.jobs.claim import ATTEMPTS_MAX, takeable
from gateway.jobs.run import spoiled
from gateway.models import Job

KEEP = datetime.timedelta(days=30)
SILENT = "its worker ended without a word"
MOST = 100


def jobs_waiting() -> list[uuid.UUID]:
    """Return the jobs that a worker should take now, oldest first: new ones, and lapsed ones."""
    waiting = takeable().filter(cancel_wanted=False).order_by("created_at")
    return list(waiting.values_list("pk", flat=True)[:MOST])


def jobs_settle() -> int:
    """End lapsed jobs that nobody shall take up: cancelled, or tried too often. Return how many."""
    with transaction.atomic():
        over = Job.objects.select_for_update(skip_locked=True).filter(
            Q(attempts__gte=ATTEMPTS_MAX) | Q(cancel_wanted=True),
            state=Job.State.RUNNING,
            lease_until__lte=Now(),
        )
        ended = list(over[:MOST])
        for job in ended:
            _end(job)
    return len(ended)


def jobs_prune(now: datetime.datetime) -> int:
    """Delete jobs that ended long ago; return how many."""
    return int(Job.objects.filter(finished_at__lt=now - KEEP).delete()[0])


def _end(job: Job) -> None:
    state, reason = Job.State.CANCELLED, ""
    if not job.cancel_wanted:
        state = Job.State.FAILED
        reason = f"given up after {job.attempts} attempts: {job.error or SILENT}"
    Job.objects.filter(pk=job.pk).update(
        state=state, error=reason, finished_at=Now(), holder="", lease_until=None
    )
    spoiled(job, reason)
