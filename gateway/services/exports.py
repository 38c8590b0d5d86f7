"""Writes to exports of evidence: each is an event, the reading of every part too."""

import datetime

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from audit.actor import Actor
from audit.actor import task as task_actor
from audit.exports.folder import MANIFEST
from audit.exports.wanted import ExportWanted, WantedError, as_json, check
from audit.models import Export
from audit.services import Change, alter, insert, note
from gateway.jobs.export import folder_of
from gateway.jobs.queue import new_job, send_after_commit
from gateway.selectors import DOWNLOAD_SALT
from tenants.changes import tenant_change
from tenants.models import Tenant
from tenants.permissions import require

KIND = "export"


@transaction.atomic
def export_create(
    *,
    actor: Actor,
    tenant: Tenant,
    wanted: ExportWanted,
    reason: str = "",
    send: bool = True,
) -> Export:
    """Ask for the evidence of a tenant as files; a job writes them.

    Without `send` no worker is told: the caller runs the job.
    """
    change = tenant_change(actor, "export.create", tenant, reason)
    try:
        check(wanted)
    except WantedError as error:
        raise ValidationError({"wanted": str(error)}) from None
    job = new_job(actor, tenant, KIND, {})
    job.full_clean()
    job.save(force_insert=True)
    export = Export(
        tenant_id=tenant.pk,
        tenant=tenant.name,
        creator_id=actor.id,
        creator=actor.name[:200],
        filter=as_json(wanted),
        job_id=job.pk,
    )
    insert(change, export)
    if send:
        send_after_commit(job.pk)
    return export


@transaction.atomic
def export_download(*, actor: Actor, export: Export, part: str, reason: str = "") -> str:
    """Return a token that opens one file of an export for a minute, and note who reads it."""
    require(actor, "export.download", export)
    change = Change(actor, "export.download", export.tenant_id, export.tenant, reason)
    stored = Export.objects.select_for_update(no_key=True).get(pk=export.pk)
    if stored.state != Export.State.READY:
        raise ValidationError({"export": f"the export is {stored.state}"})
    if part not in {MANIFEST, *(known["name"] for known in stored.parts)}:
        raise ValidationError({"part": f"the export has no part {part!r}"})
    Export.objects.filter(pk=export.pk).update(
        downloads=F("downloads") + 1, downloaded_at=timezone.now()
    )
    note(change, stored, before=None, after={"part": part})
    return signing.dumps([str(export.pk), part], salt=DOWNLOAD_SALT)


def exports_expire(now: datetime.datetime) -> int:
    """Delete the files of exports whose time is over, each with an event; return how many."""
    over = Export.objects.filter(state=Export.State.READY, expires_at__lte=now)
    expired = 0
    for export in over.order_by("expires_at"):
        with transaction.atomic():
            change = Change(
                task_actor("gateway.prune_jobs"), "export.expire", export.tenant_id, export.tenant
            )
            expired += alter(change, export, {"state": Export.State.EXPIRED})
            folder_of(export).delete()
    return expired
