"""The secrets that sign what guards are sent: sealed to their row, opened only to be used."""

import secrets
import uuid

from gateway import credentials, envelope
from gateway.guards.models import Guard, GuardSecret


def row_name(secret_id: uuid.UUID, guard_id: uuid.UUID) -> str:
    """Return the associated data of a sealed secret: it opens in this row and in no other."""
    return f"gateway_guardsecret:{secret_id}:{guard_id}"


def held(guard: Guard) -> list[GuardSecret]:
    """Return the secrets that sign, still sealed, the newest first."""
    return list(GuardSecret.objects.filter(guard=guard).order_by("-created_at", "id"))


def sealed(guard: Guard, secret: str) -> GuardSecret:
    """Return a row, not stored yet, that holds a secret."""
    row = GuardSecret(id=uuid.uuid4(), guard=guard)  # noqa: TID251  (a row's own id)
    nonce = secrets.token_bytes(envelope.NONCE_BYTES)
    box = envelope.seal(secret, row_name(row.id, guard.id), credentials.masters()[0], nonce)
    row.sealed, row.key_id = box.sealed, box.key_id
    return row


def open_sealed(secret: GuardSecret) -> str:
    """Return a secret in clear; raise EnvelopeError where no master key opens it in this row."""
    box = envelope.Sealed(bytes(secret.sealed), secret.key_id)
    return envelope.unseal(box, row_name(secret.id, secret.guard_id), credentials.masters())
