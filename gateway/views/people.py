"""Members and roles: who may do what in which tenant, and changing it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
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
    ReasonForm,
    form_page,
    given,
    listed,
    or_404,
    tenant_chosen,
    tenants_for,
)
from tenants.models import Membership, Role, Tenant, User
from tenants.permissions import MATRIX, TENANT_ACTIONS, can, given_by, tenants_where
from tenants.selectors import members_visible
from tenants.services.people import membership_grant, membership_revoke, user_create

EMAIL_LENGTH_MAX = 254
PASSWORD_LENGTH_MAX = 1024


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One permission, and for each role whether it includes it."""

    action: str
    roles: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """What a person may do in one tenant: each action with the roles that give it.

    `may_remove` is whether whoever looks may take all of it away.
    """

    tenant: Tenant
    memberships: tuple[Membership, ...]
    actions: tuple[tuple[str, str], ...]
    may_remove: bool


class GrantForm(ReasonForm):
    """A role for a person in a tenant."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    email = forms.EmailField(label="E-mail", max_length=EMAIL_LENGTH_MAX)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.APP_DEVELOPER)
    field_order = ("tenant", "email", "role", "reason")

    def __init__(self, data: Any, tenants: Any, **initial: object) -> None:
        super().__init__(data, initial=initial)
        field = forms.ModelChoiceField(tenants, empty_label=None)
        self.fields["tenant"] = field
        self.order_fields(self.field_order)

    def clean_email(self) -> str:
        """Refuse an e-mail that nobody signs in with."""
        email = str(self.cleaned_data["email"]).strip().lower()
        if not User.objects.filter(email=email, is_active=True).exists():
            raise forms.ValidationError("Nobody signs in with this e-mail: add the person first.")
        return email


class NewMemberForm(ReasonForm):
    """A new person with a first role."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    email = forms.EmailField(label="E-mail", max_length=EMAIL_LENGTH_MAX)
    name = forms.CharField(max_length=120)
    password = forms.CharField(
        label="First password",
        max_length=PASSWORD_LENGTH_MAX,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text="At least 12 characters. Tell it to the person on another way than e-mail.",
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.APP_DEVELOPER)
    field_order = ("tenant", "email", "name", "password", "role", "reason")

    def __init__(self, data: Any, tenants: Any, **initial: object) -> None:
        super().__init__(data, initial=initial)
        self.fields["tenant"] = forms.ModelChoiceField(tenants, empty_label=None)
        self.order_fields(self.field_order)


