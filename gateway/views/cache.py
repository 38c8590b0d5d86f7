"""The cache of answers: what a model keeps, and that what is kept be given no more."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import check, requires
from gateway.models import CACHE_ENTRY_BYTES_MAX, CACHE_MAX_S
from gateway.pages import Crumb, Done, FormPage, ReasonForm, form_page, given, or_404
from gateway.selectors import models_used, routes_visible
from gateway.services.cache import cache_purge
from gateway.services.routes import route_update
from tenants.models import App, Tenant
from tenants.selectors import apps_visible, tenants_visible

NOW = "Within a second, nobody is given an answer that was kept before."
LEAD = "An answer that is kept is given again to the same request, without a call to the provider."
COSTS = "The next calls are sent, and charged, anew."


class CacheForm(ReasonForm):
    """For how long answers are kept, and what they differ by."""

    cache_ttl_s = forms.IntegerField(
        min_value=0,
        max_value=CACHE_MAX_S,
        label="Kept for, seconds",
        help_text="For apps that take kept answers. 0: not at all.",
    )
    cache_stale_s = forms.IntegerField(
        min_value=0,
        max_value=CACHE_MAX_S,
        label="And then, while the provider is left alone, seconds",
        help_text="An old answer instead of none. 0: never.",
    )
    cache_hit_percent = forms.IntegerField(
        min_value=0,
        max_value=100,
        label="What a kept answer costs, percent",
        help_text="Of what it cost first.",
    )
    cache_entry_bytes = forms.IntegerField(
        min_value=0,
        max_value=CACHE_ENTRY_BYTES_MAX,
        label="Largest answer, bytes",
        help_text="A larger one is not kept. 0: one megabyte.",
    )
    cache_vary = SimpleArrayField(
        forms.CharField(max_length=67),
        required=False,
        max_length=8,
        label="Not shared between",
        help_text="app, key, user, tag:NAME, with commas between them. Tenants never share.",
    )
    field_order = (
        *("cache_ttl_s", "cache_stale_s", "cache_hit_percent", "cache_entry_bytes", "cache_vary"),
        "reason",
    )


class PurgeForm(ReasonForm):
    """Whose kept answers."""

    model = forms.ChoiceField(required=False, help_text="All of the tenant's, or those of one.")
    field_order = ("model", "reason")

    def __init__(self, data: Any, tenant: Tenant) -> None:
        super().__init__(data)
        names = sorted(models_used(Tenant.objects.filter(id=tenant.id)))
        choices = [("", "all models"), *((name, name) for name in names)]
        self.fields["model"] = forms.ChoiceField(required=False, choices=choices)


@requires("route.update")
@require_http_methods(["GET", "HEAD", "POST"])
def of_model(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change what a model keeps."""
    route = or_404(routes_visible(actor).filter(id=route_id).first())
    back = reverse("model", args=[route.id])
    crumbs = [Crumb("Models", reverse("models")), Crumb(route.name, back)]
    page = FormPage(f"Kept answers of {route.name}", "Save", back, crumbs, LEAD)

    def act(asked: Mapping[str, Any]) -> Done:
        changed = route_update(actor=actor, route=route, **asked)
        return Done("Saved." if changed else "Nothing differed.", back)

    initial = {name: getattr(route, name) for name in CacheForm.base_fields if name != "reason"}
    return form_page(request, page, CacheForm(given(request), initial=initial), act)


@requires("cache.purge")
@require_http_methods(["GET", "HEAD", "POST"])
def of_app(request: HttpRequest, actor: Actor, app_id: uuid.UUID) -> HttpResponse:
    """Say what it will do, or have no answer given any more that an app's calls brought."""
    app: App = or_404(apps_visible(actor).select_related("tenant").filter(id=app_id).first())
    check(actor, "cache.purge", app)
    back = reverse("app", args=[app.id])
    crumbs = [Crumb("Apps", reverse("apps")), Crumb(app.name, back)]
    page = FormPage(
        f"Purge the kept answers of {app.name}", "Purge", back, crumbs, effects=(NOW, COSTS)
    )

    def act(asked: Mapping[str, Any]) -> Done:
        cache_purge(actor=actor, tenant=app.tenant, app=app, reason=asked["reason"])
        return Done("What was kept is given no more.", back)

    return form_page(request, page, ReasonForm(given(request)), act)


@requires("cache.purge")
@require_http_methods(["GET", "HEAD", "POST"])
def of_tenant(request: HttpRequest, actor: Actor, tenant_id: uuid.UUID) -> HttpResponse:
    """Say what it will do, or have no answer given any more: a tenant's, or those of a model."""
    tenant = or_404(tenants_visible(actor).filter(id=tenant_id).first())
    check(actor, "cache.purge", tenant)
    back = reverse("tenant", args=[tenant.id])
    crumbs = [Crumb("Tenants", reverse("tenants")), Crumb(tenant.name, back)]
    page = FormPage(
        f"Purge the kept answers of {tenant.name}", "Purge", back, crumbs, effects=(NOW, COSTS)
    )

    def act(asked: Mapping[str, Any]) -> Done:
        cache_purge(actor=actor, tenant=tenant, route=asked["model"], reason=asked["reason"])
        return Done("What was kept is given no more.", back)

    return form_page(request, page, PurgeForm(given(request), tenant), act)
