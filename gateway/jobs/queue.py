"""How a job comes to a worker: a message by name after the commit, or beat's next look."""

import logging
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from audit.actor import Actor
from gateway.models import Job
from tenants.models import Tenant

log = logging.getLogger(__name__)

RUN = "gateway.run_job"


def new_job(actor: Actor, tenant: Tenant, kind: str, terms: Mapping[str, Any]) -> Job:
    """Return a job of the actor's that waits; the caller stores it."""
    return Job(
        kind=kind, tenant=tenant, owner_id=actor.id, owner=actor.name[:200], terms=dict(terms)
    )


def send_after_commit(job_id: uuid.UUID) -> None:
    """Have a worker look at a job after the commit; a broker that is away only delays it."""
    transaction.on_commit(partial(send, job_id))


def send(job_id: uuid.UUID, expires_s: float | None = None) -> None:
    """Have a worker look at a job."""
    try:
        current_app.send_task(
            RUN, args=[str(job_id)], retry=False, ignore_result=True, expires=expires_s
        )
    except (OperationalError, OSError) as error:
        log.warning("job_not_sent", extra={"error": type(error).__name__})
