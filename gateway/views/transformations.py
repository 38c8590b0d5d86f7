"""What is declared to be done to the requests and answers of an app or a model, as YAML."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import check, requires
from gateway.declaration.export import render
from gateway.declaration.session import Plain
from gateway.models import Route
from gateway.pages import Crumb, Done, FormPage, ReasonForm, form_page, given, or_404
from gateway.selectors import routes_visible
from gateway.services.routes import route_update
from gateway.transformation.reading import BYTES_MAX, KEYS, reader
from policies.pdp.problem import PolicyError
from policies.pdp.yaml_text import read_yaml
from tenants.models import App
from tenants.selectors import apps_visible
from tenants.services.apps import app_update

LEAD = (
    "It is done to each call before the policy judges it; its answer rules see answers before"
    " anything is taken out of them. docs/transformation.md tells every key, with examples."
)
EXAMPLE = "- endpoints: [chat.completions]\n  defaults: {/temperature: 0.2}"


class StepsField(forms.CharField):
    """The steps of a transformation as YAML or JSON; nothing for none."""

    def __init__(self, *, of_route: bool, **terms: Any) -> None:
        attributes = {"rows": 22, "spellcheck": "false", "class": "source", "placeholder": EXAMPLE}
        super().__init__(
            required=False,
            strip=False,
            max_length=BYTES_MAX,
            widget=forms.Textarea(attributes),
            help_text="A list of steps. Empty: calls pass as they are.",
            **terms,
        )
        self._read = reader(of_route=of_route)

    def clean(self, value: Any) -> Any:
        """Return the steps as JSON; each fault is told with its line and column."""
        text = super().clean(value)
        if not text.strip():
            return []
        try:
            return list(self._read(read_yaml(text, bytes_max=BYTES_MAX)).plain)
        except PolicyError as error:
            raise ValidationError(
                [
                    f"Line {one.line}, column {one.column}: {one.message}"
                    f"{f' ({one.hint})' if one.hint else ''}."
                    for one in error.problems
                ]
            ) from None


class AppStepsForm(ReasonForm):
    """What becomes of the requests of an app."""

    transformation = StepsField(of_route=False, label="Transformation")
    field_order = ("transformation", "reason")


class ModelStepsForm(ReasonForm):
    """What becomes of the requests for a model."""

    transformation = StepsField(of_route=True, label="Transformation")
    field_order = ("transformation", "reason")


@requires("app.update")
@require_http_methods(["GET", "HEAD", "POST"])
def of_app(request: HttpRequest, actor: Actor, app_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change what becomes of the requests of an app."""
    app: App = or_404(apps_visible(actor).select_related("tenant").filter(id=app_id).first())
    check(actor, "app.update", app)
    address = reverse("app", args=[app.id])
    crumbs = [Crumb("Apps", reverse("apps")), Crumb(app.name, address)]
    page = FormPage(f"Transformation of {app.name}", "Save", address, crumbs, LEAD)
    form = AppStepsForm(given(request), initial=_initial(app))
    return form_page(
        request, page, form, _act(address, lambda asked: app_update(actor=actor, app=app, **asked))
    )


@requires("route.update")
@require_http_methods(["GET", "HEAD", "POST"])
def of_model(request: HttpRequest, actor: Actor, route_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change what becomes of the requests for a model."""
    route = or_404(routes_visible(actor).filter(id=route_id).first())
    address = reverse("model", args=[route.id])
    crumbs = [Crumb("Models", reverse("models")), Crumb(route.name, address)]
    page = FormPage(f"Transformation of {route.name}", "Save", address, crumbs, LEAD)
    form = ModelStepsForm(given(request), initial=_initial(route))
    return form_page(
        request,
        page,
        form,
        _act(address, lambda asked: route_update(actor=actor, route=route, **asked)),
    )


def _act(
    address: str, change: Callable[[Mapping[str, Any]], bool]
) -> Callable[[Mapping[str, Any]], Done]:
    def act(asked: Mapping[str, Any]) -> Done:
        return Done("Saved." if change(asked) else "Nothing differed.", address)

    return act


def _initial(row: App | Route) -> dict[str, str]:
    steps: list[Plain] = [
        dict(sorted(step.items(), key=_place)) for step in row.transformation or ()
    ]
    return {"transformation": render(steps) if steps else ""}


def _place(entry: tuple[str, Any]) -> int:
    """Return where a key of a step stands in the reference: the database keeps no order."""
    return KEYS.index(entry[0])
