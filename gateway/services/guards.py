"""Writes to a tenant's guards, and to the secrets that sign what they are sent."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import alter, delete, insert, note
from gateway.guards import sealing
from gateway.guards.contract import SECRET_MAX, SECRET_MIN
from gateway.guards.models import Guard, GuardSecret
from gateway.guards.trial import SAMPLE, TEXT_MAX, Trial, tried
from gateway.origins import OriginError, base_url
from policies.vocabulary import known_kinds
from tenants.changes import tenant_change
from tenants.models import Tenant
from tenants.permissions import can
from tenants.revisions import tenant_changed

GUARDS_MAX = 8
"""Guards of one tenant: all that are concerned are asked in each call."""


class GuardFields(TypedDict, total=False):
    """What can be said of a guard besides its name: see `bundle.Guard`."""

    url: str
    allow_private: bool
    kinds: Sequence[str]
    phases: Sequence[str]
    deadline_ms: int
    tells_user: bool
    redacted: bool
    cache: bool


@transaction.atomic
def guard_create(
    *,
    actor: Actor,
    tenant: Tenant,
    name: str,
    secret: str,
    reason: str = "",
    **fields: Unpack[GuardFields],
) -> Guard:
    """Create a guard, which is asked once a rule depends on its kinds; `secret` signs."""
    change = tenant_change(actor, "guard.create", tenant, reason)
    guard = Guard(tenant=tenant, name=name, **fields)
    _check(guard)
    _check_address(actor, guard, moved=guard.allow_private)
    _check_secret(secret)
    if Guard.objects.filter(tenant=tenant).count() >= GUARDS_MAX:
        raise ValidationError({"tenant": f"a tenant has at most {GUARDS_MAX} guards"})
    insert(change, guard)
    sealing.sealed(guard, secret).save(force_insert=True)
    tenant_changed(tenant.id)
    return guard


@transaction.atomic
def guard_update(
    *, actor: Actor, guard: Guard, reason: str = "", **fields: Unpack[GuardFields]
) -> bool:
    """Change a guard; False where nothing differed."""
    change = tenant_change(actor, "guard.update", guard.tenant, reason)
    stored = Guard.objects.select_related("tenant").get(pk=guard.pk)
    before = stored.url, stored.allow_private
    for field, value in fields.items():
        setattr(stored, field, value)
    _check(stored)
    _check_address(actor, stored, moved=before != (stored.url, stored.allow_private))
    changed = alter(change, guard, fields)
    if changed:
        tenant_changed(guard.tenant_id)
    return changed


@transaction.atomic
def guard_remove(*, actor: Actor, guard: Guard, reason: str = "") -> None:
    """Delete a guard and its secrets: nobody looks for its kinds any more."""
    change = tenant_change(actor, "guard.remove", guard.tenant, reason)
    GuardSecret.objects.filter(guard=guard).delete()
    delete(change, guard)
    tenant_changed(guard.tenant_id)


def guard_test(*, actor: Actor, guard: Guard, text: str = SAMPLE, reason: str = "") -> Trial:
    """Send a sample text to a guard; say what it found. The text itself is kept nowhere."""
    if not 0 < len(text) <= TEXT_MAX:
        raise ValidationError({"text": f"a sample is 1 to {TEXT_MAX:,} characters"})
    with transaction.atomic():
        change = tenant_change(actor, "guard.test", guard.tenant, reason)
    result = tried(guard, text)
    with transaction.atomic():
        after = {"ok": result.ok, "detail": result.detail, "latency_ms": result.latency_ms}
        note(change, guard, before=None, after=after)
    return result


@transaction.atomic
def guard_secret_set(*, actor: Actor, guard: Guard, secret: str, reason: str = "") -> GuardSecret:
    """Seal a new secret. The one before signs beside it until it is retired; older ones go."""
    change = tenant_change(actor, "guard_secret.set", guard.tenant, reason)
    _check_secret(secret)
    for old in sealing.held(guard)[1:]:
        old.delete()
    row = sealing.sealed(guard, secret)
    insert(change, row)
    tenant_changed(guard.tenant_id)
    return row


@transaction.atomic
def guard_secret_retire(*, actor: Actor, guard: Guard, reason: str = "") -> bool:
    """Destroy the secret before the newest; False where there is but one."""
    change = tenant_change(actor, "guard_secret.retire", guard.tenant, reason)
    former = sealing.held(guard)[1:]
    for old in former:
        delete(change, old)
    if former:
        tenant_changed(guard.tenant_id)
    return bool(former)


def _check(guard: Guard) -> None:
    try:
        base_url(guard.url, allow_private=guard.allow_private)
    except OriginError as error:
        raise ValidationError({"url": str(error)}) from None
    for field in ("kinds", "phases"):
        said = list(getattr(guard, field))
        if not said:
            raise ValidationError({field: "at least one is needed"})
        if len(set(said)) < len(said):
            raise ValidationError({field: "one stands there twice"})
    taken = sorted(known_kinds().intersection(guard.kinds))
    if taken:
        hint = f"{taken[0]} is what our own detectors find already: choose another name"
        raise ValidationError({"kinds": hint})


def _check_address(actor: Actor, guard: Guard, *, moved: bool) -> None:
    """Refuse to reach into a private network unless whoever runs the installation wants it."""
    if moved and guard.allow_private and not can(actor, "platform.read", None):
        said = "only the owner of the installation says where a private address may be"
        raise ValidationError({"allow_private": said})


def _check_secret(secret: str) -> None:
    if not (secret.isascii() and secret.isprintable() and SECRET_MIN <= len(secret) <= SECRET_MAX):
        said = f"a secret is {SECRET_MIN} to {SECRET_MAX} printable ASCII characters"
        raise ValidationError({"secret": said})
