"""What `manage.py policy publish` does: a text in force, and attached, or nothing changed."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from policies.models import Attachment, Policy
from policies.pdp.language import parse_document
from policies.services.attachments import policy_attach
from policies.services.policies import policy_create, policy_publish
from policies.vocabulary import known_kinds
from tenants.models import App, Tenant
from tenants.selectors import app_named, tenants_visible


@dataclass(frozen=True, slots=True)
class Place:
    """Where a policy shall hold besides where it does: nowhere more, unless something is named."""

    tenant: str = ""
    app: str = ""
    platform: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it. Not `changed`: the text was in force already."""

    policy: str
    version: int
    hash: str
    changed: bool
    attached: bool

    def written(self) -> dict[str, Any]:
        """Return it as a script reads it."""
        return {
            "policy": self.policy,
            "version": self.version,
            "hash": self.hash,
            "changed": self.changed,
            "attached": self.attached,
        }


@transaction.atomic
def publish_text(actor: Actor, source: str, place: Place, reason: str) -> Published:
    """Freeze a text and bring it into force, and attach its policy; raise PolicyError or
    ValidationError where any of it cannot be."""
    document = parse_document(source, known_kinds())
    tenant, app = _named(actor, place)
    policy = Policy.objects.select_related("active").filter(name=document.name).first()
    if policy is None:
        policy = policy_create(actor=actor, name=document.name, reason=reason)
    before = policy.active_id
    version = policy_publish(actor=actor, policy=policy, source=source, reason=reason)
    is_attached = False
    if place != Place():
        held = Attachment.objects.filter(policy=policy, tenant=tenant, app=app)
        if not held.exists():
            policy_attach(actor=actor, policy=policy, tenant=tenant, app=app, reason=reason)
            is_attached = True
    return Published(policy.name, version.number, version.hash, version.pk != before, is_attached)


def _named(actor: Actor, place: Place) -> tuple[Tenant | None, App | None]:
    if not place.tenant:
        return None, None
    tenant = tenants_visible(actor).filter(name=place.tenant).first()
    if tenant is None:
        raise ValidationError(f"there is no tenant {place.tenant}")
    app = app_named(place.tenant, place.app) if place.app else None
    if place.app and app is None:
        raise ValidationError(f"there is no app {place.app} of the tenant {place.tenant}")
    return tenant, app
