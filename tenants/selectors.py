"""Reads of tenants, apps, keys, budgets, limits and people, for an actor. Unseen means absent."""

from typing import TypeVar

from django.db.models import QuerySet

from audit.actor import Actor
from tenants.budgets import BudgetShape
from tenants.models import App, Budget, Membership, RateLimit, Tenant, User, VirtualKey
from tenants.permissions import tenants_where

Row = TypeVar("Row", App, VirtualKey, Budget, RateLimit, Membership)


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
