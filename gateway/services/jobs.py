"""Writes to jobs by people. What workers write stands in gateway/jobs."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, alter, insert
from gateway.jobs.kinds import KINDS
from gateway.jobs.queue import new_job, send_after_commit
from gateway.jobs.run import spoiled
from gateway.models import Job
from tenants.changes import tenant_change
from tenants.models import Tenant
from tenants.permissions import can, require


@transaction.atomic
def job_create(
    *, actor: Actor, tenant: Tenant, kind: str, terms: Mapping[str, Any], reason: str = ""
) -> Job:
    """Ask for work of a kind that needs nothing but its terms."""
    change = tenant_change(actor, "job.create", tenant, reason)
    known = KINDS.get(kind)
    if known is None or known.check is None:
        raise ValidationError({"kind": f"{kind!r} is no kind of job that can be asked for"})
    known.check(terms)
    job = new_job(actor, tenant, kind, terms)
    insert(change, job)
    send_after_commit(job.id)
    return job


@transaction.atomic
def job_cancel(*, actor: Actor, job: Job, reason: str = "") -> bool:
    """Stop a job: at once where it waits, else at its next report; False where it has ended.

    Whoever asked for a job may stop it, as long as they may see it.
    """
    own = actor.id == job.owner_id and can(actor, "job.read", job)
    if not own:
        require(actor, "job.cancel", job)
    stored = Job.objects.select_for_update().get(pk=job.pk)
    if stored.finished_at is not None:
        return False
    change = Change(actor, "job.cancel", stored.tenant_id, stored.tenant.name, reason)
    values: dict[str, Any] = {"cancel_wanted": True}
    if stored.state == Job.State.QUEUED:
        values |= {"state": Job.State.CANCELLED, "finished_at": timezone.now()}
        spoiled(stored, "")
    return alter(change, job, values)
