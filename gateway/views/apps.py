"""Apps: the programs of a tenant, what they may call, and what holds for them."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django import forms
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import check, requires
from gateway.keys import standing
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    ReasonForm,
    form_page,
    given,
    listed,
    or_404,
    tenant_chosen,
    tenants_for,
)
from gateway.selectors import models_offered, services_offered
from gateway.standing import Meter, meters
from policies.selectors import attached
from tenants.models import App, RateLimit, Tenant, VirtualKey
from tenants.permissions import can, tenants_where
from tenants.selectors import apps_visible, budgets_visible, keys_visible, limits_visible
from tenants.services.apps import app_create, app_remove, app_resume, app_suspend, app_update

KEYS_SHOWN = 10
ANOTHER_NAME = "A name is 1 to 63 of a-z, 0-9, “.”, “_” and “-”."


@dataclass(frozen=True, slots=True)
class Layer:
    """The policies that hold for an app at one layer, each as name and active version."""

    name: str
    policies: tuple[tuple[str, int], ...]


class Offered(NamedTuple):
    """What an app may be given: public model names, and services."""

    models: Sequence[str]
    services: Sequence[str]


class AppForm(ReasonForm):
    """What an app may call, and its tier."""

    models = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="The public model names that its keys may ask for.",
    )
    tier = forms.CharField(
        required=False, max_length=63, help_text="A word that policies can read as app.tier."
    )
    cache = forms.BooleanField(
        label="Takes kept answers",
        required=False,
        help_text="An identical call may get the answer of an earlier one of this tenant, where "
        "the model keeps answers.",
    )

    field_order: Sequence[str] = ("models", "services", "tier", "cache", "reason")

    services = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="The services beside the models that its keys may ask.",
    )

    def __init__(self, data: Any, offered: Offered, **options: Any) -> None:
        super().__init__(data, **options)
        self._offer_services(offered)
        names = sorted({*offered.models, *self.initial.get("models", ())})
        self.fields["models"] = forms.MultipleChoiceField(
            required=False,
            widget=forms.CheckboxSelectMultiple,
            choices=[(name, name) for name in names],
            help_text=self.fields["models"].help_text
            if names
            else "There is no model yet: whoever runs the installation adds them.",
        )

    def _offer_services(self, offered: Offered) -> None:
        """Ask for services where there are any."""
        names = sorted({*offered.services, *self.initial.get("services", ())})
        field = self.fields.pop("services")
        if names:
            self.fields["services"] = forms.MultipleChoiceField(
                required=False,
                widget=forms.CheckboxSelectMultiple,
                choices=[(name, name) for name in names],
                help_text=field.help_text,
            )
            self.order_fields(self.field_order)


class NewAppForm(AppForm):
    """A new app: its tenant and its name, then what it may call."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    name = forms.CharField(max_length=63, help_text=ANOTHER_NAME)
    field_order = ("tenant", "name", "models", "services", "tier", "cache", "reason")

    def __init__(self, data: Any, offered: Offered, tenants: Sequence[Tenant], chosen: str) -> None:
        found = Tenant.objects.filter(id__in=[tenant.id for tenant in tenants])
        super().__init__(data, offered, initial={"tenant": found.filter(name=chosen).first()})
        self.fields["tenant"] = forms.ModelChoiceField(found.order_by("name"), empty_label=None)


