"""Our secrets at services, sealed to their row as those at providers are: see credentials.py."""

import uuid

from gateway import credentials, envelope
from gateway.models import Service, ServiceCredential


def row_name(credential_id: uuid.UUID, service_id: uuid.UUID) -> str:
    """Return the associated data of a sealed secret: it opens in this row and in no other."""
    return f"gateway_servicecredential:{credential_id}:{service_id}"


def of(service: Service) -> ServiceCredential | None:
    """Return the credential that a service is called with, still sealed."""
    return ServiceCredential.objects.filter(service=service).first()


def open_sealed(credential: ServiceCredential) -> str:
    """Return the secret in clear; raise EnvelopeError where no master key opens it in this row."""
    box = envelope.Sealed(bytes(credential.sealed), credential.key_id)
    row = row_name(credential.id, credential.service_id)
    return envelope.unseal(box, row, credentials.masters())
