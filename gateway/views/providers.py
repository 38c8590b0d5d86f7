"""Providers: where models are reachable, and our secrets there, which nobody can read back."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.actor import Actor
from gateway import credentials
from gateway.access import requires
from gateway.circuits import circuits_of
from gateway.models import Credential, Provider
from gateway.pages import Crumb, Done, FormPage, ReasonForm, form_page, given, listed, or_404
from gateway.selectors import providers_visible
from gateway.services.providers import (
    SECRET_MAX,
    credential_remove,
    credential_set,
    provider_create,
    provider_remove,
    provider_test,
    provider_update,
)

BASE_URLS = (
    "openai: https://api.openai.com/v1, or any server that speaks as it does. "
    "anthropic: https://api.anthropic.com/v1. "
    "azure-openai: https://NAME.openai.azure.com/openai/v1, or with a version in its query: "
    "https://NAME.openai.azure.com?api-version=2024-10-21. "
    "gemini: https://generativelanguage.googleapis.com/v1beta. "
    "bedrock: https://bedrock-runtime.REGION.amazonaws.com. "
    "The simulated provider has none."
)
SECRETS = {
    "bedrock": (
        'A Bedrock API key; or an access key {"access_key_id": "…", "secret_access_key": "…"} in '
        'one line, with "session_token" where it has one.'
    ),
    "azure-openai": (
        "An API key; or for Microsoft Entra "
        '{"tenant_id": "…", "client_id": "…", "client_secret": "…"} in one line, of which the '
        "directory alone is told, and the provider the token that it gives."
    ),
}
"""What a credential looks like, where it is more than a key."""


class OriginForm(ReasonForm):
    """Where a provider is."""

    base_url = forms.CharField(
        label="Base URL",
        max_length=400,
        required=False,
        help_text=BASE_URLS,
        widget=forms.TextInput({"inputmode": "url", "autocomplete": "off"}),
    )
    allow_private = forms.BooleanField(
        label="It may be at a private address",
        required=False,
        help_text="For models on your own network. Otherwise private addresses are refused.",
    )
    health_check = forms.BooleanField(
        label="Look after its health",
        required=False,
        help_text="It is asked for its models twice a minute, and left alone while it is silent.",
    )
    field_order = ("name", "dialect", "base_url", "allow_private", "health_check", "reason")


class NewProviderForm(OriginForm):
    """A new provider."""

    name = forms.CharField(max_length=63, help_text="1 to 63 of a-z, 0-9, “.”, “_” and “-”.")
    dialect = forms.ChoiceField(choices=Provider.Dialect.choices)


class CredentialForm(ReasonForm):
    """Our secret at a provider: it goes in, and never comes out."""

    secret = forms.CharField(
        max_length=SECRET_MAX,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Sealed with the master key at once; the one before is destroyed.",
    )
    label = forms.CharField(
        max_length=63,
        required=False,
        help_text="Several secrets are used in turn: each has a label of its own.",
    )
    field_order = ("secret", "label", "reason")


class ForgetForm(ReasonForm):
    """Which of our secrets at a provider is destroyed."""

    label = forms.CharField(max_length=63, required=False, help_text="Empty: the first one.")
    field_order = ("label", "reason")


@requires("platform.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the providers."""
    content = {"page": listed(request, _providers(actor))}
    return render(request, "gateway/provider_list.html", content)


@requires("platform.read")
@require_safe
def show(request: HttpRequest, actor: Actor, provider_id: uuid.UUID) -> HttpResponse:
    """Show one provider, what it serves, and how that stands."""
    provider = _provider(actor, provider_id)
    deployments = listed(
        request, provider.deployments.select_related("route").order_by("route__name", "id")
    )
    content = {
        "crumbs": _crumbs(),
        "provider": provider,
        "circuits": circuits_of(deployments, timezone.now()),
        "spares": [one.label for one in credentials.in_use(provider) if one.label],
        "deployments": deployments,
    }
    return render(request, "gateway/provider_show.html", content)


