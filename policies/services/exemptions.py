"""Writes to exemptions: rules that do not hold for some calls, for a time and a reason."""

import datetime
from collections.abc import Collection

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, alter, insert
from policies.clearance import wanting_review
from policies.identity import identity, joined
from policies.models import Exemption
from policies.pdp.decision import DEFAULT_RULE
from policies.pdp.language import load_canonical
from policies.pdp.problem import closest
from policies.selectors import Attached, attached, attached_to_platform
from tenants.changes import platform_change, tenant_change
from tenants.models import App, Tenant, VirtualKey
from tenants.permissions import can, require
from tenants.revisions import platform_changed, tenant_changed

LONGEST = datetime.timedelta(days=90)
MOST = 50
"""So many exemptions of one tenant hold at a time at most: each is told in every record."""


@transaction.atomic
def exemption_grant(  # noqa: PLR0913  (keyword-only: what an exemption is)
    *,
    actor: Actor,
    tenant: Tenant | None,
    name: str,
    rules: Collection[str],
    expires_at: datetime.datetime,
    reason: str,
    apps: Collection[str] = (),
    keys: Collection[str] = (),
) -> Exemption:
    """Let rules not hold for some calls of a tenant (None: of every tenant) before an instant.

    A rule of a policy that holds for the platform is only the platform's owner's to exempt from.
    Where a text takes a second person, so does this: it holds once somebody else approves it.
    """
    change = _change(actor, "exemption.grant", tenant, reason)
    if not reason.strip():
        raise ValidationError({"reason": "an exemption takes a reason"})
    expires_at = expires_at.replace(microsecond=0)
    if not timezone.now() < expires_at <= timezone.now() + LONGEST:
        raise ValidationError({"expires_at": f"within the next {LONGEST.days} days"})
    held = attached_to_platform() if tenant is None else attached(tenant)
    _check_rules(held, rules)
    if any(rule.partition("/")[0] in held.platform for rule in rules):
        require(actor, "exemption.grant", None)
    _check_callers(tenant, apps, keys)
    exemption = Exemption(
        tenant=tenant,
        name=name,
        rules=sorted(set(rules)),
        apps=sorted(set(apps)),
        keys=sorted(set(keys)),
        reason=reason,
        by_platform=can(actor, "exemption.grant", None),
        author=actor.name,
        authors=joined([], actor),
        expires_at=expires_at,
        holds_since=None if _waits_for_another(actor, tenant) else timezone.now(),
    )
    _check_room(tenant)
    insert(change, exemption)
    if exemption.holds_since:
        _heard(tenant)
    return exemption


@transaction.atomic
def exemption_approve(*, actor: Actor, exemption: Exemption, reason: str = "") -> Exemption:
    """Let an exemption hold that waits for a second person; it takes one who did not ask for it."""
    change = _change(actor, "exemption.approve", exemption.tenant, reason)
    exemption = Exemption.objects.select_for_update(of=("self",)).get(pk=exemption.pk)
    if actor.kind == "application":
        raise PermissionDenied("an exemption is approved by a person, not by an application")
    if identity(actor) in exemption.authors:
        raise PermissionDenied("whoever asked for an exemption does not approve it")
    if exemption.revoked_at is not None or exemption.expires_at <= timezone.now():
        raise ValidationError({"exemption": "it is over already"})
    if exemption.holds_since is not None:
        raise ValidationError({"exemption": "it holds already"})
    tenant = exemption.tenant
    held = attached_to_platform() if tenant is None else attached(tenant)
    _check_rules(held, exemption.rules)
    if any(rule.partition("/")[0] in held.platform for rule in exemption.rules):
        require(actor, "exemption.approve", None)  # what the owner's text says, they let go
    values = {
        "approver": actor.name,
        "approver_identity": identity(actor),
        "holds_since": timezone.now(),
    }
    alter(change, exemption, values)
    _heard(tenant)
    return exemption


@transaction.atomic
def exemption_revoke(*, actor: Actor, exemption: Exemption, reason: str = "") -> bool:
    """Let the rules hold again before the instant, or turn down what waits; False where it was."""
    change = _change(actor, "exemption.revoke", exemption.tenant, reason)
    if exemption.revoked_at is not None:
        return False
    changed = alter(change, exemption, {"revoked_at": timezone.now()})
    if exemption.holds_since is not None:
        _heard(exemption.tenant)
    return changed


def _waits_for_another(actor: Actor, tenant: Tenant | None) -> bool:
    """Return whether what the actor grants there holds only once somebody else approves it."""
    return not actor.is_operator and bool(wanting_review([tenant]))


def _change(actor: Actor, action: str, tenant: Tenant | None, reason: str) -> Change:
    if tenant is None:
        return platform_change(actor, action, reason)
    return tenant_change(actor, action, tenant, reason)


def _heard(tenant: Tenant | None) -> None:
    if tenant is None:
        platform_changed()
    else:
        tenant_changed(tenant.id)


def _check_rules(held: Attached, rules: Collection[str]) -> None:
    """Raise unless every rule is one of a policy that holds there."""
    if not rules:
        raise ValidationError({"rules": "name one rule at least, as policy/rule"})
    known = {
        f"{name}/{rule}"
        for name, version in (*held.versions.items(), *held.candidates.items())
        for rule in (
            *(rule.id for rule in load_canonical(version.canonical.encode()).rules),
            DEFAULT_RULE,
        )
    }
    for rule in rules:
        if rule not in known:
            hint = closest(rule, known)
            said = f'no rule "{rule}" holds there' + (f": {hint}" if hint else "")
            raise ValidationError({"rules": said})


def _check_callers(tenant: Tenant | None, apps: Collection[str], keys: Collection[str]) -> None:
    """Raise unless the apps and keys are the tenant's."""
    if tenant is None:
        if apps or keys:
            raise ValidationError({"apps": "apps and keys are a tenant's: name it"})
        return
    known = App.objects.filter(tenant=tenant).exclude(state=App.State.REMOVED)
    names = set(known.values_list("name", flat=True))
    for name in apps:
        if name not in names:
            said = " ".join(filter(None, (f'there is no app "{name}"', closest(name, names))))
            raise ValidationError({"apps": said})
    owned = VirtualKey.objects.filter(tenant=tenant, public_id__in=keys)
    for key in set(keys) - set(owned.values_list("public_id", flat=True)):
        raise ValidationError({"keys": f'there is no key "{key}"'})


def _check_room(tenant: Tenant | None) -> None:
    active = Exemption.objects.filter(tenant=tenant, revoked_at=None, expires_at__gt=timezone.now())
    if active.count() >= MOST:
        raise ValidationError({"name": f"{MOST} exemptions hold already: revoke one first"})
