"""The first steps on one page: from a provider to the secret of a first key."""

import secrets
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import requires
from gateway.beginning import Beginning, begin, free_tenant_name
from gateway.models import Provider
from gateway.pages import FormPage, given, refuse, show_form
from gateway.services.providers import SECRET_MAX
from gateway.views.keys import already_shown, show_once, shown_before

OPENAI = "https://api.openai.com/v1"


class StartForm(forms.Form):
    """A provider and its model; the names of the rest can stay as they are."""

    dialect = forms.ChoiceField(
        label="Provider", choices=Provider.Dialect.choices, initial=Provider.Dialect.OPENAI
    )
    base_url = forms.CharField(
        label="Base URL",
        required=False,
        max_length=200,
        initial=OPENAI,
        help_text="Of any API in the dialect of OpenAI. The simulated provider has none.",
    )
    secret = forms.CharField(
        label="Its API key",
        required=False,
        max_length=SECRET_MAX,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Sealed with the master key at once, and never shown again.",
    )
    allow_private = forms.BooleanField(label="It may be at a private address", required=False)
    model = forms.CharField(
        required=False,
        max_length=120,
        help_text="As the provider calls it. Left empty: gpt-4o-mini, or simulated.",
    )
    tenant = forms.CharField(max_length=63, help_text="Your organisation or division.")
    app = forms.CharField(max_length=63, initial="first-app")
    key = forms.CharField(max_length=120, initial="first key")
    once = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, data: Any) -> None:
        name = free_tenant_name("main")
        super().__init__(data, initial={"once": secrets.token_hex(8), "tenant": name})

    def clean(self) -> dict[str, Any]:
        """Ask for the API key of a provider that is not on one's own network."""
        asked = super().clean() or self.cleaned_data
        is_remote = asked.get("dialect") != Provider.Dialect.SIMULATED
        if is_remote and not asked.get("allow_private") and not asked.get("secret"):
            self.add_error("secret", "A provider elsewhere takes no call without its API key.")
        return asked


@requires("provider.create")
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or make it all and show the secret of the key, in this one answer."""
    form = StartForm(given(request))
    page = FormPage(
        title="First steps",
        submit="Connect and issue a key",
        back=reverse("home"),
        lead="Makes a provider, a model, a tenant with an app, the starter policy and a key."
        " Each can be changed later, or made on its own page instead.",
    )
    if not form.is_valid():
        return show_form(request, page, form)
    asked: Mapping[str, Any] = form.cleaned_data
    shown = shown_before(request, asked["once"])
    if shown:
        return already_shown(request, actor, shown)
    wanted = {name: value for name, value in asked.items() if name != "once"}
    try:
        key, issued = begin(actor, Beginning(**wanted))
    except ValidationError as error:
        refuse(form, error)
        return show_form(request, page, form)
    return show_once(request, key, issued, asked["once"])
