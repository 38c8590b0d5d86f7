"""Writes to virtual keys. A secret is returned once, by the call that makes it."""

import datetime
import secrets
from typing import TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.actor import Actor
from audit.services import alter, insert, note
from tenants import keys
from tenants.changes import tenant_change
from tenants.keys import IssuedKey, KeyPepper
from tenants.models import App, Budget, RateLimit, VirtualKey
from tenants.revisions import tenant_changed, tenant_heard

OVERLAP_MAX_S = 7 * 24 * 3600


class KeyFields(TypedDict, total=False):
    """When a key ends, and the one end user that it is bound to, if any."""

    expires_at: datetime.datetime | None
    user: str


@transaction.atomic
def virtual_key_issue(
    *,
    actor: Actor,
    app: App,
    name: str,
    pepper: KeyPepper,
    reason: str = "",
    **fields: Unpack[KeyFields],
) -> tuple[VirtualKey, IssuedKey]:
    """Make a new key for an app."""
    change = tenant_change(actor, "virtual_key.issue", app.tenant, reason)
    if App.objects.get(pk=app.pk).state == App.State.REMOVED:
        raise ValidationError({"app": f"the app {app.name} has been removed"})
    expires_at = fields.get("expires_at")
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": "a key cannot expire in the past"})
    issued = keys.issue(secrets.token_bytes(keys.RANDOM_BYTES), pepper)
    key = _key(app, name, issued, fields)
    insert(change, key)
    return key, issued


@transaction.atomic
def virtual_key_rotate(
    *, actor: Actor, key: VirtualKey, pepper: KeyPepper, overlap_s: int = 0, reason: str = ""
) -> tuple[VirtualKey, IssuedKey]:
    """Replace a key: a new secret at once, the old one good for `overlap_s` seconds more.

    A key with a budget or limit of its own rotates without overlap, or two keys would share what
    was meant for one.
    """
    change = tenant_change(actor, "virtual_key.rotate", key.tenant, reason)
    old = VirtualKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    now = timezone.now()
    _check_rotation(old, now, overlap_s)
    issued = keys.issue(secrets.token_bytes(keys.RANDOM_BYTES), pepper)
    new = _key(old.app, old.name, issued, {"user": old.user, "expires_at": old.expires_at})
    new.rotated_from = old
    new.full_clean()
    new.save(force_insert=True)
    _end_after(old, now, overlap_s)
    if _has_own(old):
        for owned in (Budget.objects, RateLimit.objects):
            owned.filter(key=old).update(key=new)
        tenant_changed(old.tenant_id)
    else:
        tenant_heard(old.tenant_id)
    note(
        change,
        new,
        before={"public_id": old.public_id},
        after={"public_id": new.public_id, "overlap_s": overlap_s},
    )
    return new, issued


@transaction.atomic
def virtual_key_revoke(*, actor: Actor, key: VirtualKey, reason: str = "") -> bool:
    """Revoke a key: no worker accepts it a second later. False where it was revoked already."""
    change = tenant_change(actor, "virtual_key.revoke", key.tenant, reason)
    if VirtualKey.objects.get(pk=key.pk).state == VirtualKey.State.REVOKED:
        return False
    alter(change, key, {"state": VirtualKey.State.REVOKED, "revoked_at": timezone.now()})
    tenant_heard(key.tenant_id)
    return True


def keys_revoke_all(keys: QuerySet[VirtualKey]) -> list[str]:
    """Revoke keys whose owner goes, within its change; return their public ids for its event."""
    active = keys.filter(state=VirtualKey.State.ACTIVE)
    revoked = sorted(active.values_list("public_id", flat=True))
    active.update(state=VirtualKey.State.REVOKED, revoked_at=timezone.now())
    return revoked


def _key(app: App, name: str, issued: IssuedKey, fields: KeyFields) -> VirtualKey:
    return VirtualKey(
        tenant_id=app.tenant_id,
        app=app,
        name=name,
        public_id=issued.public_id,
        digest=issued.digest,
        **fields,
    )


def _check_rotation(old: VirtualKey, now: datetime.datetime, overlap_s: int) -> None:
    if old.state == VirtualKey.State.REVOKED:
        raise ValidationError({"key": "a revoked key cannot be rotated: issue a new one"})
    if old.expires_at is not None and old.expires_at <= now:
        raise ValidationError({"key": "an expired key cannot be rotated: issue a new one"})
    if not 0 <= overlap_s <= OVERLAP_MAX_S:
        raise ValidationError({"overlap_s": f"an overlap is 0 to {OVERLAP_MAX_S} seconds"})
    if overlap_s and _has_own(old):
        raise ValidationError(
            {"overlap_s": "a key with its own budget or limit is rotated without overlap"}
        )


def _has_own(key: VirtualKey) -> bool:
    return (
        Budget.objects.filter(key=key, is_active=True).exists()
        or RateLimit.objects.filter(key=key, is_active=True).exists()
    )


def _end_after(old: VirtualKey, now: datetime.datetime, overlap_s: int) -> None:
    if overlap_s == 0:
        old.state, old.revoked_at = VirtualKey.State.REVOKED, now
    else:
        ends = now + datetime.timedelta(seconds=overlap_s)
        old.expires_at = ends if old.expires_at is None else min(old.expires_at, ends)
    old.save(update_fields=["state", "revoked_at", "expires_at"])
