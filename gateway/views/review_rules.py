"""Where a text takes a second person before it is in force, and who that may be."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
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
    tenants_for,
)
from policies.clearance import APPROVE
from policies.models import ReviewRule
from policies.services.reviews import review_rule_set, review_rule_unset
from policies.visible import review_rules_visible
from tenants.models import Role, Tenant, User
from tenants.permissions import MATRIX, can, tenants_where
from tenants.selectors import members_visible

PLATFORM = "platform"
APPROVING = sorted(role for role, actions in MATRIX.items() if APPROVE in actions)
ENOUGH = 2
"""Nobody approves their own text: with fewer approvers than this, some text waits for ever."""


@dataclass(frozen=True, slots=True)
class Row:
    """A tenant (None: the platform), its rule, and who may approve there.

    `people` is None where the actor may not read who has a role there; `approvers` counts the
    owners of the installation too, who may approve anywhere.
    """

    tenant: Tenant | None
    rule: ReviewRule | None
    people: tuple[str, ...] | None
    approvers: int
    may_set: bool

    @property
    def is_short(self) -> bool:
        """Whether a text of somebody there finds nobody else to approve it."""
        return self.rule is not None and self.people is not None and self.approvers < ENOUGH


class RuleForm(ReasonForm):
    """Where reviews shall be wanted."""

    field_order = ("tenant", "reason")

    def __init__(self, data: Any, places: Mapping[str, str], chosen: str) -> None:
        super().__init__(data, initial={"tenant": chosen})
        self.fields["tenant"] = forms.ChoiceField(label="Where", choices=[*places.items()])
        self.order_fields(self.field_order)


@requires("policy.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the platform and the tenants, with their rules and who may approve."""
    tenants = listed(request, tenants_for(actor, "policy.read"))
    rules = {rule.tenant_id: rule for rule in review_rules_visible(actor)}
    owners = _owners()
    content = {
        "crumbs": _crumbs(),
        "page": tenants,
        "platform": Row(
            None,
            rules.get(None),
            tuple(owners) if can(actor, "membership.read", None) else None,
            len(owners),
            can(actor, "review_rule.set", None),
        ),
        "rows": _rows(actor, list(tenants), rules, owners),
        "roles": [Role(role).label for role in APPROVING],
        "may_set": tenants_where(actor, "review_rule.set") != frozenset(),
    }
    return render(request, "policies/review_rule_list.html", content)


@requires("review_rule.set")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or let texts take a second person somewhere."""
    tenants = {str(tenant.id): tenant for tenant in tenants_for(actor, "review_rule.set")}
    places = {identity: tenant.name for identity, tenant in tenants.items()}
    if can(actor, "review_rule.set", None):
        places = {PLATFORM: "the whole installation"} | places
    page = FormPage(
        title="Want reviews",
        submit="Want them from now on",
        back=reverse("policy_review_rules"),
        crumbs=_crumbs(rules=True),
        effects=(
            "A text then comes into force there once one person who had no hand in it approved it.",
            "What is in force now stays.",
        ),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        tenant = tenants.get(asked["tenant"])
        review_rule_set(actor=actor, tenant=tenant, reason=asked["reason"])
        return Done("A text takes a second person there from now on.", page.back)

    form = RuleForm(given(request), places, request.GET.get("tenant", ""))
    return form_page(request, page, form, act)


@requires("review_rule.unset")
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: HttpRequest, actor: Actor, rule_id: uuid.UUID) -> HttpResponse:
    """Show the form, or let one person's word do again."""
    rule = or_404(review_rules_visible(actor).filter(id=rule_id).first())
    check(actor, "review_rule.unset", rule.tenant)
    where = rule.tenant.name if rule.tenant else "the whole installation"
    page = FormPage(
        title=f"End reviews for {where}",
        submit="End them",
        back=reverse("policy_review_rules"),
        crumbs=_crumbs(rules=True),
        effects=("Whoever may publish there then does so alone.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        review_rule_unset(actor=actor, rule=rule, reason=asked["reason"])
        return Done(f"Reviews are no longer wanted for {where}.", page.back)

    return form_page(request, page, NeededReasonForm(given(request)), act)


def _rows(
    actor: Actor,
    tenants: Sequence[Tenant],
    rules: Mapping[uuid.UUID | None, ReviewRule],
    owners: Sequence[str],
) -> list[Row]:
    held = members_visible(actor).filter(
        tenant__in=tenants, role__in=APPROVING, user__is_active=True
    )
    people: dict[uuid.UUID, dict[str, None]] = {}
    for membership in held:
        people.setdefault(membership.tenant_id, {})[membership.user.email] = None
    return [
        Row(
            tenant,
            rules.get(tenant.id),
            tuple(found) if can(actor, "membership.read", tenant) else None,
            len({*found, *owners}),
            can(actor, "review_rule.set", tenant),
        )
        for tenant in tenants
        for found in [people.get(tenant.id, {})]
    ]


def _owners() -> list[str]:
    """Return the owners of the installation, who may approve anywhere."""
    owners = User.objects.filter(is_superuser=True, is_active=True).order_by("email")
    return list(owners.values_list("email", flat=True))


def _crumbs(*, rules: bool = False) -> list[Crumb]:
    way = [
        Crumb("Policies", reverse("policies")),
        Crumb("Reviews", reverse("policy_reviews")),
    ]
    return [*way, Crumb("Where they are wanted", reverse("policy_review_rules"))] if rules else way
