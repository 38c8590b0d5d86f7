"""How far the installation is set up: computed from what is there, not from what was clicked."""

from dataclasses import dataclass

from django.db.models import Q

from audit.actor import Actor
from audit.selectors import records_visible
from gateway.models import Deployment
from policies.selectors import attachments
from tenants.models import VirtualKey
from tenants.permissions import can, tenants_where
from tenants.selectors import budgets_visible, keys_visible


@dataclass(frozen=True, slots=True)
class Step:
    """One step: whether it is done, and the page where it is done."""

    label: str
    why: str
    page: str
    action: str
    is_done: bool
    is_live: bool = False


def steps(actor: Actor) -> list[Step]:
    """Return the steps in their order, as far as the actor sees what they come to."""
    ids = tenants_where(actor, "policy.read")
    held = attachments().exclude(policy__active=None)
    seen = Q(tenant=None) | Q(tenant_id__in=ids or ())
    policies = held if ids is None else held.filter(seen)
    keys = keys_visible(actor).filter(state=VirtualKey.State.ACTIVE)
    return [
        Step(
            "Connect a provider",
            "and let it serve a model",
            "provider_start" if can(actor, "platform.read", None) else "",
            "Connect",
            Deployment.objects.exists(),
        ),
        Step(
            "Publish a policy",
            "and attach it: without one that permits, every call is refused",
            "policies",
            "Open policies",
            policies.exists(),
        ),
        Step(
            "Issue a key",
            "for an app; its secret is shown once",
            "key_issue",
            "Issue a key",
            keys.exists(),
        ),
        Step(
            "See the first call",
            "make it with the key: this page notices by itself",
            "calls",
            "Open calls",
            records_visible(actor).exists(),
            is_live=True,
        ),
        Step(
            "Set a budget",
            "so that nothing can cost more than you mean",
            "budget_create",
            "Create a budget",
            budgets_visible(actor).exists(),
        ),
    ]


def sets_up(actor: Actor) -> bool:
    """Return whether setting up is the actor's affair."""
    return tenants_where(actor, "app.create") != frozenset()
