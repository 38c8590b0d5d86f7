"""Where the console leads: one registry for the side bar, the palette and the first page."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from audit.actor import Actor
from tenants.permissions import can, tenants_where


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the console: `action` is what it takes, `also` the other pages that are in it.

    `keeps_tenant`: its list can be narrowed to one tenant.
    """

    name: str
    label: str
    icon: str
    group: str
    action: str
    also: tuple[str, ...] = ()
    keeps_tenant: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """A place as one person sees it."""

    label: str
    icon: str
    href: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Links under one heading."""

    label: str
    links: tuple[Link, ...]


PLACES = (
    Place("calls", "Calls", "calls", "Traffic", "record.read", ("call",)),
    Place(
        "keys",
        "Keys",
        "key",
        "Access",
        "virtual_key.read",
        ("key", "key_issue", "key_rotate", "key_revoke"),
    ),
    Place(
        "apps",
        "Apps",
        "app",
        "Access",
        "app.read",
        ("app", "app_create", "app_edit", "app_suspend", "app_resume", "app_remove"),
    ),
)
"""In the order of the side bar. The names of the other pages begin with the place's noun."""


def places(actor: Actor) -> list[Place]:
    """Return the places where the actor may go."""
    return [place for place in PLACES if _may(actor, place.action)]


def groups(actor: Actor, current: str, tenant: str) -> list[Group]:
    """Return the side bar for a page; `tenant` is the one that lists are narrowed to, if any."""
    found: dict[str, list[Link]] = {}
    for place in places(actor):
        is_current = current == place.name or current in place.also
        link = Link(place.label, place.icon, address(place, tenant), is_current)
        found.setdefault(place.group, []).append(link)
    return [Group(label, tuple(links)) for label, links in found.items()]


def first(actor: Actor) -> str | None:
    """Return the address of the first place where the actor may go, or None."""
    return next((reverse(place.name) for place in places(actor)), None)


def address(place: Place, tenant: str) -> str:
    """Return the address of a place, narrowed to a tenant where it can be."""
    query = f"?{urlencode({'tenant': tenant})}" if tenant and place.keeps_tenant else ""
    return reverse(place.name) + query


def page_names(found: Iterable[Place] = PLACES) -> set[str]:
    """Return the names of all pages that belong to a place."""
    return {name for place in found for name in (place.name, *place.also)}


def _may(actor: Actor, action: str) -> bool:
    return can(actor, action, None) or tenants_where(actor, action) != frozenset()
