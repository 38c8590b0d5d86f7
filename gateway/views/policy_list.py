"""The list of policies: which there are, where each holds, and what is pending."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from audit.actor import Actor
from gateway.access import requires
from gateway.pages import listed, tenant_chosen
from policies.models import Policy
from policies.pending import ANY, PENDING, narrowed, with_pending
from policies.selectors import attachments, policies_visible
from tenants.permissions import can, tenants_where


@dataclass(frozen=True, slots=True)
class Row:
    """A policy in the list, and where it holds as far as the actor may know."""

    policy: Policy
    scopes: tuple[str, ...]


class PolicyFilter(forms.Form):
    """Which policies to list; the tenant stays as it is chosen."""

    q = forms.CharField(required=False, label="Name", max_length=63)
    pending = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Any, or nothing"),
            (ANY, "Anything"),
            *((kind, label) for kind, (label, _) in PENDING.items()),
        ],
    )
    tenant = forms.CharField(required=False, widget=forms.HiddenInput)

    def narrow(self, policies: QuerySet[Policy]) -> QuerySet[Policy]:
        """Return those of the policies that are asked for; none where the form is not valid."""
        if not self.is_valid():
            return policies.none()
        asked = self.cleaned_data
        found = policies.filter(name__icontains=asked["q"]) if asked["q"] else policies
        return narrowed(found, asked["pending"]) if asked["pending"] else found

    @property
    def narrows(self) -> bool:
        """Whether anything but the tenant is asked for."""
        return any(self.data.get(name) for name in ("q", "pending"))


@requires("policy.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the policies with their active versions, what is pending, and where they hold."""
    policies = with_pending(policies_visible(actor).select_related("active"))
    tenant, form = tenant_chosen(request, actor), PolicyFilter(request.GET)
    if tenant is not None:
        held = attachments().filter(Q(tenant=tenant) | Q(tenant=None))
        policies = policies.filter(id__in=held.values("policy_id"))
    rows = listed(request, form.narrow(policies))
    scopes = _scopes(actor, list(rows))
    content = {
        "page": rows,
        "rows": [Row(policy, tuple(scopes.get(policy.id, ()))) for policy in rows],
        "form": form,
        "is_of_tenant": tenant is not None,
        "may_create": can(actor, "policy.create", None),
    }
    return render(request, "policies/policy_list.html", content)


def _scopes(actor: Actor, policies: Sequence[Policy]) -> dict[uuid.UUID, list[str]]:
    """Return by policy where it holds, in words, as far as the actor may know."""
    ids = tenants_where(actor, "policy.read")
    found = attachments().filter(policy__in=policies).select_related("tenant", "app")
    scopes: dict[uuid.UUID, list[str]] = {}
    for held in found:
        if held.tenant is None or ids is None or str(held.tenant_id) in ids:
            scopes.setdefault(held.policy_id, []).append(_scope(held))
    return scopes


def _scope(held: Any) -> str:
    if held.tenant is None:
        return "the whole platform"
    return held.tenant.name if held.app is None else f"{held.tenant.name} / {held.app.name}"
