"""Our secrets at providers: sealed to their row, opened only to be used."""

import uuid

from django.conf import settings

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
    """Return the credential that a provider is called with, still sealed."""
    return Credential.objects.filter(provider=provider, state=Credential.State.ACTIVE).first()


def open_sealed(credential: Credential) -> str:
    """Return the secret in clear; raise EnvelopeError where no master key opens it in this row."""
    box = envelope.Sealed(bytes(credential.sealed), credential.key_id)
    return envelope.unseal(box, row_name(credential.id, credential.provider_id), masters())
