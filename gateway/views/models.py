"""Models: public names, the deployments that serve them, and what they cost from when on."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway import bundle, pricebook
from gateway.access import requires
from gateway.models import Deployment, Price, Route
from gateway.pages import Crumb, Done, FormPage, ReasonForm, form_page, given, listed, or_404
from gateway.selectors import own_price, prices, routes_visible
from gateway.services.routes import (
    deployment_create,
    deployment_remove,
    deployment_update,
    route_create,
    route_remove,
    route_update,
)
from gateway.views.model_forms import (
    TIMEOUTS,
    CapsForm,
    DeployForm,
    NewModelForm,
    PlanForm,
    RankForm,
)

PRICES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Served:
    """A deployment, its price in force now, and whether a price was set for it alone."""

    deployment: Deployment
    price: bundle.Price | None
    has_own: bool


@requires("platform.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the public model names."""
    routes = routes_visible(actor).annotate(deployment_count=Count("deployments"))
    text = request.GET.get("q", "").strip()
    found = routes.filter(name__icontains=text) if text else routes
    content = {"page": listed(request, found), "text": text}
    return render(request, "gateway/model_list.html", content)


@requires("platform.read")
@require_safe
def show(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Show one model: its deployments in the order of trying, and its prices."""
    route, now_s = _route(actor, route_id), int(timezone.now().timestamp())
    deployments = list(
        route.deployments.select_related("provider").order_by("priority", "-weight", "id")
    )
    found = prices(deployments)
    own = _with_own_price(deployments)
    served = [
        Served(each, _in_force(found[each.id], now_s), each.id in own) for each in deployments
    ]
    content = {
        "crumbs": _crumbs(),
        "route": route,
        "served": served,
        "has_price": own_price(route) is not None,
        "set_prices": _set_prices(route, deployments),
    }
    return render(request, "gateway/model_show.html", content)


@requires("route.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create the public model name."""
    page = FormPage("Add a model", "Add the model", reverse("models"), _crumbs())

    def act(asked: Mapping[str, Any]) -> Done:
        route = route_create(actor=actor, **asked)
        said = f"{route.name} is there. Say which provider serves it."
        return Done(said, reverse("model_deploy", args=[route.id]))

    return form_page(request, page, NewModelForm(given(request)), act)


@requires("route.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change the caps."""
    route = _route(actor, route_id)
    initial = {
        "max_output_tokens": route.max_output_tokens,
        "default_max_output_tokens": route.default_max_output_tokens,
    }
    page = FormPage(f"Caps of {route.name}", "Save", _address(route), _crumbs(route))

    def act(asked: Mapping[str, Any]) -> Done:
        changed = route_update(actor=actor, route=route, **asked)
        return Done("Saved." if changed else "Nothing differed.", _address(route))

    return form_page(request, page, CapsForm(given(request), initial=initial), act)


@requires("route.update")
@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change how deployments are chosen and stood in for."""
    route = _route(actor, route_id)
    page = FormPage(f"Routing of {route.name}", "Save", _address(route), _crumbs(route))

    def act(asked: Mapping[str, Any]) -> Done:
        changed = route_update(actor=actor, route=route, **asked)
        return Done("Saved." if changed else "Nothing differed.", _address(route))

    initial = {name: getattr(route, name) for name in PlanForm.base_fields if name != "reason"}
    return form_page(request, page, PlanForm(given(request), initial=initial), act)


@requires("deployment.create")
@require_http_methods(["GET", "HEAD", "POST"])
def deploy(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Show the form, or let a provider's model serve the name."""
    route = _route(actor, route_id)
    page = FormPage(
        title=f"Deployment of {route.name}",
        submit="Add the deployment",
        back=_address(route),
        crumbs=_crumbs(route),
        lead="It is priced by the price book where that knows it; otherwise set a price.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        deployment_create(actor=actor, route=route, **asked)
        return Done(f"{asked['provider'].name} serves {route.name}.", _address(route))

    return form_page(request, page, DeployForm(given(request)), act)


@requires("deployment.update")
@require_http_methods(["GET", "HEAD", "POST"])
def rank(request: HttpRequest, actor: Actor, deployment_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change when the deployment is tried."""
    deployment = _deployment(deployment_id)
    route = deployment.route
    initial = {name: getattr(deployment, name) for name in ("priority", "weight", *TIMEOUTS)}
    page = FormPage(
        title=f"Order of {deployment.model} at {deployment.provider.name}",
        submit="Save",
        back=_address(route),
        crumbs=_crumbs(route),
        lead="Lower priorities are tried first; the next ones when those fail.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        changed = deployment_update(actor=actor, deployment=deployment, **asked)
        return Done("Saved." if changed else "Nothing differed.", _address(route))

    return form_page(request, page, RankForm(given(request), initial=initial), act)


@requires("deployment.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def retire(request: HttpRequest, actor: Actor, deployment_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or take the deployment away."""
    deployment = _deployment(deployment_id)
    route = deployment.route
    left = route.deployments.count() - 1
    page = FormPage(
        title=f"Remove {deployment.model} at {deployment.provider.name}",
        submit="Remove the deployment",
        back=_address(route),
        crumbs=_crumbs(route),
        effects=(
            f"{left} other deployment{'' if left == 1 else 's'} will serve {route.name}."
            if left
            else f"Nothing will serve {route.name}: calls for it fail.",
        ),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        deployment_remove(actor=actor, deployment=deployment, reason=asked["reason"])
        return Done("The deployment is removed.", _address(route))

    return form_page(request, page, ReasonForm(given(request)), act)


@requires("route.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or delete the public model name."""
    route = _route(actor, route_id)
    page = FormPage(
        title=f"Remove {route.name}",
        submit="Remove the model",
        back=_address(route),
        crumbs=_crumbs(route),
        effects=("Its deployments go with it. No app may list it any more.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        route_remove(actor=actor, route=route, reason=asked["reason"])
        return Done(f"{route.name} is removed.", reverse("models"))

    return form_page(request, page, ReasonForm(given(request)), act)


def _route(actor: Actor, route_id: uuid.UUID) -> Route:
    return or_404(routes_visible(actor).filter(id=route_id).first())


def _deployment(deployment_id: uuid.UUID) -> Deployment:
    found = Deployment.objects.select_related("route", "provider").filter(id=deployment_id)
    return or_404(found.first())


def _set_prices(route: Route, deployments: Sequence[Deployment]) -> QuerySet[Price]:
    """Return the prices that were set by hand for the model and its deployments, newest first."""
    rows = Price.objects.exclude(source__startswith=pricebook.SOURCE)
    rows = rows.filter(Q(route=route) | Q(deployment__in=deployments))
    return rows.select_related("deployment__provider").order_by("-id")[:PRICES_SHOWN]


def _with_own_price(deployments: Sequence[Deployment]) -> set[uuid.UUID | None]:
    """Return the ids of those that a price was set for by hand and not withdrawn since."""
    rows = Price.objects.exclude(source__startswith=pricebook.SOURCE)
    last = rows.filter(deployment__in=deployments).order_by("deployment", "-id")
    newest = last.distinct("deployment").values_list("deployment", "withdrawn")
    return {deployment for deployment, is_withdrawn in newest if not is_withdrawn}


def _in_force(found: tuple[bundle.Price, ...], now_s: int) -> bundle.Price | None:
    begun = [price for price in found if price.effective_from <= now_s]
    return begun[-1] if begun else None


def _address(route: Route) -> str:
    return reverse("model", args=[route.id])


def _crumbs(route: Route | None = None) -> list[Crumb]:
    crumbs = [Crumb("Models", reverse("models"))]
    return crumbs if route is None else [*crumbs, Crumb(route.name, _address(route))]
