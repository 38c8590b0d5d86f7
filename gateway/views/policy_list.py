"""The list of policies: which there are, and where each holds."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from audit.actor import Actor
from gateway.access import requires
from gateway.pages import listed, tenant_chosen
from policies.models import Policy
from policies.selectors import attachments, policies_visible
from tenants.permissions import can, tenants_where


@dataclass(frozen=True, slots=True)
class Row:
    """A policy in the list, and where it holds as far as the actor may know."""

    policy: Policy
    scopes: tuple[str, ...]


@requires("policy.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the policies with their active versions and where they hold."""
    policies, tenant = (
        policies_visible(actor).select_related("active"),
        tenant_chosen(request, actor),
    )
    if tenant is not None:
        held = attachments().filter(Q(tenant=tenant) | Q(tenant=None))
        policies = policies.filter(id__in=held.values("policy_id"))
    rows = listed(request, policies)
    scopes = _scopes(actor, list(rows))
    content = {
        "page": rows,
        "rows": [Row(policy, tuple(scopes.get(policy.id, ()))) for policy in rows],
        "is_filtered": tenant is not None,
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
