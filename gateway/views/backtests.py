"""Back-tests: asking what a text would have changed, and what came of it."""

import datetime
import uuid
from collections.abc import Mapping
from itertools import chain
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import check, requires
from gateway.backtest_words import SAID, caveats, sentences
from gateway.models import Job
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    ReasonForm,
    form_page,
    given,
    or_404,
    tenants_for,
)
from gateway.services.backtests import BacktestWanted, backtest_cancel, backtest_create
from gateway.views.exports import INSTANTS
from gateway.views.publishing import SOURCE_MAX, STARTER
from policies.models import Backtest, Policy
from policies.pdp.decision import LAYERS
from policies.pdp.problem import PolicyError
from policies.selectors import backtests_visible, policies_visible
from policies.substitution import Place
from tenants.models import App, Tenant
from tenants.permissions import can

DAYS = 7
PLACES = [
    ("", "In place of the policy of its name"),
    *((layer, f"Added at the {layer}") for layer in LAYERS),
]
TABLES = (
    ("by_rule", "By rule"),
    ("by_app", "By app"),
    ("by_key", "By key"),
    ("by_model", "By model"),
)
ROWS_SHOWN = 20


class BacktestForm(ReasonForm):
    """A text, where it would hold, and the calls to judge."""

    tenant = forms.ChoiceField()
    source = forms.CharField(
        label="Text",
        max_length=SOURCE_MAX,
        strip=False,
        widget=forms.Textarea({"rows": 20, "spellcheck": "false", "class": "source"}),
    )
    layer = forms.ChoiceField(label="Where it would hold", choices=PLACES, required=False)
    app = forms.CharField(
        required=False, max_length=63, help_text="For a text added at an app: its name."
    )
    since = forms.DateTimeField(label="From (UTC)", input_formats=INSTANTS)
    until = forms.DateTimeField(label="To (UTC)", input_formats=INSTANTS)
    field_order = ("tenant", "source", "layer", "app", "since", "until", "reason")

    def __init__(self, data: Any, tenants: Mapping[str, Tenant], initial: Any) -> None:
        super().__init__(data, initial=initial)
        self.fields["tenant"] = forms.ChoiceField(choices=[(name, name) for name in tenants])
        for name in ("since", "until"):
            self.fields[name].widget = forms.DateTimeInput(
                {"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
            )
        self.order_fields(self.field_order)


@requires("backtest.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show the form with the active text, or ask for the back-test."""
    policy = or_404(policies_visible(actor).select_related("active").filter(id=policy_id).first())
    tenants = {tenant.name: tenant for tenant in tenants_for(actor, "backtest.create")}
    form = BacktestForm(given(request), tenants, _initial(policy, _first(policy, tenants)))
    page = FormPage(
        title=f"Back-test {policy.name}",
        submit="Start the back-test",
        back=reverse("policy", args=[policy.id]),
        crumbs=crumbs(policy),
        lead="Judges recorded calls again, by their facts, under this text and under what holds."
        " It publishes nothing.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        tenant = tenants[asked["tenant"]]
        try:
            made = backtest_create(
                actor=actor, tenant=tenant, wanted=_wanted(asked, tenant), reason=asked["reason"]
            )
        except PolicyError as error:
            raise ValidationError({"source": str(error).split("\n")}) from None
        return Done("Calls are being judged.", reverse("policy_backtested", args=[made.pk]))

    return form_page(request, page, form, act)


@requires("backtest.read")
@require_safe
def show(request: HttpRequest, actor: Actor, backtest_id: uuid.UUID) -> HttpResponse:
    """Show what came of a back-test; while it runs the page says how far it is."""
    found = or_404(backtests_visible(actor).filter(pk=backtest_id).first())
    is_live = found.state == Backtest.State.PENDING
    content = {
        "crumbs": crumbs(policies_visible(actor).filter(name=found.policy).first()),
        "backtest": found,
        "words": f"Calls of {found.tenant.name} from {found.since:%Y-%m-%d %H:%M} to"
        f" {found.until:%Y-%m-%d %H:%M} UTC.",
        "job": Job.objects.filter(pk=found.job_id).first() if is_live else None,
        "is_live": is_live,
        "may_cancel": can(actor, "backtest.cancel", found),
        "may_read_calls": can(actor, "record.read", found),
        **_told(found.result),
    }
    is_part = bool(request.headers.get("HX-Request"))
    name = "policies/backtest_show.html" + ("#live" if is_part else "")
    return render(request, name, content)


@requires("backtest.cancel")
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, actor: Actor, backtest_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or stop the back-test."""
    found = or_404(backtests_visible(actor).filter(pk=backtest_id).first())
    check(actor, "backtest.cancel", found)
    address = reverse("policy_backtested", args=[found.pk])
    page = FormPage(
        title="Cancel the back-test",
        submit="Cancel the back-test",
        back=address,
        crumbs=[Crumb("Back-test", address)],
        effects=("What it has counted so far is thrown away.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        stopped = backtest_cancel(actor=actor, backtest=found, reason=asked["reason"])
        return Done("It stops." if stopped else "It had ended already.", address)

    return form_page(request, page, ReasonForm(given(request)), act)


def _told(result: Mapping[str, Any] | None) -> dict[str, Any]:
    if result is None:
        return {}
    tables = [(title, _differing(result[name])) for name, title in TABLES]
    return {
        "result": result,
        "sentences": sentences(result),
        "caveats": list(caveats(result)),
        "tables": [(title, rows) for title, rows in tables if rows],
        "examples": list(chain.from_iterable(result["examples"][kind] for kind in SAID)),
    }


def _differing(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["same"] < row["calls"]][:ROWS_SHOWN]


def _first(policy: Policy, tenants: Mapping[str, Tenant]) -> str:
    """Return the first tenant that the policy holds in, or else the first of all."""
    held = set(policy.attachments.values_list("tenant_id", flat=True))
    holding = (name for name, tenant in tenants.items() if tenant.pk in held)
    return next(holding, next(iter(tenants), ""))


def _initial(policy: Policy, first_tenant: str) -> dict[str, Any]:
    now = timezone.now().replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    source = policy.active.source if policy.active else STARTER.format(name=policy.name)
    since = now - datetime.timedelta(days=DAYS)
    return {"tenant": first_tenant, "source": source, "since": since, "until": now}


def _wanted(asked: Mapping[str, Any], tenant: Tenant) -> BacktestWanted:
    app = None
    if asked["app"]:
        app = App.objects.filter(tenant=tenant, name=asked["app"]).first()
        if app is None:
            raise ValidationError({"app": f"{tenant.name} has no app of this name."})
    return BacktestWanted(
        source=asked["source"].replace("\r\n", "\n"),
        since=asked["since"],
        until=asked["until"],
        place=Place(asked["layer"] or None, None if app is None else app.pk),
    )


def crumbs(policy: Policy | None) -> list[Crumb]:
    """Return the way to what is done with a policy."""
    way = [Crumb("Policies", reverse("policies"))]
    if policy is None:
        return way
    return [*way, Crumb(policy.name, reverse("policy", args=[policy.id]))]
