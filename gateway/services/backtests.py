"""Asking for back-tests: a text judged against the recorded calls of a tenant."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import alter, note
from gateway.jobs.backtest import spoiled
from gateway.jobs.queue import new_job, send_after_commit
from gateway.models import Job
from policies.models import Backtest
from policies.pdp.decision import LAYERS
from policies.pdp.language import parse_document
from policies.substitution import Place, substitution
from tenants.changes import tenant_change
from tenants.models import App, Tenant

KIND = "backtest"
RANGE_MAX = datetime.timedelta(days=400)


@dataclass(frozen=True, slots=True)
class BacktestWanted:
    """A text, where it would hold, and the calls to judge: from `since` on and before `until`."""

    source: str
    since: datetime.datetime
    until: datetime.datetime
    place: Place = field(default_factory=Place)


@transaction.atomic
def backtest_create(
    *,
    actor: Actor,
    tenant: Tenant,
    wanted: BacktestWanted,
    reason: str = "",
    send: bool = True,
) -> Backtest:
    """Ask what a text would change for a tenant's recorded calls; a job finds out.

    Raises PolicyError where the text is wrong, or does not fit what holds. Without `send` no worker
    is told: the caller runs the job.
    """
    change = tenant_change(actor, "backtest.create", tenant, reason)
    document, place = parse_document(wanted.source), wanted.place
    _check(tenant, wanted)
    substitution(tenant, document, place)
    job = new_job(actor, tenant, KIND, {"policy": document.name})
    job.full_clean()
    job.save(force_insert=True)
    made = Backtest(
        tenant=tenant,
        policy=document.name,
        layer=place.layer or "",
        app_id=place.app_id,
        source=wanted.source,
        hash=document.hash,
        since=wanted.since,
        until=wanted.until,
        owner=actor.name[:200],
        job_id=job.pk,
    )
    made.full_clean()
    made.save(force_insert=True)
    # Not the text: that of a policy is no part of events either.
    said = {"policy": made.policy, "hash": made.hash, "layer": made.layer, "job": str(job.pk)}
    span = {"since": wanted.since.isoformat(), "until": wanted.until.isoformat()}
    note(change, made, before=None, after=said | span)
    if send:
        send_after_commit(job.pk)
    return made


@transaction.atomic
def backtest_cancel(*, actor: Actor, backtest: Backtest, reason: str = "") -> bool:
    """Stop a back-test: at once where it waits, else at its next report; False where it ended."""
    change = tenant_change(actor, "backtest.cancel", backtest.tenant, reason)
    job = Job.objects.select_for_update().filter(pk=backtest.job_id, finished_at=None).first()
    if job is None:
        return False
    values: dict[str, Any] = {"cancel_wanted": True}
    if job.state == Job.State.QUEUED:
        values |= {"state": Job.State.CANCELLED, "finished_at": timezone.now()}
        spoiled(job, "")
    return alter(change, job, values)


def _check(tenant: Tenant, wanted: BacktestWanted) -> None:
    if not datetime.timedelta(0) < wanted.until - wanted.since <= RANGE_MAX:
        raise ValidationError(
            {"until": f"a back-test is of at most {RANGE_MAX.days} days, from one instant on and"
             " before a later one"}
        )  # fmt: skip
    place = wanted.place
    if place.layer not in (None, *LAYERS):
        raise ValidationError({"layer": f"a layer is one of {', '.join(LAYERS)}"})
    if (place.layer == "app") != (place.app_id is not None):
        raise ValidationError({"app": "an app goes with the layer app, and with no other"})
    if place.app_id is not None:
        apps = App.objects.filter(tenant=tenant).exclude(state=App.State.REMOVED)
        if not apps.filter(pk=place.app_id).exists():
            raise ValidationError({"app": "there is none of this id in the tenant"})
