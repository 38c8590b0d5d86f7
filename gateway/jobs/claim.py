"""The claim on a job: taken for a lease, renewed with each report, needed to finish.

Every write carries the number of the attempt that makes it. Once another worker has taken the job
that number is over, so a worker that was only slow changes nothing any more, and learns it.
"""

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now

from gateway.models import Job

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""How long a worker may be silent before its job is another's."""

ATTEMPTS_MAX = 3
REPORT_S = 1.0
RENEW_S = 15.0
SILENT_MAX_S = 3600.0
"""For how long a lease is renewed without a report: what takes longer is taken to hang."""

ERROR_MAX = 1000

_UNFINISHED: Mapping[str, Any] = {"holder": "", "lease_until": None}


class LostClaimError(Exception):
    """Somebody else has the job now, or it has ended: this attempt may change nothing any more."""


class CancelWantedError(Exception):
    """Somebody asked for the job to stop."""


class JobFailedError(Exception):
    """The work cannot be done, and trying again would not help. The message says why."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a job came to. `effect` runs in the transaction that finishes it, under its claim."""

    result: Mapping[str, Any]
    effect: Callable[[], None] | None = None


class Claim:
    """One attempt's hold on a job."""

    def __init__(self, job: Job, attempt: int) -> None:
        self.job = job
        self.attempt = attempt
        self._reported_s: float | None = None
        self._alive_s = time.monotonic()

    @property
    def is_last(self) -> bool:
        """Whether nobody will take the job up again after this attempt."""
        return self.attempt >= ATTEMPTS_MAX

    def progress(self, done: int, total: int | None = None) -> None:
        """Say how far the work is, and keep the claim for another lease; at most once a second.

        Raises LostClaimError or CancelWantedError. The work must report more often than a lease.
        """
        now_s = time.monotonic()
        if self._reported_s is None or now_s - self._reported_s >= REPORT_S:
            self._reported_s = now_s
            self.report(done, total)

    def report(self, done: int, total: int | None = None) -> None:
        """Do what `progress` does, now."""
        self._alive_s = time.monotonic()
        self._write(done=done, total=total, lease_until=Now() + LEASE)
        if Job.objects.filter(pk=self.job.pk, cancel_wanted=True).exists():
            raise CancelWantedError

    @contextlib.contextmanager
    def kept(self, every_s: float = RENEW_S) -> Iterator[None]:
        """Keep the claim while the context lasts, however long one statement in it takes.

        A thread renews the lease: it ends with the process, and where reports stay out too long.
        """
        done = threading.Event()
        thread = threading.Thread(target=self._renew, args=(done, every_s), name="lease")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _renew(self, done: threading.Event, every_s: float) -> None:
        try:
            while not done.wait(every_s) and time.monotonic() - self._alive_s < SILENT_MAX_S:
                try:
                    self._write(lease_until=Now() + LEASE)
                except DatabaseError as error:
                    log.warning("lease_not_renewed", extra={"error": type(error).__name__})
                    connection.close()
        except LostClaimError:
            return  # whoever works learns it at the next report
        finally:
            connection.close()

    def finish(self, finished: Finished) -> None:
        """Bring about the effect and mark the job as done, both or neither."""
        with transaction.atomic():
            if not self._mine().select_for_update().exists():
                raise LostClaimError
            if finished.effect is not None:
                finished.effect()
            self.end(Job.State.DONE, result=dict(finished.result))

    def end(self, state: str, **values: Any) -> None:
        """Write the last word on the job."""
        self._write(state=state, finished_at=Now(), **_UNFINISHED, **values)

    def give_back(self, error: BaseException) -> None:
        """Let the job be taken up again at once: this attempt met a fault.

        Where even that cannot be written the lease will lapse all the same.
        """
        with contextlib.suppress(DatabaseError, LostClaimError):
            self._write(lease_until=Now(), error=fault(error))

    def _mine(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.job.pk, attempts=self.attempt, state=Job.State.RUNNING)

    def _write(self, **values: Any) -> None:
        if not self._mine().update(**values):
            raise LostClaimError


def take(job_id: uuid.UUID, holder: str) -> Claim | None:
    """Claim a job that waits, or whose lease has lapsed; None where there is nothing to take."""
    job = takeable().filter(pk=job_id).select_related("tenant").first()
    if job is None:
        return None
    attempt = job.attempts + 1
    taken = (
        takeable()
        .filter(pk=job_id, attempts=job.attempts)
        .update(
            state=Job.State.RUNNING,
            attempts=attempt,
            holder=holder,
            lease_until=Now() + LEASE,
            started_at=Coalesce("started_at", Now()),
            done=0,
            total=None,
        )
    )
    return Claim(job, attempt) if taken else None


def takeable() -> QuerySet[Job]:
    """Return the jobs that a worker may take now."""
    return Job.objects.filter(
        Q(state=Job.State.QUEUED) | Q(state=Job.State.RUNNING, lease_until__lte=Now()),
        attempts__lt=ATTEMPTS_MAX,
    )


def fault(error: BaseException) -> str:
    """Return what is kept of an unexpected error: its kind, for its text could quote anything."""
    return f"an unexpected fault ({type(error).__name__})"[:ERROR_MAX]
