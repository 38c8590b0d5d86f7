"""Writes to providers and their credentials."""

import secrets
import uuid
from typing import TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import alter, delete, insert, note
from gateway import credentials, envelope
from gateway.models import Credential, Provider
from gateway.origins import OriginError, base_url
from gateway.probe import Probe, probe
from gateway.providers.dialects import VERSIONED, check_credential, check_origin
from gateway.providers.fault import BadSetting
from gateway.services.prices import book_enter
from tenants.changes import platform_change
from tenants.revisions import platform_changed

SECRET_MAX = 4096


class ProviderFields(TypedDict, total=False):
    """Whether a provider may be at a private address, and whether its health is looked after."""

    allow_private: bool
    health_check: bool


@transaction.atomic
def provider_create(
    *,
    actor: Actor,
    name: str,
    dialect: str,
    base_url: str = "",
    reason: str = "",
    **fields: Unpack[ProviderFields],
) -> Provider:
    """Create a provider at one fixed origin; the simulated one has none."""
    change = platform_change(actor, "provider.create", reason)
    provider = Provider(name=name, dialect=dialect, **fields)
    provider.base_url = _origin(dialect, base_url, allow_private=provider.allow_private)
    insert(change, provider)
    platform_changed()
    return provider


@transaction.atomic
def provider_update(
    *,
    actor: Actor,
    provider: Provider,
    base_url: str,
    allow_private: bool,
    health_check: bool | None = None,
    reason: str = "",
) -> bool:
    """Move a provider, or change whether it may be private or is looked after (None: as it is);
    False where nothing differed.

    A credential is bound to the origin that it was given for: moving the origin takes it away.
    """
    change = platform_change(actor, "provider.update", reason)
    origin = _origin(provider.dialect, base_url, allow_private=allow_private)
    is_moved = origin != provider.base_url
    besides = {"credential_removed": True} if is_moved and _retire(provider) else {}
    values = {"base_url": origin, "allow_private": allow_private}
    if health_check is not None:
        values["health_check"] = health_check
    if not alter(change, provider, values, besides=besides):
        return False
    if is_moved:
        for deployment in provider.deployments.select_related("provider"):
            book_enter(deployment)
    platform_changed()
    return True


@transaction.atomic
def provider_remove(*, actor: Actor, provider: Provider, reason: str = "") -> None:
    """Delete a provider that serves no model, and its sealed secrets."""
    change = platform_change(actor, "provider.remove", reason)
    if provider.deployments.exists():
        raise ValidationError({"provider": f"{provider.name} still serves models"})
    provider.credentials.all().delete()
    delete(change, provider)
    platform_changed()


def provider_test(*, actor: Actor, provider: Provider, reason: str = "") -> Probe:
    """Ask the provider for its models, with the credential; say how it went."""
    change = platform_change(actor, "provider.test", reason)
    result = probe(provider)
    with transaction.atomic():
        note(change, provider, before=None, after={"ok": result.ok, "detail": result.detail})
    return result


@transaction.atomic
def credential_set(
    *, actor: Actor, provider: Provider, secret: str, label: str = "", reason: str = ""
) -> Credential:
    """Seal a provider's secret; the one before of this label is destroyed. Nobody can read it back.

    Those of several labels are used in turn; one that the provider refuses is left out.
    """
    change = platform_change(actor, "credential.set", reason)
    if provider.dialect == Provider.Dialect.SIMULATED:
        raise ValidationError({"credential": "the simulated provider takes no credential"})
    if not (secret.isascii() and secret.isprintable() and 0 < len(secret) <= SECRET_MAX):
        raise ValidationError({"credential": "a secret is 1 to 4096 printable ASCII characters"})
    try:
        check_credential(
            provider.dialect, secret, provider.base_url, allow_private=provider.allow_private
        )
    except BadSetting as fault:
        raise ValidationError({"credential": str(fault)}) from None
    _retire(provider, label)
    credential = Credential(id=uuid.uuid4(), provider=provider, label=label)  # noqa: TID251  (a row's own id)
    row = credentials.row_name(credential.id, provider.id)
    nonce = secrets.token_bytes(envelope.NONCE_BYTES)
    box = envelope.seal(secret, row, credentials.masters()[0], nonce)
    credential.sealed, credential.key_id = box.sealed, box.key_id
    insert(change, credential)
    platform_changed()
    return credential


@transaction.atomic
def credential_remove(
    *, actor: Actor, provider: Provider, label: str = "", reason: str = ""
) -> bool:
    """Destroy a provider's secret of this label; False where it had none."""
    change = platform_change(actor, "credential.remove", reason)
    credential = credentials.labelled(provider, label)
    if credential is None:
        return False
    delete(change, credential)
    platform_changed()
    return True


def _retire(provider: Provider, label: str | None = None) -> bool:
    """Destroy the secrets of a provider, of one label or all."""
    rows = Credential.objects.filter(provider=provider)
    deleted, _ = (rows if label is None else rows.filter(label=label)).delete()
    return bool(deleted)


def _origin(dialect: str, url: str, *, allow_private: bool) -> str:
    if dialect == Provider.Dialect.SIMULATED:
        if url:
            raise ValidationError({"base_url": "the simulated provider has no base URL"})
        return ""
    try:
        origin = base_url(url, allow_private=allow_private, versioned=dialect in VERSIONED)
        check_origin(dialect, origin)
    except (OriginError, BadSetting) as error:
        raise ValidationError({"base_url": str(error)}) from None
    return origin
