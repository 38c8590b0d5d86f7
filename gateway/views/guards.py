"""Guards: a tenant's own endpoints that inspect texts, and the secrets that sign for them."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import check, requires
from gateway.fields import WordsField
from gateway.guards import sealing
from gateway.guards.contract import (
    DEADLINE_MS,
    DEADLINE_MS_MAX,
    DEADLINE_MS_MIN,
    SECRET_MAX,
    SECRET_MIN,
)
from gateway.guards.models import Guard
from gateway.guards.trial import TEXT_MAX
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    ReasonForm,
    form_page,
    given,
    listed,
    or_404,
    show_form,
    tenant_chosen,
    tenants_for,
)
from gateway.selectors import guards_visible
from gateway.services.guards import (
    guard_create,
    guard_remove,
    guard_secret_retire,
    guard_secret_set,
    guard_test,
    guard_update,
)
from tenants.models import Tenant
from tenants.permissions import tenants_where

PHASES = [
    ("request", "Requests, before they leave"),
    ("answer", "Answers; streams are then gathered whole"),
]
FIELDS = (
    *("url", "allow_private", "kinds", "phases", "deadline_ms", "tells_user", "redacted", "cache"),
)


class SecretField(forms.CharField):
    """A secret: it goes in, and never comes out."""

    def __init__(self, **terms: Any) -> None:
        widget = forms.PasswordInput({"autocomplete": "off"})
        said = f"{SECRET_MIN} characters or more; sealed with the master key at once."
        super().__init__(max_length=SECRET_MAX, widget=widget, help_text=said, **terms)


class GuardForm(ReasonForm):
    """What can be said of a guard besides its name."""

    url = forms.CharField(
        label="Address",
        max_length=400,
        help_text="Texts are sent there by POST, as in https://guard.example/inspect.",
        widget=forms.TextInput({"inputmode": "url", "autocomplete": "off"}),
    )
    allow_private = forms.BooleanField(
        label="It may be at a private address",
        required=False,
        help_text="Only the owner of the installation allows this. Otherwise it is refused.",
    )
    kinds = WordsField(
        label="Kinds that it may find",
        max_length=5000,
        help_text="Such as PROJECT_NAME, as rules call them. An answer with another is refused.",
    )
    phases = forms.MultipleChoiceField(
        label="Asked about",
        choices=PHASES,
        initial=["request"],
        widget=forms.CheckboxSelectMultiple,
    )
    deadline_ms = forms.IntegerField(
        label="Deadline in milliseconds",
        min_value=DEADLINE_MS_MIN,
        max_value=DEADLINE_MS_MAX,
        initial=DEADLINE_MS,
        help_text="Later it has failed, and rules go by their on_error.",
    )
    tells_user = forms.BooleanField(label="It is told of the end user", required=False)
    redacted = forms.BooleanField(
        label="It sees no personal data and no credentials",
        required=False,
        help_text="What our detectors find is masked in what it is sent.",
    )
    cache = forms.BooleanField(
        label="What it finds may be remembered for a minute",
        required=False,
        help_text="If it judges each text by itself, whoever sends it.",
    )
    field_order: Sequence[str] = (*FIELDS, "reason")


class NewGuardForm(GuardForm):
    """A new guard: whose, where, and what signs for us."""

    name = forms.CharField(max_length=63, help_text="1 to 63 of a-z, 0-9, “.”, “_” and “-”.")
    secret = SecretField(label="Secret that signs")
    field_order = ("tenant", "name", "url", "allow_private", "secret", *FIELDS[2:], "reason")

    def __init__(self, data: Any, tenants: Sequence[Tenant], chosen: str) -> None:
        super().__init__(data, initial={"tenant": chosen})
        choices = [(tenant.name, tenant.name) for tenant in tenants]
        self.fields["tenant"] = forms.ChoiceField(choices=choices)
        self.order_fields(self.field_order)


class SecretForm(ReasonForm):
    """A new secret that signs."""

    secret = SecretField()
    field_order = ("secret", "reason")


class SampleForm(forms.Form):
    """A text to try a guard with."""

    text = forms.CharField(
        label="A text as a user might say it",
        max_length=TEXT_MAX,
        widget=forms.Textarea({"rows": 3}),
        help_text="It is sent to the guard now, and kept nowhere.",
    )


@requires("guard.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the guards."""
    tenant = tenant_chosen(request, actor)
    guards = guards_visible(actor)
    if tenant is not None:
        guards = guards.filter(tenant=tenant)
    content = {
        "page": listed(request, guards),
        "may_create": tenants_where(actor, "guard.create") != frozenset(),
    }
    return render(request, "gateway/guard_list.html", content)


@requires("guard.read")
@require_safe
def show(request: HttpRequest, actor: Actor, guard_id: uuid.UUID) -> HttpResponse:
    """Show one guard."""
    guard = _guard(actor, guard_id)
    content = {
        "crumbs": _crumbs(),
        "guard": guard,
        "secrets": sealing.held(guard),
    }
    return render(request, "gateway/guard_show.html", content)


