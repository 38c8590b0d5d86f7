"""Writes to routes, the public model names, and to the deployments that serve them."""

from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import alter, delete, insert
from gateway import transforming
from gateway.models import Deployment, Provider, Route
from gateway.services.prices import book_enter
from tenants.changes import platform_change
from tenants.models import App, Tenant
from tenants.revisions import platform_changed


class RouteFields(TypedDict, total=False):
    """The caps of a route: the most that may be asked for, and what is sent where none is asked.
    How its deployments are chosen, and what stands in where they fail: see `bundle.Plan`."""

    max_output_tokens: int
    default_max_output_tokens: int
    strategy: str
    sticky: bool
    regional: bool
    drop_unsupported: bool
    retries: int
    hedge_after_ms: int
    context_tokens: int
    fallbacks: list[str]
    cache_ttl_s: int
    cache_stale_s: int
    cache_entry_bytes: int
    cache_hit_percent: int
    cache_vary: list[str]
    transformation: list[Any]


class DeploymentFields(TypedDict, total=False):
    """When a deployment is tried: priority 0 first, among equals by weight. How long it may take,
    in seconds; 0: as long as everybody."""

    weight: int
    priority: int
    connect_s: int
    first_byte_s: int
    idle_s: int
    total_s: int


@transaction.atomic
def route_create(
    *, actor: Actor, name: str, reason: str = "", **fields: Unpack[RouteFields]
) -> Route:
    """Create a public model name; it is served once it has a deployment."""
    change = platform_change(actor, "route.create", reason)
    route = Route(name=name, **fields)
    _check_fallbacks(name, fields.get("fallbacks", []))
    transforming.check(fields.get("transformation", []), of_route=True)
    insert(change, route)
    platform_changed()
    return route


@transaction.atomic
def route_update(
    *, actor: Actor, route: Route, reason: str = "", **fields: Unpack[RouteFields]
) -> bool:
    """Change a route's caps or plan; False where nothing differed."""
    change = platform_change(actor, "route.update", reason)
    _check_fallbacks(route.name, fields.get("fallbacks", []))
    transforming.check(fields.get("transformation", []), of_route=True)
    changed = alter(change, route, fields)
    if changed:
        platform_changed()
    return changed


@transaction.atomic
def route_remove(*, actor: Actor, route: Route, reason: str = "") -> None:
    """Delete a public model name that no app and no other model lists, with its deployments."""
    change = platform_change(actor, "route.remove", reason)
    users = App.objects.exclude(state=App.State.REMOVED).filter(models__contains=[route.name])
    app = users.select_related("tenant").order_by("tenant__name", "name").first()
    if app is not None:
        raise ValidationError({"route": f"{route.name} is used by {app.tenant.name}/{app.name}"})
    other = Route.objects.filter(fallbacks__contains=[route.name]).order_by("name").first()
    if other is not None:
        raise ValidationError({"route": f"{route.name} is a fallback of {other.name}"})
    _check_no_default(route.name)
    delete(change, route)
    platform_changed()


def _check_fallbacks(name: str, fallbacks: list[str]) -> None:
    """Refuse a fallback to nothing, to itself or twice to the same."""
    known = set(Route.objects.filter(name__in=fallbacks).values_list("name", flat=True))
    for fallback in fallbacks:
        if fallback == name:
            raise ValidationError({"fallbacks": f"{name} cannot be its own fallback"})
        if fallback not in known:
            raise ValidationError({"fallbacks": f"there is no model {fallback}"})
    if len(known) < len(fallbacks):
        raise ValidationError({"fallbacks": "a model stands there twice"})


def _check_no_default(name: str) -> None:
    """Refuse to end a model that calls ask for where they name none."""
    for tenant in Tenant.objects.exclude(state=Tenant.State.REMOVED).order_by("name"):
        if name in (tenant.default_model, *tenant.tier_models.values()):
            raise ValidationError({"route": f"{name} is a default model of {tenant.name}"})


@transaction.atomic
def deployment_create(
    *,
    actor: Actor,
    route: Route,
    provider: Provider,
    model: str,
    region: str = "",
    reason: str = "",
    **fields: Unpack[DeploymentFields],
) -> Deployment:
    """Let a provider's model serve a route, at the price book's price where it has one."""
    change = platform_change(actor, "deployment.create", reason)
    deployment = Deployment(route=route, provider=provider, model=model, region=region, **fields)
    insert(change, deployment)
    book_enter(deployment)
    platform_changed()
    return deployment


@transaction.atomic
def deployment_update(
    *, actor: Actor, deployment: Deployment, reason: str = "", **fields: Unpack[DeploymentFields]
) -> bool:
    """Change when a deployment is tried, or for how long; False where nothing differed."""
    change = platform_change(actor, "deployment.update", reason)
    changed = alter(change, deployment, fields)
    if changed:
        platform_changed()
    return changed


@transaction.atomic
def deployment_remove(*, actor: Actor, deployment: Deployment, reason: str = "") -> None:
    """Take a deployment from its route; its prices stay, because the ledger was made with them."""
    change = platform_change(actor, "deployment.remove", reason)
    delete(change, deployment)
    platform_changed()
