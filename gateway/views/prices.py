"""What a model, or one deployment of it, costs from an instant on."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway import bundle
from gateway.access import requires
from gateway.fields import FeeField, RateField
from gateway.models import Deployment, Route
from gateway.pages import Crumb, Done, FormPage, ReasonForm, form_page, given, or_404
from gateway.selectors import deployments_visible, routes_visible
from gateway.services.prices import price_set, price_withdraw


class PriceForm(ReasonForm):
    """What tokens cost from an instant on."""

    currency = forms.RegexField(r"\A[A-Z]{3}\Z", max_length=3, initial="USD")
    input_pico = RateField(label="Input, per million tokens", max_length=24)
    output_pico = RateField(label="Output, per million tokens", max_length=24)
    cached_input_pico = RateField(
        label="Cached input, per million tokens", max_length=24, required=False
    )
    cache_write_pico = RateField(
        label="Input written to a cache, per million tokens", max_length=24, required=False
    )
    request_pico = FeeField(label="For each request", max_length=24, required=False)
    since = forms.DateTimeField(
        label="From (UTC)",
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help_text="What was charged before stays as it was charged.",
    )
    field_order = (
        "currency",
        "input_pico",
        "output_pico",
        "cached_input_pico",
        "cache_write_pico",
        "request_pico",
        "since",
        "reason",
    )


@requires("price.set")
@require_http_methods(["GET", "HEAD", "POST"])
def of_route(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Show the form, or say what the model costs from an instant on."""
    lead = "It holds for all deployments of the model that have no price of their own."
    return _set(request, actor, _route(actor, route_id), lead)


@requires("price.set")
@require_http_methods(["GET", "HEAD", "POST"])
def of_deployment(request: HttpRequest, actor: Actor, deployment_id: uuid.UUID) -> HttpResponse:
    """Show the form, or say what one deployment costs from an instant on."""
    lead = "It holds for this deployment alone, before the model's price and the price book's."
    return _set(request, actor, _deployment(actor, deployment_id), lead)


@requires("price.withdraw")
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_of_route(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Say what will hold instead, or withdraw the model's price."""
    effect = "The price book's price holds from now on; without one, hard budgets refuse it."
    return _withdraw(request, actor, _route(actor, route_id), effect)


@requires("price.withdraw")
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_of_deployment(
    request: HttpRequest, actor: Actor, deployment_id: uuid.UUID
) -> HttpResponse:
    """Say what will hold instead, or withdraw the deployment's own price."""
    effect = (
        "The model's price holds from now on, or else the price book's;"
        " without either, hard budgets refuse it."
    )
    return _withdraw(request, actor, _deployment(actor, deployment_id), effect)


def _set(request: HttpRequest, actor: Actor, of: Route | Deployment, lead: str) -> HttpResponse:
    form = PriceForm(given(request), initial={"since": timezone.now()})
    page = FormPage(
        title=f"Price of {_name(of)}",
        submit="Set the price",
        back=_address(of),
        crumbs=_crumbs(of),
        lead=lead,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        terms = bundle.Price(
            currency=asked["currency"],
            input_pico=asked["input_pico"],
            output_pico=asked["output_pico"],
            cached_input_pico=asked["cached_input_pico"],
            request_pico=asked["request_pico"],
            effective_from=int(asked["since"].timestamp()),
            cache_write_pico=asked["cache_write_pico"],
        )
        price_set(actor=actor, of=of, price=terms, reason=asked["reason"])
        return Done(f"The price of {_name(of)} is set.", _address(of))

    return form_page(request, page, form, act)


def _withdraw(
    request: HttpRequest, actor: Actor, of: Route | Deployment, effect: str
) -> HttpResponse:
    page = FormPage(
        title=f"Withdraw the price of {_name(of)}",
        submit="Withdraw the price",
        back=_address(of),
        crumbs=_crumbs(of),
        effects=(effect,),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        did = price_withdraw(actor=actor, of=of, reason=asked["reason"])
        return Done("The price is withdrawn." if did else "None was set.", _address(of))

    return form_page(request, page, ReasonForm(given(request)), act)


def _route(actor: Actor, route_id: uuid.UUID) -> Route:
    return or_404(routes_visible(actor).filter(id=route_id).first())


def _deployment(actor: Actor, deployment_id: uuid.UUID) -> Deployment:
    return or_404(deployments_visible(actor).filter(id=deployment_id).first())


def _name(of: Route | Deployment) -> str:
    return of.name if isinstance(of, Route) else f"{of.model} at {of.provider.name}"


def _address(of: Route | Deployment) -> str:
    return reverse("model", args=[of.id if isinstance(of, Route) else of.route_id])


def _crumbs(of: Route | Deployment) -> list[Crumb]:
    route = of if isinstance(of, Route) else of.route
    return [Crumb("Models", reverse("models")), Crumb(route.name, _address(of))]
