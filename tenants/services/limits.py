"""Writes to rate limits."""

from typing import TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import alter, insert
from tenants.changes import owner_check, tenant_change
from tenants.models import App, RateLimit, Tenant, VirtualKey
from tenants.revisions import tenant_changed


class LimitTerms(TypedDict, total=False):
    """How much a limit allows: `amount` for each `per`, at once up to `burst`."""

    amount: int
    per: str
    burst: int | None


class LimitFields(LimitTerms, total=False):
    """All that can be said of a limit besides its name and kind."""

    app: App | None
    key: VirtualKey | None


@transaction.atomic
def rate_limit_create(
    *,
    actor: Actor,
    tenant: Tenant,
    name: str,
    kind: str,
    reason: str = "",
    **fields: Unpack[LimitFields],
) -> RateLimit:
    """Create a limit of requests, tokens or calls at once."""
    change = tenant_change(actor, "rate_limit.create", tenant, reason)
    limit = RateLimit(tenant=tenant, name=name, kind=kind, **fields)
    _check(limit)
    insert(change, limit)
    tenant_changed(tenant.id)
    return limit


@transaction.atomic
def rate_limit_update(
    *, actor: Actor, limit: RateLimit, reason: str = "", **terms: Unpack[LimitTerms]
) -> bool:
    """Change how much a limit allows; False where nothing differed."""
    change = tenant_change(actor, "rate_limit.update", limit.tenant, reason)
    changed = alter(change, limit, terms)
    _check(limit)
    if changed:
        tenant_changed(limit.tenant_id)
    return changed


@transaction.atomic
def rate_limit_remove(*, actor: Actor, limit: RateLimit, reason: str = "") -> bool:
    """End a limit."""
    change = tenant_change(actor, "rate_limit.remove", limit.tenant, reason)
    changed = alter(change, limit, {"is_active": False})
    if changed:
        tenant_changed(limit.tenant_id)
    return changed


def _check(limit: RateLimit) -> None:
    if limit.burst is not None and limit.kind == RateLimit.Kind.CONCURRENCY:
        raise ValidationError({"burst": "calls at once have no burst"})
    if limit.burst is not None and limit.burst < 1:
        raise ValidationError({"burst": "a burst is at least 1"})
    if bool(limit.per) == (limit.kind == RateLimit.Kind.CONCURRENCY):
        raise ValidationError(
            {"per": "requests and tokens are per something, calls at once are not"}
        )
    owner_check(limit)
