"""Carrying a job from its claim to its end."""

import logging
import uuid

from django.db import transaction

from gateway.jobs.claim import CancelWantedError, Claim, JobFailedError, LostClaimError, fault, take
from gateway.jobs.kinds import KINDS
from gateway.models import Job

log = logging.getLogger(__name__)


def run(job_id: uuid.UUID, holder: str) -> bool:
    """Do a job if it may be taken; False where it may not, or is somebody else's by now."""
    claim = take(job_id, holder)
    if claim is None:
        return False
    try:
        kind = KINDS.get(claim.job.kind)
        if kind is None:
            raise JobFailedError(f"this version knows no job of the kind {claim.job.kind!r}")
        claim.finish(kind.work(claim))
    except LostClaimError:
        log.warning("job_claim_lost", extra={"job": str(job_id), "attempt": claim.attempt})
        return False
    except CancelWantedError:
        _spoil(claim, Job.State.CANCELLED, "")
    except JobFailedError as error:
        _spoil(claim, Job.State.FAILED, str(error))
    except BaseException as error:
        if claim.is_last:
            _spoil(claim, Job.State.FAILED, fault(error))
        else:
            claim.give_back(error)
        raise
    return True


def _spoil(claim: Claim, state: str, reason: str) -> None:
    """End a job without its effect; what was prepared for it is told."""
    with transaction.atomic():
        claim.end(state, error=reason)
        spoiled(claim.job, reason)


def spoiled(job: Job, reason: str) -> None:
    """Tell what a job was for that it will not come; within the transaction that ends it."""
    kind = KINDS.get(job.kind)
    if kind is not None and kind.spoiled is not None:
        kind.spoiled(job, reason)
