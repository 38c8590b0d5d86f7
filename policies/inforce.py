"""A version comes into force: what changes with it, in the transaction of a service."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.services import Change, note
from policies.clearance import sha256_of
from policies.models import (
    Activation,
    Draft,
    Emergency,
    Policy,
    PolicyVersion,
    Review,
    Rollout,
    Schedule,
)
from policies.pdp.problem import PolicyError
from policies.scopes import heard, written
from tenants.models import Tenant


def bring(
    change: Change,
    policy: Policy,
    version: PolicyVersion,
    scopes: list[Tenant | None],
    kind: Activation.Kind,
    *,
    fits_later: bool = False,
) -> None:
    """Make a version the active one, write the event, and let everybody concerned hear.

    A candidate beside the former version ends, for what it was compared with is gone, and so does
    an emergency. PolicyError where the version clashes with what it meets.
    """
    before = policy.active
    policy.active = version
    policy.save(update_fields=["active"])
    Activation.objects.create(
        policy=policy, version=version, kind=kind, scopes=written(scopes), actor=change.actor.name
    )
    is_promoted = kind == Activation.Kind.ROLLOUT
    ended = Rollout.State.PROMOTED if is_promoted else Rollout.State.SUPERSEDED
    running = Rollout.objects.filter(policy=policy, state=Rollout.State.RUNNING)
    was_beside = running.update(state=ended, ended_at=timezone.now())
    end_emergency(policy)
    note(
        change,
        policy,
        before={"active": None if before is None else before.number},
        after={"active": version.number, "hash": version.hash, "kind": kind.value}
        | ({"rollout": ended.value} if was_beside else {}),
    )
    heard(scopes, fits_later=fits_later)


def brought(
    change: Change,
    policy: Policy,
    version: PolicyVersion,
    scopes: list[Tenant | None],
    kind: Activation.Kind,
) -> str:
    """Make a version the active one, and return ""; or change nothing, and return why it cannot."""
    try:
        with transaction.atomic():
            bring(change, policy, version, scopes, kind)
    except (PolicyError, ValidationError) as error:
        policy.refresh_from_db()
        return "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
    return ""


def reviewed(policy: Policy, version: PolicyVersion, source: str) -> None:
    """Let approvals of a text name the version that it became."""
    approved = Review.objects.filter(policy=policy, state=Review.State.APPROVED, version=None)
    approved.filter(text_sha256=sha256_of(source)).update(version=version)


def void(policy: Policy, *, but: str = "") -> int:
    """Void what was asked or said of texts of a policy, but of one that is `but` to the letter."""
    pending = (Review.State.OPEN, Review.State.APPROVED)
    asked = Review.objects.filter(
        policy=policy, state__in=pending, version=None, afterwards=False
    ).exclude(text_sha256=sha256_of(but) if but else "")
    return asked.update(state=Review.State.VOID)


def check_base(draft: Draft, policy: Policy) -> None:
    """Raise ValidationError where a draft began from another version than the active one."""
    if draft.base_id != policy.active_id:
        number = policy.active.number if policy.active else 0
        raise ValidationError(
            {"base": f"version {number} became active since this draft was begun: take it over"}
        )


def settle(draft: Draft | None) -> None:
    """End a draft that has become a version."""
    if draft is not None:
        Draft.objects.filter(pk=draft.pk).delete()


def cancel_schedules(policy: Policy) -> None:
    """Let nothing that waits come into force any more."""
    Schedule.objects.filter(policy=policy, state=Schedule.State.WAITING).update(
        state=Schedule.State.CANCELLED, done_at=timezone.now()
    )


def end_emergency(policy: Policy) -> None:
    """Let no emergency of a policy expire any more: what it brought is not in force."""
    Emergency.objects.filter(policy=policy, state=Emergency.State.RUNNING).update(
        state=Emergency.State.SUPERSEDED, ended_at=timezone.now()
    )
