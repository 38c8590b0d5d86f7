"""Whose a budget or limit is: a tenant's, one of its apps', or one key's; as a form offers it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django import forms

from audit.actor import Actor
from gateway.pages import tenants_for
from tenants.models import App, Tenant, VirtualKey

KEYS_MAX = 200


@dataclass(frozen=True, slots=True)
class Owner:
    """A tenant, and the app or key of it that is meant, if any."""

    value: str
    label: str
    tenant: Tenant
    app: App | None = None
    key: VirtualKey | None = None


def owners(actor: Actor, action: str) -> list[Owner]:
    """Return whom the actor may do this for: tenants, their apps, the newest of their keys."""
    tenants = {tenant.id: tenant for tenant in tenants_for(actor, action)}
    apps = App.objects.filter(tenant__in=tenants).exclude(state=App.State.REMOVED)
    keys = VirtualKey.objects.filter(tenant__in=tenants, state=VirtualKey.State.ACTIVE)
    found = [
        Owner(f"tenant:{tenant.id}", f"{tenant.name}, as a whole", tenant)
        for tenant in tenants.values()
    ]
    found += [
        Owner(f"app:{app.id}", f"{_in(tenants[app.tenant_id])} app {app.name}", app.tenant, app)
        for app in apps.select_related("tenant").order_by("tenant__name", "name")
    ]
    return found + [
        Owner(f"key:{key.id}", f"{_in(key.tenant)} key {key}", key.tenant, None, key)
        for key in keys.select_related("tenant").order_by("-created_at")[:KEYS_MAX]
    ]


def owner_field(found: Sequence[Owner]) -> forms.ChoiceField:
    """Return the field that asks for one of them."""
    choices = [(owner.value, owner.label) for owner in found]
    return forms.ChoiceField(label="For", choices=choices)


def _in(tenant: Tenant) -> str:
    return f"{tenant.name}:"
