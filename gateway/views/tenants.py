"""Tenants: the list, one tenant, its settings, and stopping all of its calls."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway import navigation
from gateway.access import check, requires
from gateway.fields import TiersField, WordsField
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    NeededReasonForm,
    ReasonForm,
    form_page,
    given,
    listed,
    or_404,
)
from gateway.selectors import unknown_models
from tenants.models import App, Tenant, VirtualKey
from tenants.permissions import can
from tenants.selectors import tenants_visible
from tenants.services.tenants import (
    tenant_create,
    tenant_remove,
    tenant_resume,
    tenant_suspend,
    tenant_update,
)


class SettingsForm(ReasonForm):
    """What can be said of a tenant."""

    timezone = forms.CharField(
        label="Time zone", max_length=64, initial="UTC", help_text="An IANA name: Europe/Berlin."
    )
    tags = WordsField(
        required=False, max_length=600, help_text="Names that calls may tag themselves with."
    )
    pii_countries = WordsField(
        label="Countries of personal data",
        required=False,
        max_length=200,
        help_text="Two letters each: US, GB, DE.",
    )
    pii_phone_regions = WordsField(
        label="Regions of telephone numbers", required=False, max_length=200
    )
    pii_entities = WordsField(
        label="Names that a model finds",
        required=False,
        max_length=200,
        help_text="PERSON, LOCATION, ORGANIZATION, NRP, DATE_TIME; the installation needs a model.",
    )
    cors_origins = WordsField(
        label="Origins of browsers",
        required=False,
        max_length=2000,
        help_text="Pages that may read answers: https://app.example, or * for all.",
    )
    default_model = forms.CharField(
        required=False, max_length=120, help_text="Asked for where a call names no model."
    )
    tier_models = TiersField(
        label="Default models by tier",
        required=False,
        max_length=4000,
        help_text="For apps of a tier, such as gold=large, silver=small.",
    )
    field_order = (
        "name",
        "timezone",
        "tags",
        "pii_countries",
        "pii_phone_regions",
        "pii_entities",
        "cors_origins",
        "default_model",
        "tier_models",
        "reason",
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a default that is no model."""
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("default_model", "tier_models"):
            given = asked.get(name) or ""
            models = list(given.values()) if isinstance(given, dict) else [given] if given else []
            unknown = unknown_models(models)
            if unknown:
                self.add_error(name, f"There is no model {', '.join(unknown)}.")
        return asked


class NewTenantForm(SettingsForm):
    """A new tenant."""

    name = forms.CharField(
        max_length=63, help_text="1 to 63 of a-z, 0-9, “.”, “_” and “-”; it cannot be changed."
    )


class RemoveForm(NeededReasonForm):
    """The end of a tenant, confirmed by its name."""

    typed = forms.CharField(max_length=63, widget=forms.TextInput({"autocomplete": "off"}))
    field_order = ("typed", "reason")

    def __init__(self, data: Any, name: str) -> None:
        super().__init__(data)
        self._name = name
        self.fields["typed"].label = f"Type {name} to confirm"

    def clean_typed(self) -> str:
        """Refuse any other name."""
        typed: str = self.cleaned_data["typed"].strip()
        if typed != self._name:
            raise forms.ValidationError(f"This is not {self._name}.")
        return typed


