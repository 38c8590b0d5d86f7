"""Writes to tenants. Each is one transaction with one event, and is heard by every worker."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import Change, alter, insert
from tenants.changes import platform_change, tenant_change
from tenants.detectors import checked
from tenants.models import App, Budget, RateLimit, Tenant, TenantEpoch, VirtualKey
from tenants.revisions import tenant_changed
from tenants.services.keys import keys_revoke_all
from tenants.zones import known_zones

TIERS_MAX, TIER_MAX, MODEL_MAX = 50, 63, 120


class TenantFields(TypedDict, total=False):
    """What can be said of a tenant besides its name and state."""

    timezone: str
    evidence: str
    tags: Sequence[str]
    pii_countries: Sequence[str]
    pii_phone_regions: Sequence[str]
    pii_entities: Sequence[str]
    detectors: Sequence[Mapping[str, Any]]
    cors_origins: Sequence[str]
    default_model: str
    tier_models: Mapping[str, str]


@transaction.atomic
def tenant_create(
    *, actor: Actor, name: str, reason: str = "", **fields: Unpack[TenantFields]
) -> Tenant:
    """Create a tenant."""
    change = platform_change(actor, "tenant.create", reason)
    tenant = Tenant(name=name, **_with_detectors(fields))
    _check(tenant)
    insert(Change(actor, change.action, tenant.id, name, reason), tenant)
    TenantEpoch.objects.create(tenant=tenant)
    tenant_changed(tenant.id)
    return tenant


@transaction.atomic
def tenant_update(
    *, actor: Actor, tenant: Tenant, reason: str = "", **fields: Unpack[TenantFields]
) -> bool:
    """Change what is said of a tenant; False where nothing differed."""
    change = tenant_change(actor, "tenant.update", tenant, reason)
    changed = alter(change, tenant, _with_detectors(fields))
    _check(tenant)
    if changed:
        tenant_changed(tenant.id)
    return changed


@transaction.atomic
def tenant_suspend(*, actor: Actor, tenant: Tenant, reason: str = "") -> bool:
    """Stop every call of a tenant, those in flight too."""
    return _move(
        tenant_change(actor, "tenant.suspend", tenant, reason), tenant, Tenant.State.SUSPENDED
    )


@transaction.atomic
def tenant_resume(*, actor: Actor, tenant: Tenant, reason: str = "") -> bool:
    """Let a suspended tenant call again."""
    return _move(tenant_change(actor, "tenant.resume", tenant, reason), tenant, Tenant.State.ACTIVE)


@transaction.atomic
def tenant_remove(*, actor: Actor, tenant: Tenant, reason: str = "") -> bool:
    """End a tenant for good: its keys are revoked, its name is free, its rows stay as evidence."""
    change = tenant_change(actor, "tenant.remove", tenant, reason)
    revoked = keys_revoke_all(VirtualKey.objects.filter(tenant=tenant))
    App.objects.filter(tenant=tenant).update(state=App.State.REMOVED)
    Budget.objects.filter(tenant=tenant).update(is_active=False)
    RateLimit.objects.filter(tenant=tenant).update(is_active=False)
    return _move(change, tenant, Tenant.State.REMOVED, revoked)


def _move(change: Change, tenant: Tenant, state: Tenant.State, revoked: Sequence[str] = ()) -> bool:
    besides = {"keys_revoked": list(revoked)} if revoked else {}
    changed = alter(change, tenant, {"state": state}, besides=besides)
    if changed:
        tenant_changed(tenant.id)
    return changed


def _with_detectors(fields: TenantFields) -> TenantFields:
    """Return the fields with detectors as they are stored."""
    if "detectors" in fields:
        return {**fields, "detectors": checked(fields["detectors"])}
    return fields


def _check(tenant: Tenant) -> None:
    if tenant.evidence != Tenant.Evidence.STRICT:
        raise ValidationError(
            {"evidence": f"{tenant.evidence!r} is not available in this version: only strict is"}
        )
    _check_tiers(tenant.tier_models)
    if tenant.timezone not in known_zones():
        raise ValidationError({"timezone": f"{tenant.timezone!r} is not an IANA time zone"})


def _check_tiers(models: object) -> None:
    """Refuse what is no short list of tiers with the name of a model each."""
    if not isinstance(models, dict) or len(models) > TIERS_MAX:
        raise ValidationError(
            {"tier_models": f"it is at most {TIERS_MAX} tiers, each with a model"}
        )
    for tier, name in models.items():
        if not (_is_word(tier, TIER_MAX) and _is_word(name, MODEL_MAX)):
            raise ValidationError(
                {
                    "tier_models": f"a tier has 1 to {TIER_MAX} characters,"
                    f" the name of its model 1 to {MODEL_MAX}"
                }
            )


def _is_word(text: object, most: int) -> bool:
    return isinstance(text, str) and 0 < len(text) <= most
