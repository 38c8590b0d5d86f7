"""Writes to services, the other upstreams beside the models, and to our secrets there."""

import secrets
import uuid
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import alter, delete, insert
from gateway import credentials, envelope, service_credentials
from gateway.models import Service, ServiceCredential
from gateway.origins import OriginError, base_url
from gateway.providers.fault import BadSetting
from gateway.providers.service import operations, presenting
from gateway.services.providers import SECRET_MAX
from tenants.changes import platform_change
from tenants.models import App
from tenants.money import CURRENCY_HELP, is_currency
from tenants.revisions import platform_changed


class ServiceFields(TypedDict, total=False):
    """What can be said of a service besides its name. `operations` are JSON, as
    providers/service/operations.py writes it; a price is in pico-units for each call, or None."""

    base_url: str
    allow_private: bool
    region: str
    header: str
    scheme: str
    price_pico: int | None
    currency: str
    retries: int
    connect_s: int
    first_byte_s: int
    idle_s: int
    total_s: int
    operations: list[dict[str, Any]]


@transaction.atomic
def service_create(
    *, actor: Actor, name: str, reason: str = "", **fields: Unpack[ServiceFields]
) -> Service:
    """Create a service at one fixed origin; apps may call it once they list it."""
    change = platform_change(actor, "service.create", reason)
    service = Service(name=name, **fields)
    for field, value in _checked(service).items():
        setattr(service, field, value)
    insert(change, service)
    platform_changed()
    return service


@transaction.atomic
def service_update(
    *, actor: Actor, service: Service, reason: str = "", **fields: Unpack[ServiceFields]
) -> bool:
    """Change a service; False where nothing differed.

    Its credential is bound to the origin that it was given for: moving takes it away.
    """
    change = platform_change(actor, "service.update", reason)
    stored = Service.objects.get(pk=service.pk)
    origin = stored.base_url
    for field, value in fields.items():
        setattr(stored, field, value)
    values = {**fields, **_checked(stored)}
    is_moved = values["base_url"] != origin
    besides = {"credential_removed": True} if is_moved and _destroy(stored) else {}
    changed = alter(change, service, values, besides=besides)
    if changed:
        platform_changed()
    return changed


@transaction.atomic
def service_remove(*, actor: Actor, service: Service, reason: str = "") -> None:
    """Delete a service that no app lists, and its sealed secret."""
    change = platform_change(actor, "service.remove", reason)
    users = App.objects.exclude(state=App.State.REMOVED).filter(services__contains=[service.name])
    app = users.select_related("tenant").order_by("tenant__name", "name").first()
    if app is not None:
        used = f"{service.name} is used by {app.tenant.name}/{app.name}"
        raise ValidationError({"service": used})
    _destroy(service)
    delete(change, service)
    platform_changed()


@transaction.atomic
def service_credential_set(
    *, actor: Actor, service: Service, secret: str, reason: str = ""
) -> ServiceCredential:
    """Seal a service's secret; the one before is destroyed. Nobody can read it back."""
    change = platform_change(actor, "service_credential.set", reason)
    if not (secret.isascii() and secret.isprintable() and 0 < len(secret) <= SECRET_MAX):
        raise ValidationError({"credential": "a secret is 1 to 4096 printable ASCII characters"})
    _destroy(service)
    credential = ServiceCredential(id=uuid.uuid4(), service=service)  # noqa: TID251  (a row's own id)
    row = service_credentials.row_name(credential.id, service.id)
    nonce = secrets.token_bytes(envelope.NONCE_BYTES)
    box = envelope.seal(secret, row, credentials.masters()[0], nonce)
    credential.sealed, credential.key_id = box.sealed, box.key_id
    insert(change, credential)
    platform_changed()
    return credential


@transaction.atomic
def service_credential_remove(*, actor: Actor, service: Service, reason: str = "") -> bool:
    """Destroy a service's secret; False where it had none."""
    change = platform_change(actor, "service_credential.remove", reason)
    credential = service_credentials.of(service)
    if credential is None:
        return False
    delete(change, credential)
    platform_changed()
    return True


def _destroy(service: Service) -> bool:
    deleted, _ = ServiceCredential.objects.filter(service=service).delete()
    return bool(deleted)


def _checked(service: Service) -> dict[str, Any]:
    """Return the fields that are stored in one way only; raise ValidationError for bad ones."""
    try:
        origin = base_url(service.base_url, allow_private=service.allow_private)
    except OriginError as error:
        raise ValidationError({"base_url": str(error)}) from None
    try:
        presenting.check(service.header, service.scheme)
    except BadSetting as fault:
        raise ValidationError({"header": str(fault)}) from None
    try:
        read = operations.read(service.operations)
        operations.check(read)
    except BadSetting as fault:
        raise ValidationError({"operations": str(fault)}) from None
    if service.price_pico is None and service.currency:
        raise ValidationError({"currency": "without a price there is no currency"})
    if service.price_pico is not None and not is_currency(service.currency):
        raise ValidationError({"currency": CURRENCY_HELP})
    return {"base_url": origin, "operations": operations.written(read)}
