"""The job that writes an export."""

import datetime
import os

from django.conf import settings
from django.utils import timezone

from audit.exports.folder import ExportFolder, Written
from audit.exports.wanted import from_json
from audit.models import Export
from gateway.data_folder import DataFolder
from gateway.jobs.claim import Claim, Finished, JobFailedError
from gateway.models import Job

KEEP = datetime.timedelta(days=7)
CANCELLED = "it was cancelled"


def folder_of(export: Export) -> ExportFolder:
    """Return the folder of an export."""
    return ExportFolder(DataFolder(settings.GATEHOUSE.data).exports, export.pk)


def work(claim: Claim) -> Finished:
    """Write the files; they come to their place in the transaction that ends the job."""
    export = Export.objects.get(job_id=claim.job.pk)
    about = {
        "tenant": export.tenant,
        "tenant_id": str(export.tenant_id),
        "creator": export.creator,
        "created_at": export.created_at.isoformat(),
        "attempt": claim.attempt,
    }
    try:
        written = folder_of(export).write(
            settings.GATEHOUSE.database_url, from_json(export.filter), about, claim.progress
        )
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise JobFailedError(f"the export cannot be written: {reason}") from error
    result = {"rows": dict(written.manifest["rows"]), "bytes": written.size_bytes}
    return Finished(result, lambda: _publish(export, written))


def spoiled(job: Job, reason: str) -> None:
    """Say of an export that it will not come."""
    export = Export.objects.filter(job_id=job.pk).first()
    if export is not None:
        Export.objects.filter(pk=export.pk, state=Export.State.PENDING).update(
            state=Export.State.FAILED, error=reason or CANCELLED
        )
        folder_of(export).forget_partial()


def _publish(export: Export, written: Written) -> None:
    folder_of(export).place(written)
    now = timezone.now()
    Export.objects.filter(pk=export.pk).update(
        state=Export.State.READY,
        rows=written.rows,
        size_bytes=written.size_bytes,
        parts=list(written.parts),
        ready_at=now,
        expires_at=now + KEEP,
    )
