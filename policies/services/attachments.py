"""Writes to where policies hold."""

from dataclasses import replace
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.actor import Actor
from audit.services import NAME_MAX, Change, alter, delete, insert
from policies.clearance import check_cleared, detachment_asked, wanting_review
from policies.identity import identity, joined
from policies.models import Activation, Attachment, Policy, Rollout
from policies.scopes import heard, written
from tenants.changes import platform_change, tenant_change
from tenants.models import App, Tenant


@transaction.atomic
def policy_attach(
    *,
    actor: Actor,
    policy: Policy,
    tenant: Tenant | None = None,
    app: App | None = None,
    reason: str = "",
    fits_later: bool = False,
) -> Attachment:
    """Let a policy hold for the platform (no tenant), for a tenant, or for one app of it."""
    change = _change(actor, "policy.attach", tenant, reason)
    policy = Policy.objects.get(pk=policy.pk)
    if policy.active is None:
        raise ValidationError({"policy": f"{policy.name} has no published version"})
    if app is not None and (tenant is None or app.tenant_id != tenant.id):
        raise ValidationError({"app": "the app belongs to another tenant"})
    check_cleared(actor, policy, policy.active, [tenant])
    for candidate in _deciding(policy):
        check_cleared(actor, policy, candidate.version, [tenant])
    attachment = Attachment(policy=policy, tenant=tenant, app=app)
    insert(change, attachment)
    Activation.objects.create(
        policy=policy,
        version=policy.active,
        kind=Activation.Kind.ATTACH,
        scopes=written([tenant]),
        actor=actor.name,
    )
    heard([tenant], fits_later=fits_later)
    return attachment


@transaction.atomic
def policy_detach(*, actor: Actor, attachment: Attachment, reason: str = "") -> bool:
    """End a policy's hold on the platform, a tenant or an app; where none is left, calls fail.

    Where a text takes a second person, so does this: False where it is only asked for, and still
    holds until somebody else, a person, does the same. A question is over when another version
    comes into force, or whoever asked may not any longer: the next one asks anew.
    """
    change = _change(actor, "policy.detach", attachment.tenant, reason)
    attachment = _locked(attachment)
    if not actor.is_operator and wanting_review([attachment.tenant]):
        if not detachment_asked(attachment):
            asked = {
                "detach_asked_by": actor.name[:NAME_MAX],
                "detach_authors": joined([], actor),
                "detach_asked_at": timezone.now(),
                "detach_reason": reason,
            }
            alter(replace(change, action="policy_detach.request"), attachment, asked)
            return False
        if actor.kind == "application":
            raise PermissionDenied("a detachment is confirmed by a person, not by an application")
        if identity(actor) in attachment.detach_authors:
            raise PermissionDenied("whoever asked for a detachment does not confirm it")
    delete(change, attachment)
    heard([attachment.tenant], fits_later=True)  # fewer policies never clash
    return True


@transaction.atomic
def policy_detach_withdraw(*, actor: Actor, attachment: Attachment, reason: str = "") -> bool:
    """Let a policy hold on whose end somebody has asked for; False where nobody has."""
    change = _change(actor, "policy_detach.withdraw", attachment.tenant, reason)
    nobody: dict[str, Any] = {
        "detach_asked_by": "",
        "detach_authors": [],
        "detach_asked_at": None,
        "detach_reason": "",
    }
    return alter(change, _locked(attachment), nobody)


def _locked(attachment: Attachment) -> Attachment:
    """Return the row as it is now, so that of two who detach at once one confirms the other."""
    rows = Attachment.objects.select_for_update(of=("self",))
    found = rows.select_related("policy", "tenant", "app").filter(pk=attachment.pk).first()
    if found is None:
        raise ValidationError({"attachment": "it holds no more"})
    return found


def _deciding(policy: Policy) -> QuerySet[Rollout]:
    """Return the candidate that is served to some keys, which comes along with its policy."""
    running = Rollout.objects.filter(policy=policy, state=Rollout.State.RUNNING)
    return running.exclude(percent=0).select_related("version")


def _change(actor: Actor, action: str, tenant: Tenant | None, reason: str) -> Change:
    if tenant is None:
        return platform_change(actor, action, reason)
    return tenant_change(actor, action, tenant, reason)
