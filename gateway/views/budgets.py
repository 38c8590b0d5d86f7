"""Budgets: how far they are used, and changing them."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import check, requires
from gateway.fields import AmountField, SharesField, WordsField
from gateway.owners import Owner, owner_field, owners
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    NeededReasonForm,
    ReasonForm,
    form_page,
    given,
    listed,
    or_404,
    tenant_chosen,
)
from gateway.standing import meters
from tenants.models import Budget
from tenants.money import text_from_micros
from tenants.permissions import tenants_where
from tenants.selectors import budgets_visible
from tenants.services.budgets import budget_create, budget_remove, budget_update
from tenants.usage.budget_state import budget_state

MODES = (("hard", "Hard: calls that do not fit are refused"), ("soft", "Soft: only warns"))
SHARES = "0.5, 0.8, 1"


class TermsForm(forms.Form):
    """What may change while a budget counts on."""

    limit_micros = AmountField(
        label="Limit", max_length=24, widget=forms.TextInput({"inputmode": "decimal"})
    )
    mode = forms.ChoiceField(choices=MODES)
    alert_at = SharesField(
        label="Warn at", required=False, max_length=60, help_text="Shares of the limit."
    )


class ChangeForm(NeededReasonForm, TermsForm):
    """New terms of a budget, and why."""

    field_order = ("limit_micros", "mode", "alert_at", "reason")


class NewBudgetForm(ReasonForm, TermsForm):
    """A new budget: whose, how much, and in which window."""

    name = forms.CharField(max_length=63, help_text="Such as “month”; refusals name it.")
    currency = forms.CharField(max_length=3, min_length=3, initial="USD")
    window = forms.ChoiceField(choices=Budget.Window.choices, initial="month")
    group_by = WordsField(
        label="For each",
        required=False,
        max_length=200,
        help_text="user, app, key, model or tag:<name>: the limit then holds for each of them.",
    )
    field_order = (
        "owner",
        "name",
        "limit_micros",
        "currency",
        "window",
        "mode",
        "group_by",
        "alert_at",
        "reason",
    )

    def __init__(self, data: Any, found: Sequence[Owner], chosen: str) -> None:
        super().__init__(data, initial={"alert_at": SHARES, "owner": chosen})
        self.fields["owner"] = owner_field(found)
        self.order_fields(self.field_order)


@requires("budget.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the budgets with what is spent and held of each."""
    tenant = tenant_chosen(request, actor)
    budgets = budgets_visible(actor).select_related("tenant", "app", "key")
    if tenant is not None:
        budgets = budgets.filter(tenant=tenant)
    rows = listed(request, budgets.order_by("tenant__name", "name", "id"))
    now = timezone.now()
    content = {
        "page": rows,
        "meters": meters(list(rows), now),
        "now": now,
        "may_create": tenants_where(actor, "budget.create") != frozenset(),
    }
    return render(request, "tenants/budget_list.html", content)


@requires("budget.read")
@require_safe
def show(request: HttpRequest, actor: Actor, budget_id: uuid.UUID) -> HttpResponse:
    """Show one budget in its present window."""
    budget, now = _budget(actor, budget_id), timezone.now()
    (meter,) = meters([budget], now)
    content = {
        "crumbs": _crumbs(),
        "budget": budget,
        "meter": meter,
        "groups": budget_state(actor, budget, now).groups if budget.group_by else (),
        "now": now,
    }
    return render(request, "tenants/budget_show.html", content)


@requires("budget.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create the budget."""
    found = {owner.value: owner for owner in owners(actor, "budget.create")}
    form = NewBudgetForm(given(request), list(found.values()), request.GET.get("for", ""))
    page = FormPage("Create a budget", "Create the budget", reverse("budgets"), _crumbs())

    def act(asked: Mapping[str, Any]) -> Done:
        owner = found[asked["owner"]]
        budget = budget_create(
            actor=actor,
            tenant=owner.tenant,
            app=owner.app,
            key=owner.key,
            **{name: asked[name] for name in form.fields if name != "owner"},
        )
        return Done(f"The budget {budget.name} holds within seconds.", _address(budget))

    return form_page(request, page, form, act)


@requires("budget.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, budget_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change the budget's terms."""
    budget = _budget(actor, budget_id)
    check(actor, "budget.update", budget)
    initial = {
        "limit_micros": text_from_micros(budget.limit_micros),
        "mode": budget.mode,
        "alert_at": ", ".join(f"{share.normalize():f}" for share in budget.alert_at),
    }
    form = ChangeForm(given(request), initial=initial)
    (meter,) = meters([budget], timezone.now())
    page = FormPage(
        title=f"Raise or change {budget.name}",
        submit="Change the budget",
        back=_address(budget),
        crumbs=_crumbs(budget),
        lead=f"Now: {meter.text}. What is spent in this window stays spent.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        changed = budget_update(actor=actor, budget=budget, **asked)
        limit = f"{text_from_micros(budget.limit_micros)} {budget.currency}"
        said = f"{budget.name} is now {limit}." if changed else "Nothing differed."
        return Done(said, _address(budget))

    return form_page(request, page, form, act)


@requires("budget.remove")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, actor: Actor, budget_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or end the budget."""
    budget = _budget(actor, budget_id)
    check(actor, "budget.remove", budget)
    page = FormPage(
        title=f"Remove {budget.name}",
        submit="Remove the budget",
        back=_address(budget),
        crumbs=_crumbs(budget),
        effects=("Within seconds nothing is counted against it any more.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        budget_remove(actor=actor, budget=budget, reason=asked["reason"])
        return Done(f"{budget.name} is removed.", reverse("budgets"))

    return form_page(request, page, NeededReasonForm(given(request)), act)


def _budget(actor: Actor, budget_id: uuid.UUID) -> Budget:
    budgets = budgets_visible(actor).select_related("tenant", "app", "key")
    return or_404(budgets.filter(id=budget_id).first())


def _address(budget: Budget) -> str:
    return reverse("budget", args=[budget.id])


def _crumbs(budget: Budget | None = None) -> list[Crumb]:
    crumbs = [Crumb("Budgets", reverse("budgets"))]
    return crumbs if budget is None else [*crumbs, Crumb(budget.name, _address(budget))]
