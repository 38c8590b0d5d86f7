"""Sealing secrets: AES-256-GCM under keys that HKDF derives from the master key. Pure.

The associated data binds what is sealed to its row, so that a ciphertext copied into another row
does not open. The key id names the master key, so that two can be in use while one is replaced.
"""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenants.keys import KeyPepper

NONCE_BYTES = 12


class EnvelopeError(Exception):
    """A secret could not be opened: wrong master key, wrong row, or changed bytes."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed secret: nonce and ciphertext, and the id of the master key that opens it."""

    sealed: bytes
    key_id: str


def derive(master: bytes, purpose: str) -> bytes:
    """Return the 32-byte key for one purpose."""
    return HKDF(
        algorithm=hashes.SHA256(), length=32, salt=b"gatehouse", info=purpose.encode()
    ).derive(master)


def key_id(master: bytes) -> str:
    """Return the public name of a master key."""
    return hashlib.sha256(derive(master, "key-id")).hexdigest()[:16]


def key_pepper(master: bytes) -> KeyPepper:
    """Return the keys under which virtual keys are tagged and digested."""
    return KeyPepper(derive(master, "virtual-key-tag"), derive(master, "virtual-key-digest"))


def tenant_key(master: bytes, tenant_id: str, purpose: str) -> bytes:
    """Return a key that belongs to one tenant: digests of prompts, hashes of what was redacted."""
    return derive(master, f"tenant:{tenant_id}:{purpose}")


def seal(secret: str, aad: str, master: bytes, nonce: bytes) -> Sealed:
    """Seal `secret` for the row named by `aad`. A nonce is 12 random bytes, used once."""
    cipher = AESGCM(derive(master, "credential"))
    return Sealed(nonce + cipher.encrypt(nonce, secret.encode(), aad.encode()), key_id(master))


def unseal(box: Sealed, aad: str, masters: tuple[bytes, ...]) -> str:
    """Open a sealed secret with the master key that its key id names; raise EnvelopeError."""
    for master in masters:
        if key_id(master) == box.key_id:
            nonce, ciphertext = box.sealed[:NONCE_BYTES], box.sealed[NONCE_BYTES:]
            try:
                plain = AESGCM(derive(master, "credential")).decrypt(
                    nonce, ciphertext, aad.encode()
                )
            except InvalidTag:
                raise EnvelopeError("the sealed secret does not belong to this row") from None
            return plain.decode()
    raise EnvelopeError(f"no master key with id {box.key_id} is configured")
