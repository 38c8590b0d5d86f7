"""Writes to rollouts: a candidate version beside the active one, in shadow or for some keys."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, alter, insert
from policies.clearance import check_cleared
from policies.inforce import bring
from policies.models import Activation, Policy, PolicyVersion, Rollout
from policies.scopes import heard, require_over
from policies.versions import check_version
from tenants.changes import change_alone

PERCENT_MAX = 100


@transaction.atomic
def rollout_start(
    *, actor: Actor, policy: Policy, version: PolicyVersion, percent: int = 0, reason: str = ""
) -> Rollout:
    """Let a version be judged beside the active one, and decide for `percent` of the keys.

    In shadow (0) it decides nothing, and needs nobody's approval.
    """
    change_alone()
    policy = Policy.objects.select_related("active").get(pk=policy.pk)
    scopes = require_over(actor, "rollout.start", policy)
    if version.policy_id != policy.pk:
        raise ValidationError({"version": "it is a version of another policy"})
    if policy.active is None or policy.active_id == version.pk:
        raise ValidationError({"version": "a candidate is beside an active version, another one"})
    if Rollout.objects.filter(policy=policy, state=Rollout.State.RUNNING).exists():
        raise ValidationError({"policy": f"{policy.name} has a candidate already: end that first"})
    _check_percent(percent)
    check_version(version, actor)
    if percent:
        check_cleared(actor, policy, version, scopes)
    rollout = Rollout(policy=policy, version=version, percent=percent, author=actor.name)
    insert(Change(actor, "rollout.start", reason=reason), rollout)
    heard(scopes, fits_later=False)
    return rollout


@transaction.atomic
def rollout_update(*, actor: Actor, rollout: Rollout, percent: int, reason: str = "") -> bool:
    """Change how many of the keys are served the candidate; False where that is so already."""
    rollout = _running(rollout)
    scopes = require_over(actor, "rollout.update", rollout.policy)
    _check_percent(percent)
    if percent:
        check_cleared(actor, rollout.policy, rollout.version, scopes)
    change = Change(actor, "rollout.update", reason=reason)
    changed = alter(change, rollout, {"percent": percent})
    if changed:
        heard(scopes, fits_later=True)
    return changed


@transaction.atomic
def rollout_stop(*, actor: Actor, rollout: Rollout, reason: str = "") -> None:
    """Let the active version alone decide again."""
    rollout = _running(rollout)
    scopes = require_over(actor, "rollout.stop", rollout.policy)
    ended = {"state": Rollout.State.STOPPED, "ended_at": timezone.now()}
    alter(Change(actor, "rollout.stop", reason=reason), rollout, ended)
    heard(scopes, fits_later=True)


@transaction.atomic
def rollout_promote(*, actor: Actor, rollout: Rollout, reason: str = "") -> None:
    """Make the candidate the active version."""
    rollout = _running(rollout)
    policy = rollout.policy
    scopes = require_over(actor, "rollout.promote", policy)
    check_cleared(actor, policy, rollout.version, scopes)
    change = Change(actor, "rollout.promote", reason=reason)
    bring(change, policy, rollout.version, scopes, Activation.Kind.ROLLOUT)


def _running(rollout: Rollout) -> Rollout:
    change_alone()
    rollout = Rollout.objects.select_related("policy__active", "version").get(pk=rollout.pk)
    if rollout.state != Rollout.State.RUNNING:
        raise ValidationError({"rollout": f"it is {rollout.state} already"})
    return rollout


def _check_percent(percent: int) -> None:
    if not 0 <= percent <= PERCENT_MAX:
        raise ValidationError({"percent": "between 0 (shadow) and 100"})
