"""Where a policy holds, and how the workers there hear that something about it changed."""

from policies.models import Policy
from policies.selectors import attachments, effective_everywhere
from tenants.models import Tenant
from tenants.revisions import platform_changed, tenant_changed


def scopes_of(policy: Policy) -> list[Tenant | None]:
    """Return where a policy is attached: tenants, and None for the platform."""
    held = attachments().filter(policy=policy).select_related("tenant")
    return list({attachment.tenant_id: attachment.tenant for attachment in held}.values())


def heard(scopes: list[Tenant | None], *, fits_later: bool) -> None:
    """Let the workers of all tenants concerned hear, once the policies still fit together."""
    is_platform = None in scopes
    active = Tenant.objects.exclude(state=Tenant.State.REMOVED).order_by("id")
    concerned = list(active) if is_platform else [scope for scope in scopes if scope is not None]
    for tenant in () if fits_later else concerned:
        effective_everywhere(tenant)
    if is_platform:
        platform_changed()
    else:
        for tenant in sorted(concerned, key=lambda tenant: tenant.id):
            tenant_changed(tenant.id)
