"""An answer that is kept: a provider's own bytes, before anything was done to them, sealed.

Whoever is given one reads it as if its provider had just sent it, so that every rule on answers
looks at it again (hard case 20). Names and seals are made with keys of one tenant each: what is
kept for one cannot be found, and would not open, for another.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway import envelope
from gateway.exchange import Origin

NAME_BYTES = 24


class Kept(NamedTuple):
    """What a provider answered at `kept_s`, and what is needed to read it again.

    `revision` is the tenant's when the call began, `cost_pico` (as text: it may be large) what it
    cost then; `call_id` and `app_id` say whose call it was, `origin` how its answer was named;
    `told` are the headers that say something of the answer.
    """

    route: str
    deployment: str
    content_type: str
    raw: bytes
    kept_s: float
    revision: int
    app_id: str
    cost_pico: str
    currency: str
    call_id: str
    origin: Origin
    status: int = 200
    told: Mapping[str, str] = {}


class Sealer:
    """Names and seals what is kept for one tenant."""

    __slots__ = ("_cipher", "_mac")

    def __init__(self, master: bytes, tenant_id: str) -> None:
        self._cipher = AESGCM(envelope.tenant_key(master, tenant_id, "kept-answers"))
        self._mac = hashlib.blake2b(
            key=envelope.tenant_key(master, tenant_id, "kept-names"), digest_size=NAME_BYTES
        )

    def name(self, *parts: bytes) -> str:
        """Return what stands for these parts, in this order and nowhere else cut."""
        mac = self._mac.copy()
        for part in parts:
            mac.update(b"%d:" % len(part))
            mac.update(part)
        return mac.hexdigest()

    def seal(self, name: str, kept: Kept, nonce: bytes) -> bytes:
        """Seal an answer under its name. A nonce is 12 random bytes, used once."""
        plain = msgspec.msgpack.encode(kept)
        return nonce + self._cipher.encrypt(nonce, plain, name.encode())

    def open(self, name: str, sealed: bytes) -> Kept | None:
        """Return what was sealed under a name; None for what was not, or by another version."""
        nonce, rest = sealed[: envelope.NONCE_BYTES], sealed[envelope.NONCE_BYTES :]
        try:
            plain: Any = self._cipher.decrypt(nonce, rest, name.encode())
            return msgspec.msgpack.decode(plain, type=Kept)
        except (InvalidTag, ValueError, msgspec.DecodeError):
            return None
