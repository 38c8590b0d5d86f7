"""Services: upstreams beside the models, and our secrets there, which nobody can read back."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import requires
from gateway.circuits import circuits_of
from gateway.models import Service, ServiceCredential
from gateway.pages import Crumb, Done, FormPage, ReasonForm, form_page, given, listed, or_404
from gateway.providers.service import lines, operations
from gateway.selectors import services_visible
from gateway.services.services import (
    service_create,
    service_credential_remove,
    service_credential_set,
    service_remove,
    service_update,
)
from gateway.views.service_forms import FIELDS, NewServiceForm, SecretForm, ServiceForm
from tenants.models import App
from tenants.money import text_from_pico


@requires("platform.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the services."""
    content = {"page": listed(request, _services(actor))}
    return render(request, "gateway/service_list.html", content)


@requires("platform.read")
@require_safe
def show(request: HttpRequest, actor: Actor, service_id: uuid.UUID) -> HttpResponse:
    """Show one service, what may be asked of it, who may ask, and how it stands."""
    service = _service(actor, service_id)
    apps = App.objects.exclude(state=App.State.REMOVED).filter(services__contains=[service.name])
    content = {
        "crumbs": _crumbs(),
        "service": service,
        "price": _price(service),
        "operations": operations.read(service.operations),
        "circuit": circuits_of([service], timezone.now())[0],
        "apps": listed(request, apps.select_related("tenant").order_by("tenant__name", "name")),
    }
    return render(request, "gateway/service_show.html", content)


@requires("service.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create the service."""
    page = FormPage("Add a service", "Add the service", reverse("services"), _crumbs())

    def act(asked: Mapping[str, Any]) -> Done:
        service = service_create(actor=actor, **asked)
        said = f"{service.name} is there. Give it our secret, then let apps call it."
        return Done(said, reverse("service_credential", args=[service.id]))

    return form_page(request, page, NewServiceForm(given(request)), act)


@requires("service.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, service_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change the service."""
    service = _service(actor, service_id)
    initial = {name: getattr(service, name) for name in FIELDS}
    initial["operations"] = lines.write(operations.read(service.operations))
    if service.price_pico is not None:
        initial["price_pico"] = text_from_pico(service.price_pico)
    page = FormPage(
        title=f"Edit {service.name}",
        submit="Save",
        back=_address(service),
        crumbs=_crumbs(service),
        effects=("Another base URL takes the credential away: it was given for this origin.",),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        changed = service_update(actor=actor, service=service, **asked)
        return Done("Saved." if changed else "Nothing differed.", _address(service))

    return form_page(request, page, ServiceForm(given(request), initial=initial), act)


@requires("service_credential.set")
@require_http_methods(["GET", "HEAD", "POST"])
def credential(request: HttpRequest, actor: Actor, service_id: uuid.UUID) -> HttpResponse:
    """Show the form, or seal our secret."""
    service = _service(actor, service_id)
    page = FormPage(
        title=f"Credential of {service.name}",
        submit="Seal the secret",
        back=_address(service),
        crumbs=_crumbs(service),
        lead=f"It is sent to {service.base_url} only, in the header {service.header}.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        service_credential_set(actor=actor, service=service, **asked)
        return Done("The secret is sealed.", _address(service))

    return form_page(request, page, SecretForm(given(request)), act)


@requires("service_credential.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def forget(request: HttpRequest, actor: Actor, service_id: uuid.UUID) -> HttpResponse:
    """Say what it will do, or destroy our secret."""
    service = _service(actor, service_id)
    page = FormPage(
        title=f"Destroy the credential of {service.name}",
        submit="Destroy the secret",
        back=_address(service),
        crumbs=_crumbs(service),
        effects=("Calls go there without a secret within seconds. It cannot be brought back.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        did = service_credential_remove(actor=actor, service=service, **asked)
        return Done("The secret is gone." if did else "There was none.", _address(service))

    return form_page(request, page, ReasonForm(given(request)), act)


@requires("service.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, actor: Actor, service_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or delete the service."""
    service = _service(actor, service_id)
    page = FormPage(
        title=f"Remove {service.name}",
        submit="Remove the service",
        back=_address(service),
        crumbs=_crumbs(service),
        effects=("Its sealed secret is destroyed. No app may list it any more.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        service_remove(actor=actor, service=service, reason=asked["reason"])
        return Done(f"{service.name} is removed.", reverse("services"))

    return form_page(request, page, ReasonForm(given(request)), act)


def _services(actor: Actor) -> Any:
    sealed = ServiceCredential.objects.filter(service=OuterRef("pk"))
    return services_visible(actor).annotate(has_credential=Exists(sealed))


def _service(actor: Actor, service_id: uuid.UUID) -> Service:
    found: Service = or_404(_services(actor).filter(id=service_id).first())
    return found


def _price(service: Service) -> str:
    """Return what a call costs, as a person reads it; "" for nothing said."""
    if service.price_pico is None:
        return ""
    return f"{service.currency} {text_from_pico(service.price_pico)}"


def _address(service: Service) -> str:
    return reverse("service", args=[service.id])


def _crumbs(service: Service | None = None) -> list[Crumb]:
    crumbs = [Crumb("Services", reverse("services"))]
    return crumbs if service is None else [*crumbs, Crumb(service.name, _address(service))]