@requires("tenant.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the tenants."""
    live = ~Q(apps__state=App.State.REMOVED)
    tenants = tenants_visible(actor).annotate(
        app_count=Count("apps", filter=live, distinct=True),
        member_count=Count("memberships__user", distinct=True),
    )
    text = request.GET.get("q", "").strip()
    content = {
        "page": listed(request, tenants.filter(name__icontains=text) if text else tenants),
        "text": text,
        "may_create": can(actor, "tenant.create", None),
    }
    return render(request, "tenants/tenant_list.html", content)


@requires("tenant.read")
@require_safe
def show(request: HttpRequest, actor: Actor, tenant_id: uuid.UUID) -> HttpResponse:
    """Show one tenant and the way to what is its."""
    tenant = _tenant(actor, tenant_id)
    content = {
        "crumbs": _crumbs(),
        "tenant": tenant,
        "links": navigation.of_tenant(actor, tenant),
    }
    return render(request, "tenants/tenant_show.html", content)


@requires("tenant.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create the tenant."""
    page = FormPage("Create a tenant", "Create the tenant", reverse("tenants"), _crumbs())

    def act(asked: Mapping[str, Any]) -> Done:
        tenant = tenant_create(actor=actor, **asked)
        return Done(f"The tenant {tenant.name} is there. Attach a policy to it.", _address(tenant))

    return form_page(request, page, NewTenantForm(given(request)), act)


@requires("tenant.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, tenant_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change the tenant's settings."""
    tenant = _tenant(actor, tenant_id)
    check(actor, "tenant.update", tenant)
    initial = {
        "timezone": tenant.timezone,
        "tags": ", ".join(tenant.tags),
        "pii_countries": ", ".join(tenant.pii_countries),
        "pii_phone_regions": ", ".join(tenant.pii_phone_regions),
        "pii_entities": ", ".join(tenant.pii_entities),
        "cors_origins": ", ".join(tenant.cors_origins),
        "default_model": tenant.default_model,
        "tier_models": ", ".join(f"{tier}={name}" for tier, name in tenant.tier_models.items()),
    }
    form = SettingsForm(given(request), initial=initial)
    page = FormPage(f"Settings of {tenant.name}", "Save", _address(tenant), _crumbs(tenant))

    def act(asked: Mapping[str, Any]) -> Done:
        changed = tenant_update(actor=actor, tenant=tenant, **asked)
        return Done("Saved." if changed else "Nothing differed.", _address(tenant))

    return form_page(request, page, form, act)


@requires("tenant.suspend")
@require_http_methods(["GET", "HEAD", "POST"])
def suspend(request: HttpRequest, actor: Actor, tenant_id: uuid.UUID) -> HttpResponse:
    """Say what it will stop, or suspend the tenant."""
    tenant = _tenant(actor, tenant_id)
    apps, keys = _working(tenant)
    effects = (
        f"Every call of {tenant.name} is refused within a second, those in flight are cut.",
        f"This stops {apps} and {keys} until you resume it.",
        "Nothing is deleted; budgets and evidence stay as they are.",
    )
    return _move(request, actor, tenant, "suspend", tenant_suspend, effects)


@requires("tenant.resume")
@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: HttpRequest, actor: Actor, tenant_id: uuid.UUID) -> HttpResponse:
    """Say what it will allow, or resume the tenant."""
    tenant = _tenant(actor, tenant_id)
    effects = (f"The keys of {tenant.name} work again within a second.",)
    return _move(request, actor, tenant, "resume", tenant_resume, effects)


@requires("tenant.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, actor: Actor, tenant_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or end the tenant for good once its name was typed."""
    tenant = _tenant(actor, tenant_id)
    check(actor, "tenant.remove", tenant)
    apps, keys = _working(tenant)
    page = FormPage(
        title=f"Remove {tenant.name}",
        submit="Remove the tenant",
        back=_address(tenant),
        crumbs=_crumbs(tenant),
        effects=(
            f"{apps} and {keys} end within a second, and its budgets and limits with them."
            " This cannot be undone: suspend it if it may come back.",
            "Its calls, costs and events stay as evidence, and can still be read and exported.",
            f"The name {tenant.name} is free again.",
        ),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        tenant_remove(actor=actor, tenant=tenant, reason=asked["reason"])
        return Done(f"{tenant.name} is removed.", reverse("tenants"))

    return form_page(request, page, RemoveForm(given(request), tenant.name), act)


def _working(tenant: Tenant) -> tuple[str, str]:
    """Return how many apps and keys of the tenant work now, in words."""
    apps = App.objects.filter(tenant=tenant, state=App.State.ACTIVE).count()
    keys = VirtualKey.objects.filter(tenant=tenant, state=VirtualKey.State.ACTIVE).count()
    return _counted(apps, "app"), _counted(keys, "key")


def _move(
    request: HttpRequest,
    actor: Actor,
    tenant: Tenant,
    verb: str,
    service: Callable[..., bool],
    effects: Sequence[str],
) -> HttpResponse:
    check(actor, f"tenant.{verb}", tenant)
    page = FormPage(
        title=f"{verb.capitalize()} {tenant.name}",
        submit=f"{verb.capitalize()} the tenant",
        back=_address(tenant),
        crumbs=_crumbs(tenant),
        effects=effects,
        is_dangerous=verb == "suspend",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        service(actor=actor, tenant=tenant, reason=asked["reason"])
        done = "suspended" if verb == "suspend" else "active again"
        return Done(f"{tenant.name} is {done}.", _address(tenant))

    return form_page(request, page, NeededReasonForm(given(request)), act)


def _tenant(actor: Actor, tenant_id: uuid.UUID) -> Tenant:
    return or_404(tenants_visible(actor).filter(id=tenant_id).first())


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _address(tenant: Tenant) -> str:
    return reverse("tenant", args=[tenant.id])


def _crumbs(tenant: Tenant | None = None) -> list[Crumb]:
    crumbs = [Crumb("Tenants", reverse("tenants"))]
    return crumbs if tenant is None else [*crumbs, Crumb(tenant.name, _address(tenant))]