@requires("provider.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create the provider."""
    page = FormPage("Connect a provider", "Connect", reverse("providers"), _crumbs())

    def act(asked: Mapping[str, Any]) -> Done:
        provider = provider_create(actor=actor, **asked)
        if provider.dialect == Provider.Dialect.SIMULATED:
            return Done(f"{provider.name} is ready.", _address(provider))
        said = f"{provider.name} is there. Give it our secret, then test the connection."
        return Done(said, reverse("provider_credential", args=[provider.id]))

    return form_page(request, page, NewProviderForm(given(request)), act)


@requires("provider.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, provider_id: uuid.UUID) -> HttpResponse:
    """Show the form, or move the provider."""
    provider = _provider(actor, provider_id)
    initial = {
        "base_url": provider.base_url,
        "allow_private": provider.allow_private,
        "health_check": provider.health_check,
    }
    page = FormPage(
        title=f"Edit {provider.name}",
        submit="Save",
        back=_address(provider),
        crumbs=_crumbs(provider),
        effects=("Another base URL takes the credential away: it was given for this origin.",),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        changed = provider_update(actor=actor, provider=provider, **asked)
        return Done("Saved." if changed else "Nothing differed.", _address(provider))

    return form_page(request, page, OriginForm(given(request), initial=initial), act)


@requires("credential.set")
@require_http_methods(["GET", "HEAD", "POST"])
def credential(request: HttpRequest, actor: Actor, provider_id: uuid.UUID) -> HttpResponse:
    """Show the form, or seal our secret."""
    provider = _provider(actor, provider_id)
    page = FormPage(
        title=f"Credential of {provider.name}",
        submit="Seal the secret",
        back=_address(provider),
        crumbs=_crumbs(provider),
        lead=f"It is sent to {provider.base_url or 'nobody'} only. "
        + SECRETS.get(provider.dialect, "An API key."),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        credential_set(actor=actor, provider=provider, **asked)
        return Done("The secret is sealed. Test the connection.", _address(provider))

    return form_page(request, page, CredentialForm(given(request)), act)


@requires("credential.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def forget(request: HttpRequest, actor: Actor, provider_id: uuid.UUID) -> HttpResponse:
    """Say what it will do, or destroy our secret."""
    provider = _provider(actor, provider_id)
    page = FormPage(
        title=f"Destroy the credential of {provider.name}",
        submit="Destroy the secret",
        back=_address(provider),
        crumbs=_crumbs(provider),
        effects=("Calls go there without a secret within seconds. It cannot be brought back.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        did = credential_remove(actor=actor, provider=provider, **asked)
        return Done("The secret is gone." if did else "There was none.", _address(provider))

    form = ForgetForm(given(request), initial={"label": request.GET.get("label", "")})
    return form_page(request, page, form, act)


@requires("provider.test")
@require_POST
def test(request: HttpRequest, actor: Actor, provider_id: uuid.UUID) -> HttpResponse:
    """Ask the provider for its models, and show how that went."""
    provider = _provider(actor, provider_id)
    content = {
        "crumbs": _crumbs(provider),
        "provider": provider,
        "result": provider_test(actor=actor, provider=provider),
    }
    is_part = bool(request.headers.get("HX-Request"))
    name = "gateway/provider_test.html" + ("#result" if is_part else "")
    return render(request, name, content)


@requires("provider.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, actor: Actor, provider_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or delete the provider."""
    provider = _provider(actor, provider_id)
    page = FormPage(
        title=f"Remove {provider.name}",
        submit="Remove the provider",
        back=_address(provider),
        crumbs=_crumbs(provider),
        effects=("Its sealed secret is destroyed. It must serve no model any more.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        provider_remove(actor=actor, provider=provider, reason=asked["reason"])
        return Done(f"{provider.name} is removed.", reverse("providers"))

    return form_page(request, page, ReasonForm(given(request)), act)


def _providers(actor: Actor) -> Any:
    sealed = Credential.objects.filter(provider=OuterRef("pk"), state=Credential.State.ACTIVE)
    return providers_visible(actor).annotate(
        has_credential=Exists(sealed), deployment_count=Count("deployments")
    )


def _provider(actor: Actor, provider_id: uuid.UUID) -> Provider:
    found: Provider = or_404(_providers(actor).filter(id=provider_id).first())
    return found


def _address(provider: Provider) -> str:
    return reverse("provider", args=[provider.id])


def _crumbs(provider: Provider | None = None) -> list[Crumb]:
    crumbs = [Crumb("Providers", reverse("providers"))]
    return crumbs if provider is None else [*crumbs, Crumb(provider.name, _address(provider))]
