"""How every change in a tenant begins: the permission, and the lock that puts changes in a row."""

from django.core.exceptions import ValidationError

from audit.actor import Actor
from audit.services import Change
from tenants.models import Budget, RateLimit, Tenant
from tenants.permissions import require


def tenant_change(actor: Actor, action: str, tenant: Tenant, reason: str = "") -> Change:
    """Check that the actor may do this in the tenant, and lock the tenant until the commit.

    What a service checks over several rows (the last owner, the budgets above a budget) stays true
    because no two changes of one tenant overlap. The lock leaves the data plane alone.
    """
    require(actor, action, tenant)
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    return Change(actor, action, tenant.id, tenant.name, reason)


def platform_change(actor: Actor, action: str, reason: str = "") -> Change:
    """Check that the actor may do this to the whole installation."""
    require(actor, action, None)
    return Change(actor, action, reason=reason)


def owner_check(row: Budget | RateLimit) -> None:
    """Raise ValidationError unless the app or key is the tenant's own, and at most one is named."""
    if row.app is not None and row.key is not None:
        raise ValidationError({"key": "it belongs to an app or to a key, not to both"})
    owner = row.app or row.key
    if owner is not None and owner.tenant_id != row.tenant_id:
        raise ValidationError({"tenant": "its app or key belongs to another tenant"})
