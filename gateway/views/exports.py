"""Exports of evidence: the list, asking for one, one with its parts, and reading them."""

import datetime
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.actor import Actor
from audit.exports.folder import MANIFEST
from audit.exports.preview import ROWS_MOST, preview
from audit.exports.wanted import FORMATS, KINDS, LISTED_MAX, ExportWanted, WantedError
from audit.exports.wanted import check as check_wanted
from audit.models import Export
from audit.outcome import OUTCOMES
from audit.selectors import exports_visible
from gateway.access import check, requires
from gateway.downloads import FileAnswer, opened
from gateway.event_words import DONE
from gateway.export_words import words
from gateway.models import Job
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
    tenants_for,
)
from gateway.selectors import jobs_visible
from gateway.services.exports import export_create, export_download
from gateway.views.errors import explain
from tenants.models import App, Tenant
from tenants.permissions import ACTIONS, tenants_where

INSTANTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]
KNOWN = ACTIONS | frozenset(DONE)
"""The actions that events can have: what somebody may do, and what needs no permission."""
CARRIED = ("tenant", "app", "model", "outcome", "rule", "redaction", "actions", "actor", "object")


class ExportForm(ReasonForm):
    """What an export is to hold."""

    tenant = forms.ChoiceField()
    kinds = forms.MultipleChoiceField(
        label="What", choices=[(kind, kind) for kind in KINDS], widget=forms.CheckboxSelectMultiple
    )
    since = forms.DateTimeField(label="From (UTC)", input_formats=INSTANTS)
    until = forms.DateTimeField(label="To (UTC)", input_formats=INSTANTS)
    app = forms.CharField(
        required=False, max_length=63, help_text="Records: only calls of this app, by its name."
    )
    model = forms.CharField(
        required=False, max_length=120, help_text="Records: only calls of this model."
    )
    outcome = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), *((name, name.replace("_", " ")) for name in OUTCOMES)],
        help_text="Records: only calls that ended so.",
    )
    rule = forms.CharField(
        required=False,
        max_length=200,
        label="Rule or limit",
        help_text="Records: only calls that it refused, such as “house-rules / no-cards”.",
    )
    redaction = forms.CharField(
        required=False,
        max_length=80,
        label="Redacted kind",
        help_text="Records: only calls redacted for it, such as EMAIL_ADDRESS.",
    )
    actions = forms.CharField(
        required=False,
        max_length=80,
        label="Action begins with",
        help_text="Events: such as “policy.”.",
    )
    actor = forms.CharField(
        required=False, max_length=200, help_text="Events: a part of the name of who did it."
    )
    object = forms.CharField(
        required=False,
        max_length=200,
        help_text="Events: a part of the name of what it was done to, or its id.",
    )
    formats = forms.MultipleChoiceField(
        label="As", choices=[(form, form) for form in FORMATS], widget=forms.CheckboxSelectMultiple
    )
    field_order = (
        "tenant", "kinds", "since", "until", "app", "model", "outcome", "rule", "redaction",
        "actions", "actor", "object", "formats", "reason",
    )  # fmt: skip

    def __init__(self, data: Any, tenants: Mapping[str, Tenant], initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        self.fields["tenant"] = forms.ChoiceField(choices=[(name, name) for name in tenants])
        self.fields["outcome"].label = "Outcome"
        for name in ("since", "until"):
            self.fields[name].widget = forms.DateTimeInput(
                {"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
            )
        self.order_fields(self.field_order)

    def clean_actions(self) -> tuple[str, ...]:
        """Return the known actions that begin so."""
        begins = self.cleaned_data["actions"].strip()
        found = tuple(sorted(name for name in KNOWN if begins and name.startswith(begins)))
        if begins and not found:
            raise ValidationError("No action begins so.")
        return found[:LISTED_MAX]


@requires("export.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the exports, newest first."""
    exports, tenant = exports_visible(actor), tenant_chosen(request, actor)
    if tenant is not None:
        exports = exports.filter(tenant_id=tenant.pk)
    rows = listed(request, exports)
    told = words(list(rows))
    content = {
        "page": rows,
        "rows": [(export, told[export.pk]) for export in rows],
        "may_create": tenants_where(actor, "export.create") != frozenset(),
    }
    return render(request, "audit/export_list.html", content)


@requires("export.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, filled in from a list's filters, or ask for the export."""
    tenants = {tenant.name: tenant for tenant in tenants_for(actor, "export.create")}
    initial = _initial(request.GET, next(iter(tenants), ""))
    form = ExportForm(given(request), tenants, initial)
    page = FormPage(
        title="Export evidence",
        submit="Start the export",
        back=reverse("exports"),
        crumbs=_crumbs(),
        lead="Exactly what the filter asks for, whole or not at all, with a checksum of each file."
        " A job writes it; it is kept for seven days.",
        template="audit/export_create.html",
    )
    if not form.is_bound or "preview" in request.POST:
        # What the form is filled in with may be looked at before anything is asked for.
        asked_for = form if form.is_bound else ExportForm(initial, tenants, initial)
        if not form.is_bound or form.is_valid():
            content = {"page": page, "crumbs": page.crumbs, "form": form}
            return render(request, page.template, content | _preview(asked_for, tenants))

    def act(asked: Mapping[str, Any]) -> Done:
        tenant = tenants[asked["tenant"]]
        export = export_create(
            actor=actor, tenant=tenant, wanted=_wanted(asked, tenant), reason=asked["reason"]
        )
        return Done("The export is being written.", reverse("export", args=[export.pk]))

    return form_page(request, page, form, act)


@requires("export.read")
@require_safe
def show(request: HttpRequest, actor: Actor, export_id: uuid.UUID) -> HttpResponse:
    """Show one export with its files; while it is written it says how far it is."""
    export = _export(actor, export_id)
    job: Job | None = jobs_visible(actor).filter(pk=export.job_id).first()
    content = {
        "crumbs": _crumbs(),
        "export": export,
        "words": words([export])[export.pk],
        "job": job,
        "manifest": MANIFEST,
        "is_live": export.state == Export.State.PENDING,
    }
    is_part = bool(request.headers.get("HX-Request"))
    return render(request, "audit/export_show.html" + ("#live" if is_part else ""), content)


@requires("export.download")
@require_POST
def download(request: HttpRequest, actor: Actor, export_id: uuid.UUID) -> HttpResponse:
    """Note who reads a file, and lead to it."""
    export = _export(actor, export_id)
    check(actor, "export.download", export)
    try:
        token = export_download(actor=actor, export=export, part=request.POST.get("part", ""))
    except ValidationError:
        return _gone(request)
    return HttpResponseRedirect(reverse("export_file", args=[token]))


@requires("export.download")
@require_safe
def file(request: HttpRequest, actor: Actor, token: str) -> HttpResponseBase:
    """Send the file that a token opens, block by block."""
    path = opened(actor, token)
    if path == "unknown":
        raise Http404
    if path == "gone":
        return _gone(request)
    return FileAnswer(
        path.open("rb"),
        as_attachment=True,
        filename=f"{path.parent.name[:8]}-{path.name}",
        headers={"Cache-Control": "no-store"},
    )


def _preview(form: ExportForm, tenants: Mapping[str, Tenant]) -> dict[str, Any]:
    """Return how many rows the export would hold; nothing while the form cannot be read."""
    if not form.is_valid():
        return {}
    tenant = tenants[form.cleaned_data["tenant"]]
    try:
        wanted = _wanted(form.cleaned_data, tenant)
        check_wanted(wanted)
    except (ValidationError, WantedError):
        return {}
    counted = preview(settings.GATEHOUSE.database_url, tenant.pk, wanted)
    return {"counted": counted, "counted_of": tenant, "rows_most": ROWS_MOST}


def _initial(query: QueryDict, first_tenant: str) -> dict[str, Any]:
    # The minute that is not over yet is wanted, too.
    now = timezone.now().replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    found: dict[str, Any] = {name: query.get(name, "") for name in CARRIED}
    return found | {
        "tenant": found["tenant"] or first_tenant,
        "kinds": query.getlist("kinds") or ["records"],
        "formats": ["ndjson"],
        "since": query.get("since") or now - datetime.timedelta(days=1),
        "until": query.get("until") or now,
    }


def _wanted(asked: Mapping[str, Any], tenant: Tenant) -> ExportWanted:
    apps: tuple[uuid.UUID, ...] = ()
    if asked["app"]:
        named = App.objects.filter(tenant=tenant, name=asked["app"])
        apps = tuple(named.values_list("pk", flat=True))
        if not apps:
            raise ValidationError({"app": f"{tenant.name} has no app of this name."})
    return ExportWanted(
        since=asked["since"],
        until=asked["until"],
        kinds=tuple(asked["kinds"]),
        formats=tuple(asked["formats"]),
        apps=apps,
        model=asked["model"],
        outcome=asked["outcome"],
        rule=asked["rule"].strip(),
        redaction=asked["redaction"].strip(),
        actions=asked["actions"],
        actor=asked["actor"].strip(),
        object=asked["object"].strip(),
    )


def _gone(request: HttpRequest) -> HttpResponse:
    return explain(
        request,
        HTTPStatus.GONE,
        "This file is not to be had any more",
        "A link to a file opens it for a minute, and the files of an export are kept for a week.",
        "Open the export and download it again; if its time is over, ask for a new one.",
    )


def _export(actor: Actor, export_id: uuid.UUID) -> Export:
    return or_404(exports_visible(actor).filter(pk=export_id).first())


def _crumbs() -> list[Crumb]:
    return [Crumb("Exports", reverse("exports"))]
