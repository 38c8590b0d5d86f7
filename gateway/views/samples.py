"""A pasted request body, judged in memory under a text and forgotten."""

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway import samples
from gateway.access import requires
from gateway.calls import wording
from gateway.exchange import Endpoint
from gateway.pages import FormPage, given, or_404, refuse, tenants_for
from gateway.views.backtests import PLACES, crumbs
from gateway.views.publishing import SOURCE_MAX
from policies.pdp.language import parse_document
from policies.pdp.problem import PolicyError
from policies.selectors import policies_visible
from policies.substitution import Place, substitution
from tenants.models import App

EXAMPLE = """\
{
  "model": "gpt-4o-mini",
  "messages": [{"role": "user", "content": "Hello"}]
}"""


class SampleForm(forms.Form):
    """A request body of an app, and the text to judge it under beside what holds."""

    app = forms.ChoiceField()
    endpoint = forms.ChoiceField(choices=[(each.value, each.value) for each in samples.ENDPOINTS])
    body = forms.CharField(
        label="Request body",
        max_length=samples.BYTES_MAX,
        strip=False,
        help_text="Judged in memory: it is neither stored nor logged.",
        widget=forms.Textarea({"rows": 10, "spellcheck": "false", "class": "source"}),
    )
    layer = forms.ChoiceField(label="Where the text would hold", choices=PLACES, required=False)
    source = forms.CharField(
        label="Text",
        required=False,
        max_length=SOURCE_MAX,
        strip=False,
        help_text="Leave it empty to judge by what holds alone.",
        widget=forms.Textarea({"rows": 14, "spellcheck": "false", "class": "source"}),
    )

    def __init__(self, data: Any, apps: Mapping[str, App], initial: Any) -> None:
        super().__init__(data, initial=initial)
        named = [(key, f"{app.tenant.name} / {app.name}") for key, app in apps.items()]
        self.fields["app"] = forms.ChoiceField(choices=named)
        self.order_fields(("app", "endpoint", "body", "layer", "source"))


@requires("backtest.create")
@require_http_methods(["GET", "HEAD", "POST"])
def judge(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show the form, or what is found in a sample and what is decided of it."""
    policy = or_404(policies_visible(actor).select_related("active").filter(id=policy_id).first())
    tenants = list(tenants_for(actor, "backtest.create"))
    held = App.objects.filter(tenant__in=tenants).exclude(state=App.State.REMOVED)
    apps = {str(app.pk): app for app in held.select_related("tenant").order_by("name")}
    source = policy.active.source if policy.active else ""
    form = SampleForm(given(request), apps, {"body": EXAMPLE, "source": source})
    found = _found(form, apps) if form.is_valid() else None
    page = FormPage(
        title=f"Try {policy.name} on a sample",
        submit="Judge it",
        back=reverse("policy", args=[policy.id]),
        crumbs=crumbs(policy),
        lead="A request body as a client would send it: what is found in it, and what is decided.",
        template="policies/policy_sample.html",
    )
    content = {"page": page, "crumbs": page.crumbs, "form": form, "found": found}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    answer = render(request, page.template, content, status=status)
    answer["Cache-Control"] = "no-store"
    return answer


def _found(form: SampleForm, apps: Mapping[str, App]) -> dict[str, Any] | None:
    """Return what came of a sample; what is wrong with it, or the text, stands in the form."""
    asked = form.cleaned_data
    app = apps[asked["app"]]
    raw, endpoint = asked["body"].encode(), Endpoint(asked["endpoint"])
    try:
        supposed = None
        if asked["source"].strip():
            place = Place(asked["layer"] or None, app.pk if asked["layer"] == "app" else None)
            document = parse_document(asked["source"].replace("\r\n", "\n"))
            supposed = substitution(app.tenant, document, place)
        judged = samples.judge(samples.Sample(raw, app, timezone.now(), endpoint), supposed)
    except PolicyError as error:
        form.add_error("source", str(error).split("\n"))
    except ValidationError as error:
        refuse(form, error)
    else:
        told = [(name, wording.value(value)) for name, value in judged.facts.items()]
        return judged.written() | {"facts": told}
    return None
