"""The demo organisation: tenants with apps, people, keys and budgets, by the real services."""

import datetime
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor, command
from audit.models import Event
from gateway.declaration.apply import apply_file
from gateway.demo.profiles import PROFILES, Profile
from gateway.envelope import key_pepper
from gateway.publish import publish
from tenants.models import App, Budget, Membership, Role, Tenant, User, VirtualKey
from tenants.services.budgets import budget_create
from tenants.services.keys import virtual_key_issue, virtual_key_revoke
from tenants.services.people import membership_grant, user_create

FILE = Path(__file__).with_name("organisation.yaml")
ACTOR = command("demo")
TENANTS = tuple(dict.fromkeys(profile.tenant for profile in PROFILES))
MEAN_COST_MICROS = {"meridian": 570, "harbour": 420}
RESEARCH_COST_MICROS = 1100
LEAST_MICROS = 50_000
ALERTS = (Decimal("0.5"), Decimal("0.8"), Decimal(1))


@dataclass(frozen=True, slots=True)
class Organisation:
    """What there is to call with. `keys` stand in the order of the profiles."""

    tenants: tuple[Tenant, ...]
    keys: tuple[VirtualKey, ...]
    people: tuple[str, ...]
    password: str | None


def set_up(calls: int, days: int, since: datetime.datetime, now: datetime.datetime) -> Organisation:
    """Make the organisation, or complete it; raise ValidationError where a name is another's.

    Budgets are cut to what so many calls cost, so that some of them meet one.
    """
    _check_ours()
    apply_file(FILE, os.environ, actor=ACTOR)
    tenants = tuple(Tenant.objects.get(name=name, state="active") for name in TENANTS)
    with transaction.atomic():
        for tenant in tenants:
            _budgets(tenant, calls, days)
        people, password = _people(tenants[0])
        keys = tuple(_key(ACTOR, profile, since, now) for profile in PROFILES)
    for tenant in tenants:
        publish(tenant.id)
    return Organisation(tenants, keys, people, password)


def _check_ours() -> None:
    present = Tenant.objects.filter(name__in=TENANTS).exclude(state=Tenant.State.REMOVED)
    for tenant in present:
        made = Event.objects.filter(action="tenant.create", object_id=str(tenant.pk))
        if not made.filter(actor_kind=ACTOR.kind, actor=ACTOR.name).exists():
            raise ValidationError(
                f"the tenant {tenant.name} was not made by demo: it and all else are left alone"
            )


def _budgets(tenant: Tenant, calls: int, days: int) -> None:
    share = sum(profile.weight for profile in PROFILES if profile.tenant == tenant.name)
    whole = int(1.3 * calls * share * MEAN_COST_MICROS[tenant.name])
    _budget(tenant, "month", whole, window="month", alert_at=ALERTS)
    if tenant.name == PROFILES[2].tenant:
        app = App.objects.get(tenant=tenant, name=PROFILES[2].app, state="active")
        a_day = int(1.2 * calls * PROFILES[2].weight * RESEARCH_COST_MICROS / days)
        _budget(tenant, "research-day", a_day, window="day", app=app)


def _budget(
    tenant: Tenant,
    name: str,
    limit_micros: int,
    window: str,
    app: App | None = None,
    alert_at: Sequence[Decimal] = (),
) -> None:
    if not Budget.objects.filter(tenant=tenant, name=name, is_active=True).exists():
        budget_create(
            actor=ACTOR,
            tenant=tenant,
            name=name,
            limit_micros=max(LEAST_MICROS, limit_micros // 10_000 * 10_000),
            currency="USD",
            window=window,
            app=app,
            alert_at=list(alert_at),
        )


def _people(tenant: Tenant) -> tuple[tuple[str, ...], str | None]:
    """Make somebody for each role; the password, the same for all, is told in the run that does."""
    emails, password, made = [], secrets.token_urlsafe(18), False
    for role in Role.values:
        email = f"{role.replace('_', '-')}@{tenant.name}.example"
        emails.append(email)
        user = User.objects.filter(email=email).first()
        if user is None:
            name = role.replace("_", " ").capitalize()
            user, made = user_create(actor=ACTOR, email=email, password=password, name=name), True
        if not Membership.objects.filter(user=user, tenant=tenant, role=role).exists():
            membership_grant(actor=ACTOR, tenant=tenant, user=user, role=role)
    return tuple(emails), password if made else None


def _key(
    actor: Actor, profile: Profile, since: datetime.datetime, now: datetime.datetime
) -> VirtualKey:
    """Return the key of a profile, as old as its calls; one whose time is over is revoked."""
    app = App.objects.get(tenant__name=profile.tenant, name=profile.app, state="active")
    found = VirtualKey.objects.filter(app=app, name=profile.key).order_by("-created_at").first()
    if found is not None:
        return found
    pepper = key_pepper(settings.GATEHOUSE.kek)
    key, _ = virtual_key_issue(actor=actor, app=app, name=profile.key, pepper=pepper)
    issued = since + (now - since) * profile.since
    VirtualKey.objects.filter(pk=key.pk).update(created_at=issued)
    if profile.until < 1:
        virtual_key_revoke(actor=actor, key=key, reason="replaced by the production key")
        ended = since + (now - since) * profile.until
        VirtualKey.objects.filter(pk=key.pk).update(revoked_at=ended)
    return key
