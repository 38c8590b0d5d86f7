"""Writes to the cache of answers: what is kept may be given no more."""

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import note_of, thing_of
from gateway.models import CachePurge
from tenants.changes import tenant_change
from tenants.models import App, Tenant
from tenants.revisions import tenant_changed


@transaction.atomic
def cache_purge(
    *, actor: Actor, tenant: Tenant, route: str = "", app: App | None = None, reason: str = ""
) -> CachePurge:
    """Have none of a tenant's kept answers given any more: all, those of a model, or of an app.

    Holds from the next revision on, like every change; calls that began before it keep nothing
    that others would get.
    """
    change = tenant_change(actor, "cache.purge", tenant, reason)
    if route and app is not None:
        raise ValidationError({"app": "answers of a model are purged, or those of an app"})
    if app is not None and app.tenant_id != tenant.id:
        raise ValidationError({"app": "it belongs to another tenant"})
    scope = f"route:{route}" if route else f"app:{app.id}" if app is not None else ""
    tenant_changed(tenant.id)
    revision = Tenant.objects.values_list("revision", flat=True).get(pk=tenant.id)
    row = CachePurge.objects.filter(tenant=tenant, scope=scope).first()
    row = row or CachePurge(tenant=tenant, scope=scope)
    row.revision = revision
    row.full_clean()
    row.save()
    what = {"route": route} if route else {"app": app.name} if app is not None else {}
    note_of(change, thing_of(tenant), before=None, after={"revision": revision, **what})
    return row
