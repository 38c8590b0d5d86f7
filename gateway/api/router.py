"""The one list of what the management API offers. A new noun is a line here and its scopes."""

from collections.abc import Mapping
from typing import Any

from django.urls import URLPattern, URLResolver
from rest_framework.routers import SimpleRouter

from audit.api import Events
from audit.rest.resource import Resource
from gateway.access import ATTRIBUTE, Permission
from gateway.api.applications import Applications
from gateway.api.apps import Apps
from gateway.api.backtests import Backtests
from gateway.api.cache import Purges
from gateway.api.calls import Calls
from gateway.api.exports import Exports
from gateway.api.guards import Guards
from gateway.api.jobs import Jobs
from gateway.api.keys import Keys
from gateway.api.prices import Prices
from gateway.api.providers import Providers
from gateway.api.routes import Deployments, Routes
from gateway.api.rules import Rules
from gateway.api.samples import Samples
from gateway.api.services import Services
from gateway.rest.once import once
from policies.api.attachments import Attachments
from policies.api.drafts import Drafts
from policies.api.exemptions import Exemptions
from policies.api.policies import Policies
from policies.api.reviews import ReviewRules, Reviews
from policies.api.rollouts import Rollouts
from policies.api.schedules import Schedules
from tenants.api.budgets import Budgets
from tenants.api.limits import Limits
from tenants.api.members import Members
from tenants.api.people import People
from tenants.api.tenants import Tenants
from tenants.api.usage import Usage

RESOURCES: Mapping[str, type[Resource]] = {
    "apps": Apps,
    "attachments": Attachments,
    "backtests": Backtests,
    "budgets": Budgets,
    "cache-purges": Purges,
    "calls": Calls,
    "deployments": Deployments,
    "drafts": Drafts,
    "events": Events,
    "exemptions": Exemptions,
    "exports": Exports,
    "guards": Guards,
    "jobs": Jobs,
    "keys": Keys,
    "limits": Limits,
    "members": Members,
    "oauth-applications": Applications,
    "people": People,
    "policies": Policies,
    "prices": Prices,
    "providers": Providers,
    "review-rules": ReviewRules,
    "reviews": Reviews,
    "rollouts": Rollouts,
    "routes": Routes,
    "schedules": Schedules,
    "services": Services,
    "rules": Rules,
    "samples": Samples,
    "tenants": Tenants,
    "usage": Usage,
}


class Router(SimpleRouter):
    """Makes the addresses, with or without a slash at the end, and declares who may open them.

    A method that does not stand in its resource's `access` leaves its address undeclared, which is
    closed (gateway/middleware.py).
    """

    routes = [
        route._replace(initkwargs={**route.initkwargs, "once": once})
        for route in SimpleRouter.routes
    ]

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"

    def register(self, prefix: str, viewset: Any, basename: str | None = None) -> None:
        """Take a noun, unless its class leaves open what the actor may read or how it is held."""
        lacking = sorted(getattr(viewset, "__abstractmethods__", ()))
        if lacking:
            raise TypeError(f"{viewset.__name__} does not say: {', '.join(lacking)}")
        super().register(prefix, viewset, basename)

    def get_urls(self) -> list[Any]:
        """Return the addresses."""
        patterns = super().get_urls()
        for pattern in patterns:
            _declare(pattern)
        return patterns


def urls() -> list[URLPattern | URLResolver]:
    """Return the addresses of every resource."""
    router = Router()
    for noun, resource in RESOURCES.items():
        router.register(noun, resource, basename=noun)
    return router.urls


def _declare(pattern: Any) -> None:
    view = pattern.callback
    accesses = {method: view.cls.access.get(name) for method, name in view.actions.items()}
    if all(accesses.values()):
        said = ", ".join(f"{method} {each.action}" for method, each in accesses.items() if each)
        setattr(view, ATTRIBUTE, Permission("api", said))
