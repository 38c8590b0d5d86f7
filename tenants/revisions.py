"""How a change reaches the workers: the tenant's revision rises in the change's own transaction.

After the commit the task `gateway.publish` is sent by name, because this room does not know the one
above. A broker that is away fails no change: beat publishes whatever is behind.
"""

import logging
import uuid
from dataclasses import dataclass

from celery import current_app
from django.db import connection, transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from tenants.models import Tenant

log = logging.getLogger(__name__)

PUBLISH = "gateway.publish"


@dataclass(frozen=True, slots=True)
class _Send:
    """Asks for one tenant to be published, or for all that are behind."""

    tenant_id: uuid.UUID | None

    def __call__(self) -> None:
        arguments = [] if self.tenant_id is None else [str(self.tenant_id)]
        try:
            current_app.send_task(PUBLISH, args=arguments, retry=False, ignore_result=True)
        except (OperationalError, OSError) as error:
            log.warning("publish_not_sent", extra={"error": type(error).__name__})


def tenant_heard(tenant_id: uuid.UUID) -> None:
    """Let every worker hear of a change that needs no new bundle: that of a key or of a state."""
    Tenant.objects.filter(pk=tenant_id).update(revision=F("revision") + 1)


def tenant_changed(tenant_id: uuid.UUID) -> None:
    """Raise one tenant's revision, and have its bundle compiled after the commit."""
    tenant_heard(tenant_id)
    _send_once(_Send(tenant_id))


def platform_changed() -> None:
    """Raise the revision of every tenant, and have all bundles compiled after the commit."""
    present = Tenant.objects.exclude(state=Tenant.State.REMOVED)
    present.update(revision=F("revision") + 1)
    _send_once(_Send(None))


def _send_once(send: _Send) -> None:
    """Register a message, unless this transaction will send the same one already."""
    if not any(entry[1] == send for entry in connection.run_on_commit):
        transaction.on_commit(send)
