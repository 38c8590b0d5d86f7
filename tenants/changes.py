"""How every change begins: the permission, and the locks that put changes in a row.

A change of one tenant shares a lock with those of other tenants; a change of the platform, which
may concern all of them, has it alone. So no two changes ever wait for each other in a ring.
"""

from django.core.exceptions import ValidationError
from django.db import connection

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
    _lock("SELECT pg_advisory_xact_lock_shared(hashtextextended('gatehouse: changes', 0))")
    stored = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if stored.state == Tenant.State.REMOVED:
        raise ValidationError({"tenant": f"the tenant {tenant.name} has been removed"})
    return Change(actor, action, tenant.id, tenant.name, reason)


def platform_change(actor: Actor, action: str, reason: str = "") -> Change:
    """Check that the actor may do this to the whole installation; others wait for the commit."""
    require(actor, action, None)
    change_alone()
    return Change(actor, action, reason=reason)


def change_alone() -> None:
    """Let nothing else be changed until this transaction ends."""
    _lock("SELECT pg_advisory_xact_lock(hashtextextended('gatehouse: changes', 0))")


def owner_check(row: Budget | RateLimit) -> None:
    """Raise ValidationError unless the app or key is the tenant's own, and at most one is named."""
    if row.app is not None and row.key is not None:
        raise ValidationError({"key": "it belongs to an app or to a key, not to both"})
    owner = row.app or row.key
    if owner is not None and owner.tenant_id != row.tenant_id:
        raise ValidationError({"tenant": "its app or key belongs to another tenant"})


def _lock(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
