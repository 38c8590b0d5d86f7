"""Writes to schedules: versions that come into force at an instant."""

import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, alter, insert, note
from policies.clearance import OPERATORS, acting, check_cleared, lacking
from policies.identity import identity
from policies.inforce import brought
from policies.models import Activation, Policy, PolicyVersion, Schedule
from policies.scopes import require_over, scopes_of
from policies.versions import check_version
from tenants.changes import change_alone
from tenants.models import Tenant
from tenants.permissions import can, require

FURTHEST = datetime.timedelta(days=366)
LATE_S = 5
"""Beat looks every second; more than this behind its instant is late, and told so."""


@transaction.atomic
def schedule_create(
    *,
    actor: Actor,
    policy: Policy,
    version: PolicyVersion,
    at: datetime.datetime,
    reason: str = "",
) -> Schedule:
    """Let a frozen version come into force at an instant; one at a time waits for each policy."""
    change_alone()
    policy = Policy.objects.select_related("active").get(pk=policy.pk)
    scopes = require_over(actor, "schedule.create", policy)
    if version.policy_id != policy.pk:
        raise ValidationError({"version": "it is a version of another policy"})
    if not timezone.now() < at <= timezone.now() + FURTHEST:
        raise ValidationError({"at": "an instant within the next 366 days"})
    waiting = Schedule.objects.filter(policy=policy, state=Schedule.State.WAITING).first()
    if waiting is not None:
        raise ValidationError({"policy": "another version waits already: cancel that first"})
    check_version(version, actor)
    check_cleared(actor, policy, version, scopes)
    schedule = Schedule(
        policy=policy,
        version=version,
        at=at,
        author=actor.name,
        author_identity=identity(actor),
    )
    insert(Change(actor, "schedule.create", reason=reason), schedule)
    return schedule


@transaction.atomic
def schedule_cancel(*, actor: Actor, schedule: Schedule, reason: str = "") -> bool:
    """Let a version that waits not come into force; False where that was cancelled before."""
    change_alone()
    schedule = Schedule.objects.select_related("policy").get(pk=schedule.pk)
    require_over(actor, "schedule.cancel", schedule.policy)
    if schedule.state in (Schedule.State.DONE, Schedule.State.FAILED):
        raise ValidationError({"schedule": f"it is {schedule.state} already"})
    values = {"state": Schedule.State.CANCELLED, "done_at": timezone.now()}
    change = Change(actor, "schedule.cancel", reason=reason)
    return schedule.state == Schedule.State.WAITING and alter(change, schedule, values)


@transaction.atomic
def schedule_perform(*, actor: Actor, schedule: Schedule, reason: str = "") -> bool:
    """Bring a version into force whose instant has come; False where it may not, any more.

    What has become impossible meanwhile is written at the schedule: an approver or a scheduler who
    may no longer, or a clash with other policies.
    """
    require(actor, "schedule.perform", None)
    change_alone()
    schedule = Schedule.objects.select_related("policy__active", "version").get(pk=schedule.pk)
    now = timezone.now()
    if schedule.state != Schedule.State.WAITING or schedule.at > now:
        return False
    change = Change(actor, "schedule.perform", reason=reason)
    scopes = scopes_of(schedule.policy)
    why = _hindrance(schedule, scopes) or brought(
        change, schedule.policy, schedule.version, scopes, Activation.Kind.SCHEDULE
    )
    schedule.state = Schedule.State.FAILED if why else Schedule.State.DONE
    late_s = int((now - schedule.at).total_seconds())
    schedule.note = why or (f"{late_s} s late" if late_s > LATE_S else "")
    schedule.done_at = now
    schedule.save(update_fields=["state", "note", "done_at"])
    if why:
        after = {"state": schedule.state, "note": schedule.note}
        note(change, schedule, before={"state": Schedule.State.WAITING}, after=after)
    return not why


def _hindrance(schedule: Schedule, scopes: list[Tenant | None]) -> str:
    """Return why a version may not come into force although its instant has come."""
    if schedule.author_identity.startswith(OPERATORS):
        return ""
    author = acting(schedule.author_identity)
    if author is None or not all(can(author, "schedule.create", scope) for scope in scopes):
        return f"{schedule.author}, who scheduled it, may not do so any longer"
    return lacking(schedule.policy, schedule.version, scopes)
