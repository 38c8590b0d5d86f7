"""Setting up the demo: a declarative file like any other, an administrator, and a fresh key."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from audit.actor import Actor
from gateway.config import Config
from gateway.declaration.apply import apply_file
from gateway.envelope import key_pepper
from tenants.models import App, Membership, Role, Tenant, User, VirtualKey
from tenants.services.keys import virtual_key_issue, virtual_key_revoke
from tenants.services.people import membership_grant, user_create

FILE = Path(__file__).with_name("gatehouse.yaml")
TENANT, APP, MODEL = "demo", "demo-app", "simulated"
KEY_NAME = "bootstrap"
ADMIN_EMAIL = "admin@localhost.localdomain"


@dataclass(frozen=True, slots=True)
class Seeded:
    """What `bootstrap` made. `password` is None unless this run made the administrator."""

    email: str
    password: str | None
    key: str


def seed(actor: Actor) -> Seeded:
    """Set up the demo, or bring it back to how it began; every run replaces the demo key."""
    apply_file(FILE, os.environ, actor=actor)
    tenant = Tenant.objects.get(name=TENANT, state=Tenant.State.ACTIVE)
    with transaction.atomic():
        password = _administrator(actor, tenant)
        key = _fresh_key(actor, tenant)
    return Seeded(ADMIN_EMAIL, password, key)


def _administrator(actor: Actor, tenant: Tenant) -> str | None:
    """Make the owner of the demo tenant; the installation's own owner comes by the set-up link."""
    user, password = User.objects.filter(email=ADMIN_EMAIL).first(), None
    if user is None:
        password = secrets.token_urlsafe(18)
        user = user_create(
            actor=actor, email=ADMIN_EMAIL, password=password, name="Demo administrator"
        )
    if not Membership.objects.filter(user=user, tenant=tenant, role=Role.OWNER).exists():
        membership_grant(actor=actor, tenant=tenant, user=user, role=Role.OWNER)
    return password


def _fresh_key(actor: Actor, tenant: Tenant) -> str:
    config: Config = settings.GATEHOUSE
    app = App.objects.get(tenant=tenant, name=APP, state=App.State.ACTIVE)
    former = VirtualKey.objects.filter(app=app, name=KEY_NAME, state=VirtualKey.State.ACTIVE)
    for key in former:
        virtual_key_revoke(actor=actor, key=key, reason="replaced by a new run of bootstrap")
    _, issued = virtual_key_issue(
        actor=actor, app=app, name=KEY_NAME, pepper=key_pepper(config.kek)
    )
    return issued.secret
