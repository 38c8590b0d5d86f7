"""The calls: a list, page by page, and one call explained."""

import datetime
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.actor import Actor
from audit.models import Mark
from audit.outcome import OUTCOMES
from audit.selectors import PAGE, CallsWanted, TooBroadError
from gateway import selectors
from gateway.access import requires
from gateway.calls.explanation import explain
from gateway.calls.story import Call, read
from gateway.pages import Crumb
from gateway.services.calls import call_explain
from gateway.services.marks import subjects
from gateway.snippets import snippets
from policies.models import PolicyVersion
from policies.selectors import policies_visible
from tenants.models import App, Tenant
from tenants.permissions import can, tenants_where

UTC = ZoneInfo("UTC")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)
INSTANT_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]
FILTERS = ("tenant", "app", "model", "outcome", "rule", "redaction", "from", "to")

NARROWS = FILTERS[:-2]


class CallFilter(forms.Form):
    """Which calls to list, as the address says it."""

    outcome = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), *((name, name.replace("_", " ").capitalize()) for name in OUTCOMES)],
    )

    rule = forms.CharField(required=False, max_length=200, label="Rule or limit")
    redaction = forms.CharField(required=False, max_length=80, label="Redacted kind")

    def __init__(self, data: QueryDict, tenants: Sequence[Tenant], apps: Sequence[App]) -> None:
        super().__init__(data)
        models = {model for app in apps for model in app.models} | {data.get("model", "")}
        names = {app.name for app in apps} | {data.get("app", "")}
        self.fields |= {
            "tenant": _choice(tenant.name for tenant in tenants),
            "app": _choice(names),
            "model": _choice(models),
            "from": _instant(),
            "to": _instant(),
        }

    def wanted(self, apps: Sequence[App]) -> CallsWanted:
        """Return what was asked for; the form must be valid."""
        given, name = self.cleaned_data, self.cleaned_data["app"]
        before = self.data.get("before")
        return CallsWanted(
            app_ids=[app.id for app in apps if app.name == name] if name else None,
            model=given["model"],
            outcome=given["outcome"],
            rule=given["rule"],
            redaction=given["redaction"],
            since=given["from"],
            until=given["to"],
            before=_position(before) if before else None,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A call in the list, and whose it is."""

    call: Call
    tenant: str
    zone: ZoneInfo


@requires("record.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the newest calls, or those before a position, that pass the filters."""
    wanted_id = request.GET.get("id", "").strip()
    found = _id_of(wanted_id)
    if found is not None and selectors.call_visible(actor, found):
        return redirect(reverse("call", args=[found]))
    tenants = selectors.call_tenants(actor)
    chosen = _chosen(tenants, request.GET.get("tenant", ""))
    zone = ZoneInfo(chosen[0].timezone) if len(chosen) == 1 else UTC
    apps = selectors.call_apps(actor, chosen)
    with timezone.override(zone):
        form = CallFilter(request.GET, tenants, apps)
        rows = _rows(actor, chosen, form.wanted(apps)) if form.is_valid() else {}
    status = HTTPStatus.NOT_FOUND if wanted_id else HTTPStatus.OK
    content = rows | {
        "form": form,
        "shows_tenant": len(tenants) > 1,
        "zone": zone,
        "is_filtered": any(request.GET.get(name) for name in FILTERS),
        "is_first": "before" not in request.GET,
        "newest": _address(request.GET, None),
        "older": _address(request.GET, rows["last"]) if rows.get("last") else "",
        "export": _export_address(actor, form),
        "wanted_id": wanted_id,
        "example": _example(apps),
    }
    if form.errors:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    return render(request, "gateway/call_list.html", content, status=status)


@requires("record.read")
@require_safe
def show(request: HttpRequest, actor: Actor, call_id: uuid.UUID) -> HttpResponse:
    """Explain one call; one that the actor may not see is not there."""
    records = selectors.call_visible(actor, call_id)
    if not records:
        raise Http404
    versions = selectors.versions_recorded(records)
    explanation = explain(records, versions, selectors.models_askable(records))
    readable, framed = selectors.call_and_frame_tenants(actor)
    request.tenants_seen = framed  # type: ignore[attr-defined]  # the frame lists them
    tenants = [tenant for tenant in readable if tenant.id == explanation.call.tenant_id]
    if tenants:
        call_explain(actor=actor, tenant=tenants[0], call_id=call_id)
    content = {
        "crumbs": [Crumb("Calls", reverse("calls"))],
        "it": explanation,
        "marks": Mark.objects.filter(call_id=call_id).order_by("on", "subject"),
        "may_mark": any(subjects(records).values())
        and bool(tenants)
        and can(actor, "mark.create", tenants[0]),
        "places": _places(actor, versions),
        "call": explanation.call,
        "tenant": tenants[0] if tenants else None,
        "zone": ZoneInfo(tenants[0].timezone) if tenants else UTC,
    }
    return render(request, "gateway/call_show.html", content)


def _places(actor: Actor, versions: Sequence[PolicyVersion]) -> dict[str, str]:
    """Return by label where the text of a version stands, for those that the actor may open."""
    seen = policies_visible(actor).filter(id__in=[version.policy_id for version in versions])
    ids = set(seen.values_list("id", flat=True))
    return {
        f"{version.policy.name}@{version.number}": reverse(
            "policy_version", args=[version.policy_id, version.number]
        )
        for version in versions
        if version.policy_id in ids
    }


def _rows(actor: Actor, chosen: Collection[Tenant], wanted: CallsWanted) -> dict[str, Any]:
    """Return the rows of a page, and as `last` the last call of it where there are older ones."""
    try:
        found = selectors.calls_visible(actor, chosen, wanted, PAGE + 1)
    except TooBroadError:
        return {"is_too_broad": True}
    by_id = {tenant.id: tenant for tenant in chosen}
    calls = [read(records) for records in found]
    rows = [
        Row(call, by_id[call.tenant_id].name, ZoneInfo(by_id[call.tenant_id].timezone))
        for call in calls[:PAGE]
    ]
    return {"rows": rows, "last": calls[PAGE - 1] if len(calls) > PAGE else None}


def _chosen(tenants: Sequence[Tenant], name: str) -> Sequence[Tenant]:
    """Return the tenants of this name; raise Http404 where the actor sees none."""
    if not name:
        return tenants
    chosen = [tenant for tenant in tenants if tenant.name == name]
    if not chosen:
        raise Http404
    return chosen


def _export_address(actor: Actor, form: CallFilter) -> str:
    """Return where the same calls are exported; nothing for who may not export any."""
    if tenants_where(actor, "export.create") == frozenset() or not form.is_valid():
        return ""
    asked = form.cleaned_data
    kept = {name: asked[name] for name in NARROWS if asked.get(name)}
    for name, under in (("since", "from"), ("until", "to")):
        if asked[under]:
            kept[name] = f"{asked[under].astimezone(datetime.UTC):%Y-%m-%dT%H:%M}"
    return f"{reverse('export_create')}?{urlencode({'kinds': 'records', **kept})}"


def _example(apps: Sequence[App]) -> str:
    """Return a first call with a key of one's own."""
    model = next((model for app in apps for model in app.models), "")
    return snippets(selectors.base_url(), "$GATEHOUSE_KEY", model)[0][2]


def _id_of(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _address(query: QueryDict, last: Call | None) -> str:
    """Return the address of the calls before one, or of the newest ones, with the same filters."""
    kept = {name: query.get(name, "") for name in FILTERS if query.get(name)}
    if last is not None:
        kept["before"] = f"{(last.listed_at - EPOCH) // MICROSECOND}.{last.id}"
    return f"{reverse('calls')}?{urlencode(kept)}" if kept else reverse("calls")


def _position(text: str) -> tuple[datetime.datetime, uuid.UUID]:
    """Return where a page begins; raise BadRequest for a text that no page of ours had."""
    microseconds, _, identity = text.partition(".")
    try:
        return EPOCH + int(microseconds) * MICROSECOND, uuid.UUID(identity)
    except (ValueError, OverflowError):
        raise BadRequest("this is no position in the list") from None


def _choice(names: Iterable[str]) -> forms.ChoiceField:
    known = sorted({name for name in names if name})
    return forms.ChoiceField(
        required=False, choices=[("", "All"), *((name, name) for name in known)]
    )


def _instant() -> forms.DateTimeField:
    return forms.DateTimeField(
        required=False,
        input_formats=INSTANT_FORMATS,
        widget=forms.DateTimeInput({"type": "datetime-local"}),
    )
