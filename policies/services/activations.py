"""Writes that bring a frozen version into force, or freeze one without that."""

import logging

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import Change, note
from policies.clearance import check_cleared
from policies.inforce import bring, reviewed
from policies.models import Activation, Policy, PolicyVersion
from policies.scopes import require_over
from policies.versions import check_version, checked, frozen
from policies.vocabulary import names_for
from tenants.changes import change_alone

log = logging.getLogger(__name__)


@transaction.atomic
def policy_version_freeze(
    *, actor: Actor, policy: Policy, source: str, reason: str = ""
) -> PolicyVersion:
    """Freeze a text as a version that is not in force: to be scheduled, or tried beside the active
    one. A text that says the same as an earlier version is that version."""
    change_alone()
    policy = Policy.objects.get(pk=policy.pk)
    require_over(actor, "policy_version.freeze", policy)
    document = checked(policy, source, names_for(actor))
    version = frozen(policy, document, source, actor.name)
    reviewed(policy, version, source)
    change = Change(actor, "policy_version.freeze", reason=reason)
    note(change, version, before=None, after={"number": version.number, "hash": version.hash})
    return version


@transaction.atomic
def policy_activate(*, actor: Actor, version: PolicyVersion, reason: str = "") -> bool:
    """Bring a frozen version into force; False where it is already."""
    return _bring(actor, "policy.activate", version, reason)


@transaction.atomic
def policy_rollback(*, actor: Actor, version: PolicyVersion, reason: str = "") -> bool:
    """Bring a version that was in force before into force again; False where it is."""
    if not Activation.objects.filter(version=version).exists():
        raise ValidationError({"version": f"version {version.number} was never in force"})
    return _bring(actor, "policy.rollback", version, reason)


def _bring(actor: Actor, action: str, version: PolicyVersion, reason: str) -> bool:
    change_alone()
    policy = Policy.objects.select_related("active").get(pk=version.policy_id)
    scopes = require_over(actor, action, policy)
    if policy.active_id == version.pk:
        return False
    if action == "policy.activate":  # what was in force once may always come back
        check_version(version, actor)
    check_cleared(actor, policy, version, scopes)
    kind = Activation.Kind(action.partition(".")[2])
    bring(Change(actor, action, reason=reason), policy, version, scopes, kind)
    return True
