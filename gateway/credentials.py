"""Our secrets at providers: sealed to their row, opened only to be used."""

import uuid

from django.conf import settings
from django.db.models import QuerySet

from gateway import envelope
from gateway.config import Config
from gateway.models import Credential, Provider


def row_name(credential_id: uuid.UUID, provider_id: uuid.UUID) -> str:
    """Return the associated data of a sealed secret: it opens in this row and in no other."""
    return f"gateway_credential:{credential_id}:{provider_id}"


def masters() -> tuple[bytes, ...]:
    """Return the master keys, the one that seals first."""
    config: Config = settings.GATEHOUSE
    previous = () if config.kek_previous is None else (config.kek_previous,)
    return (config.kek, *previous)


def active(provider: Provider) -> Credential | None:
    """Return the first credential that a provider is called with, still sealed."""
    return in_use(provider).first()


def in_use(provider: Provider) -> QuerySet[Credential]:
    """Return the credentials that a provider is called with, in the order of their labels."""
    rows = Credential.objects.filter(provider=provider, state=Credential.State.ACTIVE)
    return rows.order_by("label", "id")


def labelled(provider: Provider, label: str) -> Credential | None:
    """Return the credential in use of a label."""
    return in_use(provider).filter(label=label).first()


def open_sealed(credential: Credential) -> str:
    """Return the secret in clear; raise EnvelopeError where no master key opens it in this row."""
    box = envelope.Sealed(bytes(credential.sealed), credential.key_id)
    return envelope.unseal(box, row_name(credential.id, credential.provider_id), masters())
