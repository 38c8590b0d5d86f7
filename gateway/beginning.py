"""From nothing to a first key in one go: a provider, a model, a tenant, an app, a policy, a key.

Each part is made by its own service, with its own event; all of them are there, or none.
"""

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from gateway.envelope import key_pepper
from gateway.models import Provider, Route
from gateway.services.providers import credential_set, provider_create
from gateway.services.routes import deployment_create, route_create
from policies.models import Policy
from policies.services.attachments import policy_attach
from policies.services.policies import policy_create, policy_publish
from tenants.keys import IssuedKey
from tenants.models import Tenant, VirtualKey
from tenants.services.apps import app_create
from tenants.services.keys import virtual_key_issue
from tenants.services.tenants import tenant_create

STARTER = "starter"
STARTER_FILE = Path(__file__).with_name("demo") / "starter.yaml"
REASON = "the first steps"
KEY_LASTS = datetime.timedelta(days=90)
MODELS = {Provider.Dialect.OPENAI: "gpt-4o-mini", Provider.Dialect.SIMULATED: "simulated"}
"""What a dialect serves where nobody says which model."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is to be made. An empty secret: none is sent."""

    dialect: str
    base_url: str
    allow_private: bool
    secret: str
    model: str
    tenant: str
    app: str
    key: str


@transaction.atomic
def begin(actor: Actor, wanted: Beginning) -> tuple[VirtualKey, IssuedKey]:
    """Make all of it and return the key with its secret; what a service refuses, it raises."""
    route = _served(actor, wanted)
    tenant = tenant_create(actor=actor, name=wanted.tenant, reason=REASON)
    policy_attach(actor=actor, policy=_starter(actor), tenant=tenant, reason=REASON)
    app = app_create(
        actor=actor, tenant=tenant, name=wanted.app, models=[route.name], reason=REASON
    )
    pepper = key_pepper(settings.GATEHOUSE.kek)
    return virtual_key_issue(
        actor=actor,
        app=app,
        name=wanted.key,
        pepper=pepper,
        reason=REASON,
        expires_at=timezone.now() + KEY_LASTS,
    )


def free_tenant_name(stem: str) -> str:
    """Return a name that no tenant has: the stem, or the stem and a number."""
    live = Tenant.objects.exclude(state=Tenant.State.REMOVED)
    return _free(stem, set(live.filter(name__startswith=stem).values_list("name", flat=True)))


def _served(actor: Actor, wanted: Beginning) -> Route:
    names = Provider.objects.filter(name__startswith=wanted.dialect).values_list("name", flat=True)
    is_simulated = wanted.dialect == Provider.Dialect.SIMULATED
    provider = provider_create(
        actor=actor,
        name=_free(wanted.dialect, set(names)),
        dialect=wanted.dialect,
        base_url="" if is_simulated else wanted.base_url,
        allow_private=wanted.allow_private and not is_simulated,
        reason=REASON,
    )
    if wanted.secret and not is_simulated:
        credential_set(actor=actor, provider=provider, secret=wanted.secret, reason=REASON)
    model = wanted.model or MODELS[Provider.Dialect(wanted.dialect)]
    route = route_create(actor=actor, name=model, reason=REASON)
    deployment_create(actor=actor, route=route, provider=provider, model=model, reason=REASON)
    return route


def _starter(actor: Actor) -> Policy:
    """Return the policy to start from: the one that stands under this name, or a new one."""
    found = Policy.objects.filter(name=STARTER).exclude(active=None).first()
    if found is not None:
        return found
    policy = Policy.objects.filter(name=STARTER).first()
    policy = policy or policy_create(actor=actor, name=STARTER, reason=REASON)
    policy_publish(actor=actor, policy=policy, source=STARTER_FILE.read_text(), reason=REASON)
    return policy


def _free(stem: str, taken: Collection[str]) -> str:
    numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (stem, *numbered) if name not in taken)
