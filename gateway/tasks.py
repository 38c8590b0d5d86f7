"""Background work, each task thin and safe to run twice."""

import asyncio
import datetime
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from celery import shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone
from oauth2_provider.models import clear_expired

from audit.actor import task as task_actor
from audit.services import partitions_create
from gateway.proxy.sweep import sweep
from gateway.publish import RENEW_AFTER, publish
from gateway.selectors import tenants_behind
from gateway.services.prices import price_book_refresh
from tenants.holds import epochs_turn, holds_prune
from tenants.models import Tenant
from tenants.revisions import tenant_heard

log = logging.getLogger(__name__)

PARTITION_DAYS = 30
SWEEP_REDIS_S = 2.0


@shared_task(name="gateway.publish")
def publish_tenants(tenant_id: str | None = None) -> None:
    """Publish one tenant if it is behind, or every tenant that is."""
    behind = tenants_behind(timezone.now(), RENEW_AFTER)
    if tenant_id is not None:
        behind = behind.filter(pk=uuid.UUID(tenant_id))
    for tenant in list(behind):
        _publish(tenant)


@shared_task(name="gateway.maintain_partitions")
def maintain_partitions() -> None:
    """Keep the record's daily partitions a month ahead, and yesterday's for late rows."""
    today = timezone.now().astimezone(datetime.UTC).date()
    created = partitions_create(
        first=today - datetime.timedelta(days=1),
        last=today + datetime.timedelta(days=PARTITION_DAYS),
    )
    if created:
        log.info("partitions_created", extra={"partitions": created})


@shared_task(name="gateway.refresh_prices")
def refresh_prices() -> None:
    """Enter what an upgraded price book says, from now on."""
    price_book_refresh(actor=task_actor("gateway.refresh_prices"))


@shared_task(name="gateway.forget_tokens")
def forget_tokens() -> None:
    """Delete OAuth2 tokens and codes that are good no more."""
    clear_expired()


@shared_task(name="gateway.sweep_leases")
def sweep_leases() -> None:
    """Post attempts whose worker died, and release what was never admitted."""
    config = settings.GATEHOUSE
    with alone("gateway.sweep_leases") as mine:
        if mine:
            lost, released = asyncio.run(
                sweep(config.database_url, config.redis_url, SWEEP_REDIS_S)
            )
            if lost or released:
                log.info("leases_swept", extra={"lost": lost, "released": released})


@shared_task(name="gateway.turn_epochs")
def turn_epochs() -> None:
    """Begin a new epoch for every tenant, and drop claims that no epoch can meet again."""
    with alone("gateway.turn_epochs") as mine:
        if mine:
            turned = epochs_turn()
            pruned = holds_prune(timezone.now())
            log.info("epochs_turned", extra={"tenants": turned, "holds_pruned": pruned})


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Hold the one lock of a task; false where another process holds it: it does the work."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))
        (mine,) = cursor.fetchone()
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


def _publish(tenant: Tenant) -> None:
    """Publish a tenant; one that only needs its windows renewed gets a new revision first."""
    if tenant.revision <= tenant.published_revision:
        tenant_heard(tenant.id)
    publish(tenant.id)
