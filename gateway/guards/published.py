"""From the rows of guards to what a bundle holds of them."""

import uuid

from gateway import bundle
from gateway.guards import sealing
from gateway.guards.contract import PHASES
from gateway.guards.models import Guard
from policies.pdp.request import Phase
from tenants.models import Tenant


def of(tenant: Tenant) -> tuple[bundle.Guard, ...]:
    """Return a tenant's guards, by name."""
    rows = Guard.objects.filter(tenant=tenant).order_by("name")
    return tuple(published(row) for row in rows)


def phases(tenant_id: uuid.UUID | None) -> frozenset[Phase]:
    """Return the phases whose texts the guards of a tenant, or of all, are asked about."""
    rows = Guard.objects.all() if tenant_id is None else Guard.objects.filter(tenant_id=tenant_id)
    named = {phase for row in rows for phase in row.phases}
    return frozenset(phase for phase in PHASES if phase in named)


def published(row: Guard) -> bundle.Guard:
    """Return one guard as workers know it, its secrets still sealed."""
    return bundle.Guard(
        id=str(row.id),
        name=row.name,
        url=row.url,
        allow_private=row.allow_private,
        kinds=tuple(row.kinds),
        phases=tuple(row.phases),
        deadline_ms=row.deadline_ms,
        tells_user=row.tells_user,
        redacted=row.redacted,
        cache=row.cache,
        secrets=tuple(
            bundle.SealedCredential(
                bytes(each.sealed), each.key_id, sealing.row_name(each.id, row.id)
            )
            for each in sealing.held(row)
        ),
    )