@requires("guard.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create the guard."""
    found = {tenant.name: tenant for tenant in tenants_for(actor, "guard.create")}
    chosen = request.GET.get("tenant", "")
    form = NewGuardForm(given(request), list(found.values()), chosen)
    page = FormPage(
        title="Add a guard",
        submit="Add the guard",
        back=reverse("guards"),
        crumbs=_crumbs(),
        lead="Texts of calls are sent there as soon as a rule depends on one of its kinds.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        fields = {name: value for name, value in asked.items() if name != "tenant"}
        guard = guard_create(actor=actor, tenant=found[asked["tenant"]], **fields)
        return Done(f"{guard.name} is there. Try it with a text.", _address(guard))

    return form_page(request, page, form, act)


@requires("guard.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, guard_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change the guard."""
    guard = _guard(actor, guard_id)
    check(actor, "guard.update", guard)
    initial = {name: getattr(guard, name) for name in FIELDS}
    initial["kinds"] = ", ".join(guard.kinds)
    page = FormPage(
        title=f"Edit {guard.name}", submit="Save", back=_address(guard), crumbs=_crumbs(guard)
    )

    def act(asked: Mapping[str, Any]) -> Done:
        changed = guard_update(actor=actor, guard=guard, **asked)
        return Done("Saved." if changed else "Nothing differed.", _address(guard))

    return form_page(request, page, GuardForm(given(request), initial=initial), act)


@requires("guard_secret.set")
@require_http_methods(["GET", "HEAD", "POST"])
def secret(request: HttpRequest, actor: Actor, guard_id: uuid.UUID) -> HttpResponse:
    """Show the form, or seal a new secret."""
    guard = _guard(actor, guard_id)
    check(actor, "guard_secret.set", guard)
    page = FormPage(
        title=f"Renew the secret of {guard.name}",
        submit="Seal the secret",
        back=_address(guard),
        crumbs=_crumbs(guard),
        lead="It is never sent: it signs. The one before signs beside it until you retire it.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        guard_secret_set(actor=actor, guard=guard, **asked)
        return Done("The secret is sealed. Both sign within seconds.", _address(guard))

    return form_page(request, page, SecretForm(given(request)), act)


@requires("guard_secret.retire")
@require_http_methods(["GET", "HEAD", "POST"])
def retire(request: HttpRequest, actor: Actor, guard_id: uuid.UUID) -> HttpResponse:
    """Say what it will do, or destroy the secret before the newest."""
    guard = _guard(actor, guard_id)
    check(actor, "guard_secret.retire", guard)
    page = FormPage(
        title=f"Retire the former secret of {guard.name}",
        submit="Destroy the former secret",
        back=_address(guard),
        crumbs=_crumbs(guard),
        effects=("Within seconds the newest alone signs. It cannot be brought back.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        did = guard_secret_retire(actor=actor, guard=guard, **asked)
        said = "The former secret is gone." if did else "There was but one."
        return Done(said, _address(guard))

    return form_page(request, page, ReasonForm(given(request)), act)


@requires("guard.test")
@require_http_methods(["GET", "HEAD", "POST"])
def test(request: HttpRequest, actor: Actor, guard_id: uuid.UUID) -> HttpResponse:
    """Show the form, or send a sample text to the guard and show what it finds."""
    guard = _guard(actor, guard_id)
    check(actor, "guard.test", guard)
    form = SampleForm(given(request))
    page = FormPage(
        title=f"Try {guard.name}",
        submit="Send the text",
        back=_address(guard),
        crumbs=_crumbs(guard),
        template="gateway/guard_test.html",
    )
    if not form.is_valid():
        return show_form(request, page, form)
    result = guard_test(actor=actor, guard=guard, text=form.cleaned_data["text"])
    content = {"page": page, "crumbs": page.crumbs, "form": form, "result": result}
    answer = render(request, page.template, content)
    answer["Cache-Control"] = "no-store"
    return answer


@requires("guard.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, actor: Actor, guard_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or delete the guard."""
    guard = _guard(actor, guard_id)
    check(actor, "guard.remove", guard)
    page = FormPage(
        title=f"Remove {guard.name}",
        submit="Remove the guard",
        back=_address(guard),
        crumbs=_crumbs(guard),
        effects=(
            "Its secrets are destroyed.",
            "Rules that name its kinds match no more: nobody looks for them.",
        ),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        guard_remove(actor=actor, guard=guard, reason=asked["reason"])
        return Done(f"{guard.name} is removed.", reverse("guards"))

    return form_page(request, page, ReasonForm(given(request)), act)


def _guard(actor: Actor, guard_id: uuid.UUID) -> Guard:
    return or_404(guards_visible(actor).filter(id=guard_id).first())


def _address(guard: Guard) -> str:
    return reverse("guard", args=[guard.id])


def _crumbs(guard: Guard | None = None) -> list[Crumb]:
    crumbs = [Crumb("Guards", reverse("guards"))]
    return crumbs if guard is None else [*crumbs, Crumb(guard.name, _address(guard))]
