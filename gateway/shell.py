"""What the frame of every page shows: the way around, the tenants, the theme."""

from typing import Any

from django.http import HttpRequest

from audit.actor import Actor
from gateway import navigation
from tenants.selectors import tenants_visible

THEMES = ("system", "light", "dark")
THEME_COOKIE = "gatehouse-theme"
TENANTS_SHOWN = 100


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return what the frame needs; without an actor there is no frame, only the theme."""
    content: dict[str, Any] = {"theme": theme_of(request), "themes": THEMES}
    actor = getattr(request, "actor", None)
    if not isinstance(actor, Actor):
        return content
    match = request.resolver_match
    current = "" if match is None else match.url_name or ""
    tenant = request.GET.get("tenant", "")
    seen = getattr(request, "tenants_seen", None)
    tenants = tenants_visible(actor)[:TENANTS_SHOWN] if seen is None else seen[:TENANTS_SHOWN]
    names = [each.name for each in tenants]
    return content | {
        "actor": actor,
        "navigation": navigation.groups(actor, current, tenant),
        "tenant_names": names,
        "tenant_chosen": tenant if tenant in names else "",
        "switch_to": request.path if _is_list(current) else "",
    }


def theme_of(request: HttpRequest) -> str:
    """Return the theme that the browser keeps for the person."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return theme if theme in THEMES else "system"


def _is_list(page: str) -> bool:
    return any(place.name == page and place.keeps_tenant for place in navigation.PLACES)