@requires("app.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the apps, by tenant and name."""
    tenant = tenant_chosen(request, actor)
    usable = Q(keys__state=VirtualKey.State.ACTIVE)
    apps = apps_visible(actor).select_related("tenant")
    apps = apps.annotate(usable_keys=Count("keys", filter=usable))
    if tenant is not None:
        apps = apps.filter(tenant=tenant)
    text = request.GET.get("q", "").strip()
    content = {
        "page": listed(request, apps.filter(name__icontains=text) if text else apps),
        "tenant": tenant,
        "text": text,
        "may_create": tenants_where(actor, "app.create") != frozenset(),
    }
    return render(request, "tenants/app_list.html", content)


@requires("app.read")
@require_safe
def show(request: HttpRequest, actor: Actor, app_id: uuid.UUID) -> HttpResponse:
    """Show an app with what holds for it."""
    app, now = _app(actor, app_id), timezone.now()
    keys = list(keys_visible(actor).filter(app=app)[: KEYS_SHOWN + 1])
    content = {
        "crumbs": _crumbs(),
        "app": app,
        "keys": [(key, standing(key, now)) for key in keys[:KEYS_SHOWN]],
        "has_more_keys": len(keys) > KEYS_SHOWN,
        "meters": _meters(actor, app),
        "limits": _limits(actor, app),
        "layers": _layers(app) if can(actor, "policy.read", app) else None,
    }
    return render(request, "tenants/app_show.html", content)


@requires("app.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create the app."""
    tenants = list(tenants_for(actor, "app.create"))
    chosen = request.GET.get("tenant", "")
    form = NewAppForm(given(request), _offered(actor), tenants, chosen)
    page = FormPage(
        title="Create an app",
        submit="Create the app",
        back=reverse("apps"),
        crumbs=_crumbs(),
        effects=() if tenants else ("There is no tenant yet: create one first.",),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        app = app_create(
            actor=actor,
            tenant=asked["tenant"],
            name=asked["name"],
            models=asked["models"],
            services=asked.get("services", []),
            tier=asked["tier"],
            cache=asked["cache"],
            reason=asked["reason"],
        )
        return Done(f"The app {app.name} is there. Issue a key for it.", _address(app))

    return form_page(request, page, form, act)


@requires("app.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, app_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change what the app may call."""
    app = _app(actor, app_id)
    check(actor, "app.update", app)
    initial = {
        "models": app.models,
        "services": app.services,
        "tier": app.tier,
        "cache": app.cache,
    }
    form = AppForm(given(request), _offered(actor), initial=initial)
    page = FormPage(f"Edit {app.name}", "Save", _address(app), _crumbs(app))

    def act(asked: Mapping[str, Any]) -> Done:
        changed = app_update(
            actor=actor,
            app=app,
            reason=asked["reason"],
            models=asked["models"],
            services=asked.get("services", []),
            tier=asked["tier"],
            cache=asked["cache"],
        )
        return Done("Saved." if changed else "Nothing differed.", _address(app))

    return form_page(request, page, form, act)


@requires("app.suspend")
@require_http_methods(["GET", "HEAD", "POST"])
def suspend(request: HttpRequest, actor: Actor, app_id: uuid.UUID) -> HttpResponse:
    """Say what it will stop, or suspend the app."""
    app = _app(actor, app_id)
    keys = app.keys.filter(state=VirtualKey.State.ACTIVE).count()
    effects = (
        f"Every call of {app.name} is refused within a second, those in flight are cut.",
        f"{keys} active key{'' if keys == 1 else 's'} stop working until you resume it.",
    )
    return _move(request, actor, app, "suspend", app_suspend, effects)


@requires("app.resume")
@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: HttpRequest, actor: Actor, app_id: uuid.UUID) -> HttpResponse:
    """Say what it will allow, or resume the app."""
    app = _app(actor, app_id)
    effects = (f"The keys of {app.name} work again within a second.",)
    return _move(request, actor, app, "resume", app_resume, effects)


@requires("app.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, actor: Actor, app_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or remove the app."""
    app = _app(actor, app_id)
    effects = (
        "Its keys are revoked, its budgets and limits end. This cannot be undone.",
        "Its calls stay in the evidence; its name is free again.",
    )
    return _move(request, actor, app, "remove", app_remove, effects)


def _move(
    request: HttpRequest,
    actor: Actor,
    app: App,
    verb: str,
    service: Callable[..., bool],
    effects: Sequence[str],
) -> HttpResponse:
    check(actor, f"app.{verb}", app)
    page = FormPage(
        title=f"{verb.capitalize()} {app.name}",
        submit=f"{verb.capitalize()} the app",
        back=_address(app),
        crumbs=_crumbs(app),
        effects=effects,
        is_dangerous=verb != "resume",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        service(actor=actor, app=app, reason=asked["reason"])
        done = {"suspend": "suspended", "resume": "active again", "remove": "removed"}[verb]
        to = reverse("apps") if verb == "remove" else _address(app)
        return Done(f"{app.name} is {done}.", to)

    return form_page(request, page, ReasonForm(given(request)), act)


def _offered(actor: Actor) -> Offered:
    return Offered(models_offered(actor), services_offered(actor))


def _app(actor: Actor, app_id: uuid.UUID) -> App:
    return or_404(apps_visible(actor).select_related("tenant").filter(id=app_id).first())


def _meters(actor: Actor, app: App) -> list[Meter]:
    """Return the budgets that a call of the app counts against, keys' own left out."""
    budgets = budgets_visible(actor).filter(Q(app=app) | Q(tenant=app.tenant, app=None, key=None))
    return meters(list(budgets.select_related("tenant", "app", "key")), timezone.now())


def _limits(actor: Actor, app: App) -> list[RateLimit]:
    limits = limits_visible(actor).filter(Q(app=app) | Q(tenant=app.tenant, app=None, key=None))
    return list(limits)


def _layers(app: App) -> list[Layer]:
    held = attached(app.tenant)
    named = (
        ("platform", held.platform),
        ("tenant", held.tenant),
        ("app", held.apps.get(app.id, ())),
    )
    return [
        Layer(layer, tuple((name, held.versions[name].number) for name in names))
        for layer, names in named
    ]


def _address(app: App) -> str:
    return reverse("app", args=[app.id])


def _crumbs(app: App | None = None) -> list[Crumb]:
    crumbs = [Crumb("Apps", reverse("apps"))]
    return crumbs if app is None else [*crumbs, Crumb(app.name, _address(app))]
