"""Writes to apps, the programs of a tenant."""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from audit.actor import Actor
from audit.services import Change, alter, insert
from tenants.changes import tenant_change
from tenants.models import App, Budget, RateLimit, Tenant, VirtualKey
from tenants.revisions import tenant_changed
from tenants.services.keys import keys_revoke_all


class AppFields(TypedDict, total=False):
    """What can be said of an app besides its name and state: public model names, names of services,
    its tier, whether it takes kept answers, and what becomes of its requests, which the caller has
    read: this room does not."""

    models: Sequence[str]
    services: Sequence[str]
    tier: str
    cache: bool
    transformation: Sequence[Any]


@transaction.atomic
def app_create(
    *, actor: Actor, tenant: Tenant, name: str, reason: str = "", **fields: Unpack[AppFields]
) -> App:
    """Create an app. Whether its models and services exist is the caller's to check: this room
    knows none."""
    change = tenant_change(actor, "app.create", tenant, reason)
    app = App(tenant=tenant, name=name, **fields)
    insert(change, app)
    tenant_changed(tenant.id)
    return app


@transaction.atomic
def app_update(*, actor: Actor, app: App, reason: str = "", **fields: Unpack[AppFields]) -> bool:
    """Change what is said of an app; False where nothing differed."""
    change = tenant_change(actor, "app.update", app.tenant, reason)
    changed = alter(change, app, fields)
    if changed:
        tenant_changed(app.tenant_id)
    return changed


@transaction.atomic
def app_suspend(*, actor: Actor, app: App, reason: str = "") -> bool:
    """Stop every call of an app, those in flight too."""
    return _move(tenant_change(actor, "app.suspend", app.tenant, reason), app, App.State.SUSPENDED)


@transaction.atomic
def app_resume(*, actor: Actor, app: App, reason: str = "") -> bool:
    """Let a suspended app call again."""
    return _move(tenant_change(actor, "app.resume", app.tenant, reason), app, App.State.ACTIVE)


@transaction.atomic
def app_remove(*, actor: Actor, app: App, reason: str = "") -> bool:
    """End an app for good: its keys are revoked, its name is free, its rows stay as evidence."""
    change = tenant_change(actor, "app.remove", app.tenant, reason)
    keys = VirtualKey.objects.filter(app=app)
    revoked = keys_revoke_all(keys)
    for owned in (Budget.objects, RateLimit.objects):
        owned.filter(Q(app=app) | Q(key__in=keys)).update(is_active=False)
    return _move(change, app, App.State.REMOVED, revoked)


def _move(change: Change, app: App, state: App.State, revoked: Sequence[str] = ()) -> bool:
    if App.objects.get(pk=app.pk).state == App.State.REMOVED:
        raise ValidationError({"state": f"the app {app.name} has been removed"})
    besides = {"keys_revoked": list(revoked)} if revoked else {}
    changed = alter(change, app, {"state": state}, besides=besides)
    if changed:
        tenant_changed(app.tenant_id)
    return changed
