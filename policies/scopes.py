"""Where a policy holds, who may act there, and how the workers there hear of a change."""

from django.core.exceptions import ValidationError

from audit.actor import Actor
from policies.models import Policy
from policies.selectors import (
    PLATFORM,
    TwoRolloutsError,
    attachments,
    effective_everywhere,
)
from tenants.models import Tenant
from tenants.permissions import LacksError, require, tenants_where
from tenants.revisions import platform_changed, tenant_changed


def scopes_of(policy: Policy) -> list[Tenant | None]:
    """Return where a policy is attached: tenants, and None for the platform."""
    held = attachments().filter(policy=policy).select_related("tenant")
    return list({attachment.tenant_id: attachment.tenant for attachment in held}.values())


def require_over(actor: Actor, action: str, policy: Policy) -> list[Tenant | None]:
    """Return where a policy holds, once it is sure that the actor may do this in all of it.

    What holds nowhere concerns nobody yet: whoever may do this anywhere may do it there.
    """
    scopes = scopes_of(policy)
    for tenant in scopes:
        require(actor, action, tenant)
    if not scopes and tenants_where(actor, action) == frozenset():
        raise LacksError(actor, action)
    return scopes


def written(scopes: list[Tenant | None]) -> list[str]:
    """Return scopes as they are kept: the ids of tenants, or "platform"."""
    return sorted(PLATFORM if tenant is None else str(tenant.id) for tenant in scopes)


def heard(scopes: list[Tenant | None], *, fits_later: bool) -> None:
    """Let the workers of all tenants concerned hear, once the policies still fit together.

    PolicyError, or ValidationError, where they do not.
    """
    is_platform = None in scopes
    active = Tenant.objects.exclude(state=Tenant.State.REMOVED).order_by("id")
    concerned = list(active) if is_platform else [scope for scope in scopes if scope is not None]
    for tenant in () if fits_later else concerned:
        _check(tenant)
    if is_platform:
        platform_changed()
    else:
        for tenant in sorted(concerned, key=lambda tenant: tenant.id):
            tenant_changed(tenant.id)


def _check(tenant: Tenant) -> None:
    try:
        effective_everywhere(tenant)
    except TwoRolloutsError as error:
        raise ValidationError({"policy": str(error)}) from error
