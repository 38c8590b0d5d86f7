"""Reads of tenants, apps, keys, budgets, limits and people, for an actor. Unseen means absent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from audit.actor import Actor
from tenants.budgets import BudgetShape
from tenants.models import App, Budget, Membership, RateLimit, Tenant, User, VirtualKey
from tenants.permissions import (
    ACTIONS,
    Granted,
    given_by,
    tenants_where,
)

Row = TypeVar("Row", App, VirtualKey, Budget, RateLimit, Membership)


@dataclass(frozen=True, slots=True)
class TenantAccess:
    """What a person may do in one tenant."""

    tenant: UUID
    name: str
    actions: tuple[Granted, ...]


@dataclass(frozen=True, slots=True)
class PersonAccess:
    """What a person may do: everywhere, as its owner, and tenant by tenant, by roles."""

    person: UUID
    is_active: bool
    is_installation_owner: bool
    everywhere: tuple[str, ...]
    tenants: tuple[TenantAccess, ...]


def actor_of(user: User, source: str = "") -> Actor:
    """Return the person as an actor, with the roles that they have now."""
    roles: dict[str, set[str]] = {}
    for membership in Membership.objects.filter(user=user):
        roles.setdefault(str(membership.tenant_id), set()).add(membership.role)
    return Actor(
        kind="user",
        id=str(user.id),
        name=user.email,
        source=source,
        memberships={tenant_id: frozenset(names) for tenant_id, names in roles.items()},
        is_superuser=user.is_superuser and user.is_active,
    )


def tenants_visible(actor: Actor) -> QuerySet[Tenant]:
    """Return the tenants that the actor may read, by name; removed ones are gone."""
    tenants = Tenant.objects.exclude(state=Tenant.State.REMOVED).order_by("name")
    ids = tenants_where(actor, "tenant.read")
    return tenants if ids is None else tenants.filter(id__in=ids)


def own_kinds_visible(actor: Actor) -> frozenset[str]:
    """Return the kinds that detectors of the tenants look for which the actor may read."""
    declared = tenants_visible(actor).values_list("detectors", flat=True)
    return frozenset(str(one["kind"]) for detectors in declared for one in detectors)


def apps_visible(actor: Actor) -> QuerySet[App]:
    """Return the apps that the actor may read, by name; removed ones are gone."""
    apps = App.objects.exclude(state=App.State.REMOVED).order_by("tenant__name", "name")
    return _within(actor, "app.read", apps)


def keys_visible(actor: Actor) -> QuerySet[VirtualKey]:
    """Return the keys that the actor may read, newest first, revoked ones too."""
    return _within(actor, "virtual_key.read", VirtualKey.objects.order_by("-created_at"))


def budgets_visible(actor: Actor) -> QuerySet[Budget]:
    """Return the budgets in force that the actor may read."""
    budgets = Budget.objects.filter(is_active=True).order_by("created_at", "id")
    return _within(actor, "budget.read", budgets)


def limits_visible(actor: Actor) -> QuerySet[RateLimit]:
    """Return the limits in force that the actor may read."""
    limits = RateLimit.objects.filter(is_active=True).order_by("created_at", "id")
    return _within(actor, "rate_limit.read", limits)


def members_visible(actor: Actor) -> QuerySet[Membership]:
    """Return who has which role in the tenants whose members the actor may read."""
    memberships = Membership.objects.select_related("user").order_by("user__email", "role")
    return _within(actor, "membership.read", memberships)


def people_visible(actor: Actor) -> QuerySet[User]:
    """Return the people with a role in a tenant whose members the actor may read, with these.

    Whoever may read all tenants sees everybody. `memberships_seen` of each is what may be shown.
    """
    seen = members_visible(actor).order_by("tenant_id", "role")
    people = User.objects.prefetch_related(
        Prefetch("memberships", queryset=seen, to_attr="memberships_seen")
    ).order_by("-created_at", "-id")
    if tenants_where(actor, "membership.read") is None:
        return people
    return people_with(people, actor)


def people_with(
    people: QuerySet[User], actor: Actor, *, tenant_id: UUID | None = None, role: str | None = None
) -> QuerySet[User]:
    """Return those of the people who have such a role where the actor may see it."""
    roles = members_visible(actor).order_by().filter(user=OuterRef("pk"))
    named = {"tenant_id": tenant_id, "role": role}
    return people.filter(
        Exists(roles.filter(**{name: value for name, value in named.items() if value}))
    )


def memberships_of(actor: Actor, person: User) -> list[Membership]:
    """Return the person's roles that the actor may see, by tenant."""
    found = members_visible(actor).filter(user=person).select_related("tenant")
    return list(found.order_by("tenant__name", "tenant_id", "role"))


def access_of(person: User, memberships: Sequence[Membership]) -> PersonAccess:
    """Return what the person may do now by these roles, or by owning the installation."""
    is_owner = person.is_superuser and person.is_active
    by_tenant: dict[Tenant, list[str]] = {}
    for membership in memberships if person.is_active else ():
        by_tenant.setdefault(membership.tenant, []).append(membership.role)
    tenants = [
        TenantAccess(tenant.id, tenant.name, given_by(roles)) for tenant, roles in by_tenant.items()
    ]
    return PersonAccess(
        person.id,
        person.is_active,
        person.is_superuser,
        tuple(sorted(ACTIONS)) if is_owner else (),
        tuple(tenants),
    )


def tenant_named(name: str) -> Tenant | None:
    """Return the tenant of this name."""
    return Tenant.objects.exclude(state=Tenant.State.REMOVED).filter(name=name).first()


def app_named(tenant: str, app: str) -> App | None:
    """Return the app of this name in the tenant of that name."""
    apps = App.objects.exclude(state=App.State.REMOVED).exclude(tenant__state=Tenant.State.REMOVED)
    return apps.filter(tenant__name=tenant, name=app).select_related("tenant").first()


def key_by_public_id(public_id: str) -> VirtualKey | None:
    """Return the key with this public id."""
    return VirtualKey.objects.filter(public_id=public_id).select_related("tenant", "app").first()


def budget_shapes(tenant: Tenant) -> list[BudgetShape]:
    """Return what the rules on groups need to know of the tenant's budgets in force."""
    budgets = Budget.objects.filter(tenant=tenant, is_active=True).select_related("key")
    return [_shape(budget) for budget in budgets.order_by("name")]


def owner_exists() -> bool:
    """Return whether somebody owns the installation."""
    return User.objects.filter(is_superuser=True, is_active=True).exists()


def _shape(budget: Budget) -> BudgetShape:
    key = budget.key
    app_id = key.app_id if key is not None else budget.app_id
    return BudgetShape(
        name=budget.name,
        currency=budget.currency,
        hard=budget.mode == Budget.Mode.HARD,
        group_by=tuple(budget.group_by),
        app_id=str(app_id or ""),
        key_id=str(key.id) if key is not None else "",
        binds_user=key is not None and bool(key.user),
    )


def _within(actor: Actor, action: str, rows: QuerySet[Row]) -> QuerySet[Row]:
    ids = tenants_where(actor, action)
    return rows if ids is None else rows.filter(tenant_id__in=ids)
