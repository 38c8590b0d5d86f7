"""Where the console leads: one registry for the side bar, the palette and the first page."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from audit.actor import Actor
from tenants.models import Tenant
from tenants.permissions import can, tenants_where


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the console: `action` is what it takes; its pages are named by its noun.

    `keeps_tenant`: its list can be narrowed to one tenant.
    """

    name: str
    label: str
    icon: str
    group: str
    action: str
    noun: str
    verbs: str = ""
    keeps_tenant: bool = True

    @property
    def pages(self) -> frozenset[str]:
        """The names of its pages: the list, one thing of it, and what is done with it."""
        verbs = (f"{self.noun}_{verb}" for verb in self.verbs.split())
        return frozenset((self.name, self.noun, *verbs))


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
    Place("overview", "Overview", "overview", "Traffic", "usage.read", "overview", "notices"),
    Place("usage", "Usage and cost", "usage", "Traffic", "usage.read", "usage", "table"),
    Place("calls", "Calls", "calls", "Traffic", "record.read", "call", "mark"),
    Place(
        "keys",
        "Keys",
        "key",
        "Access",
        "virtual_key.read",
        "key",
        "issue rotate revoke revoke_several",
    ),
    Place(
        "apps",
        "Apps",
        "app",
        "Access",
        "app.read",
        "app",
        "create edit purge transform suspend resume remove",
    ),
    Place(
        "members",
        "Members",
        "members",
        "Access",
        "membership.read",
        "member",
        "add grant revoke remove",
    ),
    Place(
        "tenants",
        "Tenants",
        "tenant",
        "Access",
        "tenant.read",
        "tenant",
        "create edit detectors purge suspend resume remove",
        keeps_tenant=False,
    ),
    Place(
        "policies",
        "Policies",
        "policy",
        "Control",
        "policy.read",
        "policy",
        "create publish diff version attach detach keep draft begin judge discard ask release "
        "emergency activate schedule try unschedule rollout widen stop promote reviews review "
        "review_rules review_rule_set review_rule_unset rebase "
        "backtest backtested backtest_cancel sample",
    ),
    Place(
        "exemptions",
        "Exemptions",
        "exemption",
        "Control",
        "policy.read",
        "exemption",
        "create approve revoke",
    ),
    Place("budgets", "Budgets", "budget", "Control", "budget.read", "budget", "create edit remove"),
    Place("limits", "Limits", "limit", "Control", "rate_limit.read", "limit", "create edit remove"),
    Place(
        "guards",
        "Guards",
        "guard",
        "Control",
        "guard.read",
        "guard",
        "create edit secret retire test remove",
    ),
    Place(
        "providers",
        "Providers",
        "provider",
        "Catalogue",
        "platform.read",
        "provider",
        "create start edit credential forget test remove",
        keeps_tenant=False,
    ),
    Place(
        "models",
        "Models",
        "model",
        "Catalogue",
        "platform.read",
        "model",
        "create edit cache transform plan remove price deploy rank retire reprice price_deployment "
        "reprice_deployment",
        keeps_tenant=False,
    ),
    Place(
        "services",
        "Services",
        "service",
        "Catalogue",
        "platform.read",
        "service",
        "create edit credential forget remove",
        keeps_tenant=False,
    ),
    Place("events", "Audit events", "event", "Evidence", "event.read", "event"),
    Place(
        "exports",
        "Exports",
        "export",
        "Evidence",
        "export.read",
        "export",
        "create download file",
    ),
    Place("jobs", "Jobs", "job", "Evidence", "job.read", "job", "cancel"),
    Place(
        "system",
        "System",
        "system",
        "Evidence",
        "platform.read",
        "system",
        keeps_tenant=False,
    ),
)
"""In the order of the side bar."""


def places(actor: Actor) -> list[Place]:
    """Return the places where the actor may go."""
    return [place for place in PLACES if _may(actor, place.action)]


def groups(actor: Actor, current: str, tenant: str) -> list[Group]:
    """Return the side bar for a page; `tenant` is the one that lists are narrowed to, if any."""
    found: dict[str, list[Link]] = {}
    for place in places(actor):
        is_current = current in place.pages
        link = Link(place.label, place.icon, address(place, tenant), is_current)
        found.setdefault(place.group, []).append(link)
    return [Group(label, tuple(links)) for label, links in found.items()]


def of_tenant(actor: Actor, tenant: Tenant) -> list[Link]:
    """Return the ways to the lists of one tenant."""
    return [
        Link(place.label, place.icon, address(place, tenant.name), is_current=False)
        for place in PLACES
        if place.keeps_tenant and can(actor, place.action, tenant)
    ]


def first(actor: Actor) -> str | None:
    """Return the address of the first place where the actor may go, or None."""
    return next((reverse(place.name) for place in places(actor)), None)


def address(place: Place, tenant: str) -> str:
    """Return the address of a place, narrowed to a tenant where it can be."""
    query = f"?{urlencode({'tenant': tenant})}" if tenant and place.keeps_tenant else ""
    return reverse(place.name) + query


def page_names() -> set[str]:
    """Return the names of all pages that belong to a place."""
    return {name for place in PLACES for name in place.pages}


def _may(actor: Actor, action: str) -> bool:
    return can(actor, action, None) or tenants_where(actor, action) != frozenset()
