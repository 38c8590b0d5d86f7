"""Writes to where policies hold."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from audit.actor import Actor
from audit.services import Change, delete, insert
from policies.clearance import check_cleared
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
def policy_detach(*, actor: Actor, attachment: Attachment, reason: str = "") -> None:
    """End a policy's hold on the platform, a tenant or an app; where none is left, calls fail."""
    change = _change(actor, "policy.detach", attachment.tenant, reason)
    delete(change, attachment)
    heard([attachment.tenant], fits_later=True)  # fewer policies never clash


def _deciding(policy: Policy) -> QuerySet[Rollout]:
    """Return the candidate that is served to some keys, which comes along with its policy."""
    running = Rollout.objects.filter(policy=policy, state=Rollout.State.RUNNING)
    return running.exclude(percent=0).select_related("version")


def _change(actor: Actor, action: str, tenant: Tenant | None, reason: str) -> Change:
    if tenant is None:
        return platform_change(actor, action, reason)
    return tenant_change(actor, action, tenant, reason)
