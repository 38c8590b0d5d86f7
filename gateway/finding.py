"""What the palette finds besides places: things by their name, each kind by one bounded query."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse

from audit.actor import Actor
from audit.selectors import TooBroadError, in_time
from gateway.selectors import routes_visible
from policies.selectors import policies_visible
from tenants.models import User
from tenants.permissions import can
from tenants.selectors import (
    apps_visible,
    budgets_visible,
    keys_visible,
    members_visible,
    tenants_visible,
)

LENGTH_MIN = 2
LENGTH_MAX = 120
EACH_MOST = 5
PATIENCE_MS = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """One thing: its name, what tells it from others of that name, and its page."""

    icon: str
    label: str
    note: str
    href: str


def find(actor: Actor, text: str) -> list[Found]:
    """Return things of which the actor may see that they are there, at most a few of each kind."""
    text = text.strip()[:LENGTH_MAX]
    if len(text) < LENGTH_MIN or "\0" in text:
        return []
    found: list[Found] = []
    for kind in (_apps, _keys, _models, _policies, _budgets, _people, _tenants):
        found += _in_time(kind, actor, text)
    return found


def _in_time(kind: Callable[[Actor, str], Iterator[Found]], actor: Actor, text: str) -> list[Found]:
    """Return what there is of a kind, or nothing of it where that takes longer than one waits."""
    try:
        with in_time(PATIENCE_MS):
            return list(kind(actor, text))
    except TooBroadError:
        return []


def _apps(actor: Actor, text: str) -> Iterator[Found]:
    for app in _first(apps_visible(actor).select_related("tenant"), Q(name__icontains=text)):
        yield Found("app", app.name, f"app of {app.tenant.name}", _page("app", app))


def _keys(actor: Actor, text: str) -> Iterator[Found]:
    named = Q(name__icontains=text) | Q(public_id=text)
    for key in _first(keys_visible(actor).select_related("app"), named):
        yield Found("key", key.name, f"key {key.public_id} of {key.app.name}", _page("key", key))


def _models(actor: Actor, text: str) -> Iterator[Found]:
    if can(actor, "platform.read", None):
        for route in _first(routes_visible(actor), Q(name__icontains=text)):
            yield Found("model", route.name, "model", _page("model", route))


def _policies(actor: Actor, text: str) -> Iterator[Found]:
    for policy in _first(policies_visible(actor), Q(name__icontains=text)):
        yield Found("policy", policy.name, "policy", _page("policy", policy))


def _budgets(actor: Actor, text: str) -> Iterator[Found]:
    budgets = budgets_visible(actor).select_related("tenant")
    for budget in _first(budgets, Q(name__icontains=text)):
        yield Found(
            "budget", budget.name, f"budget of {budget.tenant.name}", _page("budget", budget)
        )


def _people(actor: Actor, text: str) -> Iterator[Found]:
    seen = members_visible(actor).order_by().values("user")
    named = Q(email__icontains=text) | Q(name__icontains=text)
    for user in User.objects.filter(named, id__in=seen).order_by("email")[:EACH_MOST]:
        yield Found("user", user.email, user.name or "person", _page("member", user))


def _tenants(actor: Actor, text: str) -> Iterator[Found]:
    for tenant in _first(tenants_visible(actor), Q(name__icontains=text)):
        yield Found("tenant", tenant.name, "tenant", _page("tenant", tenant))


def _first(rows: QuerySet[Any], named: Q) -> QuerySet[Any]:
    return rows.filter(named).order_by("name", "id")[:EACH_MOST]


def _page(name: str, row: Any) -> str:
    return reverse(name, args=[row.pk])
