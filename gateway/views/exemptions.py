"""Exemptions: rules that do not hold for some calls, for a time and a reason."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import check, requires
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
    tenants_for,
)
from policies.identity import identity
from policies.models import Exemption
from policies.services.exemptions import (
    LONGEST,
    exemption_approve,
    exemption_grant,
    exemption_revoke,
)
from policies.visible import exemptions_visible
from tenants.permissions import can, tenants_where

PLATFORM = "platform"


class ExemptionForm(NeededReasonForm):
    """From what, for whom and until when."""

    name = forms.CharField(max_length=63, help_text="Records name it.")
    rules = forms.CharField(help_text="As policy/rule, with spaces between.")
    apps = forms.CharField(required=False, help_text="Names of apps; none: all of them.")
    keys = forms.CharField(required=False, help_text="Public ids of keys; none: all of them.")
    expires_at = forms.DateTimeField(
        label="Until (UTC)",
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=f"Within the next {LONGEST.days} days. It ends by itself.",
    )
    field_order = ("tenant", "name", "rules", "apps", "keys", "expires_at", "reason")

    def __init__(self, data: Any, places: Mapping[str, str]) -> None:
        super().__init__(data)
        self.fields["tenant"] = forms.ChoiceField(label="For calls of", choices=[*places.items()])
        self.order_fields(self.field_order)


@requires("policy.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the exemptions, those that end last first."""
    rows = exemptions_visible(actor).order_by("-expires_at", "id")
    tenant = tenant_chosen(request, actor)
    if tenant is not None:
        rows = rows.filter(tenant=tenant)
    content = {
        "page": listed(request, rows),
        "now": timezone.now(),
        "me": identity(actor),
        "may_grant": tenants_where(actor, "exemption.grant") != frozenset(),
    }
    return render(request, "policies/exemption_list.html", content)


@requires("exemption.grant")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or grant an exemption."""
    tenants = {str(tenant.id): tenant for tenant in tenants_for(actor, "exemption.grant")}
    places = {identity: tenant.name for identity, tenant in tenants.items()}
    if can(actor, "exemption.grant", None):
        places = {PLATFORM: "every tenant"} | places
    page = FormPage(
        title="Grant an exemption",
        submit="Grant it",
        back=reverse("exemptions"),
        crumbs=[Crumb("Exemptions", reverse("exemptions"))],
        effects=(
            "Within a second these rules no longer hold for these calls.",
            "Where reviews are wanted, they do so once somebody else has approved it.",
        ),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        terms = {name: asked[name].replace(",", " ").split() for name in ("rules", "apps", "keys")}
        made = exemption_grant(
            actor=actor,
            tenant=tenants.get(asked["tenant"]),
            name=asked["name"],
            expires_at=asked["expires_at"],
            reason=asked["reason"],
            **terms,
        )
        if made.holds_since is None:
            return Done("The exemption holds once somebody else approves it.", page.back)
        return Done("The exemption holds within a second.", page.back)

    return form_page(request, page, ExemptionForm(given(request), places), act)


@requires("exemption.approve")
@require_http_methods(["GET", "HEAD", "POST"])
def approve(request: HttpRequest, actor: Actor, exemption_id: uuid.UUID) -> HttpResponse:
    """Show what would no longer hold, or let it be so."""
    found = or_404(exemptions_visible(actor).filter(id=exemption_id).first())
    check(actor, "exemption.approve", found if found.tenant_id else None)
    page = FormPage(
        title=f"Approve {found.name}",
        submit="Approve it",
        back=reverse("exemptions"),
        crumbs=[Crumb("Exemptions", reverse("exemptions"))],
        effects=(
            f"Within a second {', '.join(found.rules)} no longer holds for {_callers(found)},"
            f" until {found.expires_at:%Y-%m-%d %H:%M} UTC.",
            f"{found.author} asked for it: {found.reason}",
        ),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        try:
            exemption_approve(actor=actor, exemption=found, reason=asked["reason"])
        except PermissionDenied as error:
            raise ValidationError(str(error)) from error
        return Done("The exemption holds within a second.", page.back)

    return form_page(request, page, ReasonForm(given(request)), act)


@requires("exemption.revoke")
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, actor: Actor, exemption_id: uuid.UUID) -> HttpResponse:
    """Show the form, or let the rules hold again at once."""
    found = or_404(exemptions_visible(actor).filter(id=exemption_id).first())
    check(actor, "exemption.revoke", found if found.tenant_id else None)
    page = FormPage(
        title=f"Revoke {found.name}",
        submit="Revoke it",
        back=reverse("exemptions"),
        crumbs=[Crumb("Exemptions", reverse("exemptions"))],
        effects=("Within a second the rules hold again.",),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        exemption_revoke(actor=actor, exemption=found, reason=asked["reason"])
        return Done("The rules hold again within a second.", page.back)

    return form_page(request, page, NeededReasonForm(given(request)), act)


def _callers(found: Exemption) -> str:
    where = found.tenant.name if found.tenant else "every tenant"
    apps = f", apps {', '.join(found.apps)}" if found.apps else ""
    return where + apps + (f", keys {', '.join(found.keys)}" if found.keys else "")