@requires("membership.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List who has which role where, and what each role may do."""
    tenant = tenant_chosen(request, actor)
    members = members_visible(actor).select_related("tenant")
    if tenant is not None:
        members = members.filter(tenant=tenant)
    text = request.GET.get("q", "").strip()
    if text:
        members = members.filter(user__email__icontains=text)
    content = {
        "page": listed(request, members.order_by("tenant__name", "user__email", "role")),
        "tenant": tenant,
        "text": text,
        "may_grant": tenants_where(actor, "membership.grant") != frozenset(),
        "roles": [Role(role).label for role in MATRIX],
        "matrix": _matrix(),
    }
    return render(request, "tenants/member_list.html", content)


@requires("membership.read")
@require_safe
def show(request: HttpRequest, actor: Actor, user_id: uuid.UUID) -> HttpResponse:
    """Show what a person may do in the tenants whose members the actor may read."""
    found = list(
        members_visible(actor)
        .filter(user_id=user_id)
        .select_related("tenant")
        .order_by("tenant__name", "role")
    )
    person = or_404(found[0].user if found else None)
    content = {
        "crumbs": _crumbs(),
        "person": person,
        "accesses": _accesses(actor, found),
        "may_grant": tenants_where(actor, "membership.grant") != frozenset(),
    }
    return render(request, "tenants/member_show.html", content)


@requires("user.create")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or make a person who may sign in, with a first role."""
    tenants = tenants_for(actor, "membership.grant")
    form = NewMemberForm(given(request), tenants, tenant=tenant_chosen(request, actor))
    page = FormPage("Add a person", "Add the person", reverse("members"), _crumbs())

    def act(asked: Mapping[str, Any]) -> Done:
        with transaction.atomic():
            user = user_create(
                actor=actor,
                email=asked["email"],
                name=asked["name"],
                password=asked["password"],
                reason=asked["reason"],
            )
            membership_grant(
                actor=actor,
                tenant=asked["tenant"],
                user=user,
                role=asked["role"],
                reason=asked["reason"],
            )
        return Done(f"{user.email} may sign in now.", _address(user))

    return form_page(request, page, form, act)


@requires("membership.grant")
@require_http_methods(["GET", "HEAD", "POST"])
def grant(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or give a person a role."""
    tenants = tenants_for(actor, "membership.grant")
    initial = {"email": request.GET.get("email", ""), "tenant": tenant_chosen(request, actor)}
    form = GrantForm(given(request), tenants, **initial)
    page = FormPage("Grant a role", "Grant the role", reverse("members"), _crumbs())

    def act(asked: Mapping[str, Any]) -> Done:
        membership = membership_grant(
            actor=actor,
            tenant=asked["tenant"],
            user=User.objects.get(email=asked["email"]),
            role=asked["role"],
            reason=asked["reason"],
        )
        said = f"{asked['email']} is {_label(membership)} of {asked['tenant'].name}."
        return Done(said, _address(membership.user))

    return form_page(request, page, form, act)


@requires("membership.revoke")
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, actor: Actor, membership_id: int) -> HttpResponse:
    """Say what the person will no longer be able to do, or take the role."""
    found = members_visible(actor).select_related("tenant").filter(id=membership_id)
    membership = or_404(found.first())
    check(actor, "membership.revoke", membership)
    user, tenant = membership.user, membership.tenant
    page = FormPage(
        title=f"Take {_label(membership)} from {user.email}",
        submit="Take the role",
        back=_address(user),
        crumbs=[*_crumbs(), Crumb(user.email, _address(user))],
        effects=_losses(membership),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        membership_revoke(actor=actor, membership=membership, reason=asked["reason"])
        said = f"{user.email} is no longer {_label(membership)} of {tenant.name}."
        return Done(said, reverse("members"))

    return form_page(request, page, ReasonForm(given(request)), act)


@requires("membership.revoke")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(
    request: HttpRequest, actor: Actor, user_id: uuid.UUID, tenant_id: uuid.UUID
) -> HttpResponse:
    """Say what the person will lose, or take every role that they have in a tenant."""
    found = list(
        members_visible(actor).select_related("tenant").filter(user=user_id, tenant=tenant_id)
    )
    first = or_404(found[0] if found else None)
    user, tenant = first.user, first.tenant
    for membership in found:
        check(actor, _revoking(membership), membership)
    page = FormPage(
        title=f"Remove {user.email} from {tenant.name}",
        submit="Remove the person",
        back=_address(user),
        crumbs=[*_crumbs(), Crumb(user.email, _address(user))],
        effects=_ends(found),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        with transaction.atomic():
            for membership in found:
                membership_revoke(actor=actor, membership=membership, reason=asked["reason"])
        return Done(f"{user.email} is no longer a member of {tenant.name}.", reverse("members"))

    return form_page(request, page, ReasonForm(given(request)), act)


def _ends(found: Sequence[Membership]) -> tuple[str, ...]:
    """Say what the removal of a person from a tenant ends, and what it leaves."""
    email, tenant = found[0].user.email, found[0].tenant.name
    roles = ", ".join(map(_label, found))
    return (
        f"At once {email} may do nothing in {tenant} any more; until now: {roles}.",
        "What they did stays in the evidence, and keys that they issued go on working.",
        "They may still sign in, and keep their roles in other tenants.",
    )


def _revoking(membership: Membership) -> str:
    is_owner = membership.role == Role.OWNER
    return "membership.revoke_owner" if is_owner else "membership.revoke"


def _losses(membership: Membership) -> list[str]:
    """Say which actions nothing else gives the person in the tenant."""
    others = Membership.objects.filter(user=membership.user, tenant=membership.tenant)
    kept = {
        action
        for role in others.exclude(pk=membership.pk).values_list("role", flat=True)
        for action in MATRIX[role]
    }
    lost = sorted(MATRIX[membership.role] - kept)
    told = ", ".join(lost) if lost else "nothing: other roles give the same"
    return [
        f"At once {membership.user.email} may no longer do in {membership.tenant.name}: {told}."
    ]


def _accesses(actor: Actor, found: Sequence[Membership]) -> list[Access]:
    by_tenant: dict[Tenant, list[Membership]] = {}
    for membership in found:
        by_tenant.setdefault(membership.tenant, []).append(membership)
    return [
        Access(
            tenant,
            tuple(memberships),
            tuple(_given_by(memberships)),
            all(can(actor, _revoking(each), each) for each in memberships),
        )
        for tenant, memberships in by_tenant.items()
    ]


def _given_by(memberships: Sequence[Membership]) -> list[tuple[str, str]]:
    granted = given_by(membership.role for membership in memberships)
    return [
        (each.action, ", ".join(str(Role(role).label).lower() for role in each.roles))
        for each in granted
    ]


def _matrix() -> list[MatrixRow]:
    return [
        MatrixRow(action, tuple(action in MATRIX[role] for role in MATRIX))
        for action in sorted(TENANT_ACTIONS)
    ]


def _label(membership: Membership) -> str:
    return str(Role(membership.role).label).lower()


def _address(user: User) -> str:
    return reverse("member", args=[user.id])


def _crumbs() -> list[Crumb]:
    return [Crumb("Members", reverse("members"))]
