"""Virtual keys: gth_<public id>_<secret>_<check>. Pure: randomness and pepper are arguments.

The public id is 7 random characters and a keyed tag of 3, so that a flood of made-up keys dies
before any I/O: a CRC alone can be computed by anyone. What is stored is a keyed digest of it all.
"""

import hashlib
import hmac
import zlib
from dataclasses import dataclass
from functools import cached_property

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = "gth"
ID_LENGTH, TAG_LENGTH, SECRET_LENGTH, CHECK_LENGTH = 10, 3, 43, 6
LENGTH = len(PREFIX) + ID_LENGTH + SECRET_LENGTH + CHECK_LENGTH + 3
RANDOM_BYTES = 64
_CHARACTERS = frozenset(ALPHABET)


@dataclass(frozen=True)
class KeyPepper:
    """The two keys of 32 bytes derived from the installation's master key (envelope.derive)."""

    tag: bytes
    digest: bytes

    @cached_property
    def begun(self) -> "tuple[hashlib._Hash, hashlib._Hash]":
        """The inner and the outer hash of HMAC-SHA-256 under `digest`, with the key read."""
        block = self.digest.ljust(hashlib.sha256().block_size, b"\0")
        return (
            hashlib.sha256(bytes(byte ^ 0x36 for byte in block)),
            hashlib.sha256(bytes(byte ^ 0x5C for byte in block)),
        )


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key: `secret` is shown once, `public_id` anywhere, `digest` is stored."""

    public_id: str
    secret: str
    digest: bytes

    def __repr__(self) -> str:
        return f"IssuedKey({self.public_id})"


def issue(randomness: bytes, pepper: KeyPepper) -> IssuedKey:
    """Make a key of `RANDOM_BYTES` random bytes."""
    if len(randomness) < RANDOM_BYTES:
        raise ValueError(f"a key takes {RANDOM_BYTES} random bytes, got {len(randomness)}")
    characters = _base62(int.from_bytes(randomness), ID_LENGTH - TAG_LENGTH + SECRET_LENGTH)
    stem, secret = characters[: ID_LENGTH - TAG_LENGTH], characters[ID_LENGTH - TAG_LENGTH :]
    public_id = stem + _tag(stem, pepper)
    head = f"{PREFIX}_{public_id}_{secret}"
    whole = f"{head}_{checksum(head)}"
    return IssuedKey(public_id, whole, digest(whole, pepper))


def checksum(head: str) -> str:
    """Return the six characters that end a key: CRC-32 of everything before the last underscore."""
    return _base62(zlib.crc32(head.encode("ascii")), CHECK_LENGTH)


def digest(secret: str, pepper: KeyPepper) -> bytes:
    """Return the 32 bytes by which a presented key is looked up: its HMAC-SHA-256.

    Every call needs one; OpenSSL takes twice the time to begin an HMAC anew.
    """
    inner, outer = pepper.begun
    inner, outer = inner.copy(), outer.copy()
    inner.update(secret.encode("ascii", "replace"))
    outer.update(inner.digest())
    return outer.digest()


def public_id(secret: str, pepper: KeyPepper) -> str | None:
    """Return the public id of a well-formed key, or None: no I/O is spent on anything else."""
    if len(secret) != LENGTH or not secret.isascii():
        return None
    parts = secret.split("_")
    if [len(part) for part in parts] != [len(PREFIX), ID_LENGTH, SECRET_LENGTH, CHECK_LENGTH]:
        return None
    prefix, identity, body, check = parts
    if prefix != PREFIX or not _CHARACTERS.issuperset(identity + body + check):
        return None
    if checksum(secret[: -CHECK_LENGTH - 1]) != check:
        return None
    stem, tag = identity[:-TAG_LENGTH], identity[-TAG_LENGTH:]
    return identity if hmac.compare_digest(tag, _tag(stem, pepper)) else None


def _tag(stem: str, pepper: KeyPepper) -> str:
    mac = hmac.digest(pepper.tag, stem.encode("ascii"), hashlib.sha256)
    return _base62(int.from_bytes(mac[:8]), TAG_LENGTH)


def _base62(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, index = divmod(number, 62)
        characters.append(ALPHABET[index])
    return "".join(reversed(characters))
