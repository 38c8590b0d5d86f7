"""Rate limits: requests and tokens per time, and calls at once."""

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
from gateway.owners import Owner, owner_field, owners
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
)
from gateway.templatetags.console import limit_words
from tenants.models import RateLimit
from tenants.permissions import tenants_where
from tenants.selectors import limits_visible
from tenants.services.limits import rate_limit_create, rate_limit_remove, rate_limit_update

PERIODS = [("", "Not per time (calls at once)"), *RateLimit.Per.choices]


class TermsForm(ReasonForm):
    """How much a limit allows."""

    amount = forms.IntegerField(min_value=1, max_value=2**52)
    per = forms.ChoiceField(required=False, choices=PERIODS, initial="minute")
    burst = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**52,
        help_text="How many may come at once; as many as the amount, if empty.",
    )
    field_order: tuple[str, ...] = ("amount", "per", "burst", "reason")


class NewLimitForm(TermsForm):
    """A new limit: whose, of what, how much."""

    name = forms.CharField(max_length=63, help_text="Such as “rpm”; refusals name it.")
    kind = forms.ChoiceField(
        choices=[
            ("requests", "Requests per time"),
            ("tokens", "Tokens per time"),
            ("concurrency", "Calls at once"),
        ]
    )
    field_order = ("owner", "name", "kind", "amount", "per", "burst", "reason")

    def __init__(self, data: Any, found: Sequence[Owner], chosen: str) -> None:
        super().__init__(data, initial={"owner": chosen})
        self.fields["owner"] = owner_field(found)
        self.order_fields(self.field_order)


@requires("rate_limit.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the limits in force."""
    tenant = tenant_chosen(request, actor)
    limits = limits_visible(actor).select_related("tenant", "app", "key")
    if tenant is not None:
        limits = limits.filter(tenant=tenant)
    content = {
        "page": listed(request, limits.order_by("tenant__name", "name", "id")),
        "may_create": tenants_where(actor, "rate_limit.create") != frozenset(),
        "may_update": tenants_where(actor, "rate_limit.update") != frozenset(),
    }
    return render(request, "tenants/limit_list.html", content)


@requires("rate_limit.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create the limit."""
    found = {owner.value: owner for owner in owners(actor, "rate_limit.create")}
    form = NewLimitForm(given(request), list(found.values()), request.GET.get("for", ""))
    page = FormPage("Create a limit", "Create the limit", reverse("limits"), _crumbs())

    def act(asked: Mapping[str, Any]) -> Done:
        owner = found[asked["owner"]]
        limit = rate_limit_create(
            actor=actor,
            tenant=owner.tenant,
            app=owner.app,
            key=owner.key,
            **{name: asked[name] for name in form.fields if name != "owner"},
        )
        return Done(f"{limit.name} holds within seconds: {limit_words(limit)}.", reverse("limits"))

    return form_page(request, page, form, act)


@requires("rate_limit.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, limit_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change how much the limit allows."""
    limit = _limit(actor, limit_id)
    check(actor, "rate_limit.update", limit)
    initial = {"amount": limit.amount, "per": limit.per, "burst": limit.burst}
    form = TermsForm(given(request), initial=initial)
    page = FormPage(
        title=f"Change {limit.name}",
        submit="Change the limit",
        back=reverse("limits"),
        crumbs=_crumbs(),
        lead=f"Now: {limit_words(limit)}.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        changed = rate_limit_update(actor=actor, limit=limit, **asked)
        said = f"{limit.name} is now {limit_words(limit)}." if changed else "Nothing differed."
        return Done(said, reverse("limits"))

    return form_page(request, page, form, act)


@requires("rate_limit.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, actor: Actor, limit_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or end the limit."""
    limit = _limit(actor, limit_id)
    check(actor, "rate_limit.remove", limit)
    page = FormPage(
        title=f"Remove {limit.name}",
        submit="Remove the limit",
        back=reverse("limits"),
        crumbs=_crumbs(),
        effects=(f"Within seconds nothing holds calls to {limit_words(limit)} any more.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        rate_limit_remove(actor=actor, limit=limit, reason=asked["reason"])
        return Done(f"{limit.name} is removed.", reverse("limits"))

    return form_page(request, page, ReasonForm(given(request)), act)


def _limit(actor: Actor, limit_id: uuid.UUID) -> RateLimit:
    limits = limits_visible(actor).select_related("tenant", "app", "key")
    return or_404(limits.filter(id=limit_id).first())


def _crumbs() -> list[Crumb]:
    return [Crumb("Limits", reverse("limits"))]
