"""Background work, each task thin and safe to run twice."""

import asyncio
import datetime
import logging
import os
import platform
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from celery import shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone
from oauth2_provider.models import clear_expired

from audit.actor import task as task_actor
from audit.rule_hits import hits_roll
from audit.services import partitions_create
from gateway.circuits import look_after
from gateway.jobs.backtest import backtests_prune
from gateway.jobs.queue import send
from gateway.jobs.run import run
from gateway.jobs.upkeep import jobs_prune, jobs_settle, jobs_waiting
from gateway.proxy.sweep import sweep
from gateway.publish import RENEW_AFTER, publish
from gateway.selectors import tenants_behind
from gateway.services.exports import exports_expire
from gateway.services.prices import price_book_refresh
from gateway.watching import watch
from policies.models import Emergency, Schedule
from policies.services.emergencies import policy_emergency_expire
from policies.services.schedules import schedule_perform
from tenants.holds import epochs_turn, holds_prune
from tenants.models import Tenant
from tenants.revisions import tenant_heard
from tenants.usage.pruning import usage_prune
from tenants.usage.rolling import usage_roll

log = logging.getLogger(__name__)

PARTITION_DAYS = 30
SWEEP_REDIS_S = 2.0
TEND_JOBS_S = 5.0
JOBS_AT_ONCE = 2

# Jobs are long: some of a worker's threads are left to everything that is not one.
_room_for_jobs = threading.BoundedSemaphore(JOBS_AT_ONCE)


@shared_task(name="gateway.publish")
def publish_tenants(tenant_id: str | None = None) -> None:
    """Publish one tenant if it is behind, or every tenant that is."""
    behind = tenants_behind(timezone.now(), RENEW_AFTER)
    if tenant_id is not None:
        behind = behind.filter(pk=uuid.UUID(tenant_id))
    for tenant in list(behind):
        _publish(tenant)


@shared_task(name="gateway.bring_into_force")
def bring_into_force() -> None:
    """Bring versions into force whose instant has come."""
    due = Schedule.objects.filter(state=Schedule.State.WAITING, at__lte=timezone.now())
    for schedule in due.order_by("at"):
        actor = task_actor("gateway.bring_into_force")
        if not schedule_perform(actor=actor, schedule=schedule):
            log.warning("schedule_not_performed", extra={"schedule": str(schedule.id)})


@shared_task(name="gateway.end_emergencies")
def end_emergencies() -> None:
    """Bring back what was in force before emergencies that nobody has approved in time."""
    running = Emergency.objects.filter(state=Emergency.State.RUNNING)
    for emergency in running.filter(expires_at__lte=timezone.now()).order_by("expires_at"):
        policy_emergency_expire(actor=task_actor("gateway.end_emergencies"), emergency=emergency)


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


@shared_task(name="gateway.run_job")
def run_job(job_id: str) -> None:
    """Do one job; a process that does as many as it may leaves it to the next look."""
    if _room_for_jobs.acquire(blocking=False):
        try:
            run(uuid.UUID(job_id), f"{platform.node()} {os.getpid()}"[:120])
        finally:
            _room_for_jobs.release()


@shared_task(name="gateway.tend_jobs")
def tend_jobs() -> None:
    """Give jobs that wait, or whose worker died, to a worker; end those that nobody shall take."""
    ended = jobs_settle()
    if ended:
        log.warning("jobs_given_up", extra={"jobs": ended})
    for job_id in jobs_waiting():
        send(job_id, expires_s=TEND_JOBS_S)


@shared_task(name="gateway.prune_jobs")
def prune_jobs() -> None:
    """Delete jobs that ended and back-tests of long ago, and files of exports that are over."""
    jobs_prune(timezone.now())
    backtests_prune(timezone.now())
    exports_expire(timezone.now())


@shared_task(name="gateway.roll_usage")
def roll_usage() -> None:
    """Roll up what was used, wherever something was written since the last time."""
    keep = datetime.timedelta(days=settings.GATEHOUSE.usage_hours_days)
    with alone("gateway.roll_usage") as mine:
        if mine:
            usage_roll()
            usage_prune(timezone.now() - keep)


@shared_task(name="gateway.look_after_providers")
def look_after_providers() -> None:
    """Ask the providers that want it how they are, and leave alone those that are away."""
    with alone("gateway.look_after_providers") as mine:
        away = look_after(timezone.now()) if mine else []
        if away:
            log.warning("providers_away", extra={"providers": away})


@shared_task(name="gateway.watch_rules")
def watch_rules() -> None:
    """Count how often rules matched, and notice those that behave otherwise than they did."""
    with alone("gateway.watch_rules") as mine:
        if mine:
            now = timezone.now()
            hits_roll(now)
            opened = watch(now)
            if opened:
                log.warning("rules_unusual", extra={"notices": opened})


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
