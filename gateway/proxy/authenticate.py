"""Step 2: a presented secret becomes a principal, or nobody."""

from collections.abc import Sequence

from gateway.exchange import Head
from gateway.proxy.directory import Directory, Principal, check
from gateway.proxy.errors import Unauthenticated
from tenants import keys
from tenants.keys import KeyPepper


async def authenticate(
    head: Head, directory: Directory, peppers: Sequence[KeyPepper], now_s: float
) -> Principal:
    """Return who calls. A key that was seen before costs one digest and no I/O.

    There are two peppers while the master key is being replaced: a key opens under its own.
    """
    for pepper in peppers:
        digest = keys.digest(head.secret, pepper)
        principal = directory.known(digest)
        if principal is None and keys.public_id(head.secret, pepper) is not None:
            principal = await directory.find(digest)
        if principal is not None:
            directory.check_fresh()
            check(principal, now_s)
            return principal
    raise _unknown(head.secret)


async def confirm(principal: Principal, directory: Directory, now_s: float) -> None:
    """Raise as `authenticate` would if the principal's key may not call any more."""
    found = directory.known(principal.digest) or await directory.find(principal.digest)
    if found is None:
        raise Unauthenticated("key_revoked", "The key does not exist any more.")
    directory.check_fresh()
    check(found, now_s)


def _unknown(secret: str) -> Unauthenticated:
    if not secret:
        return Unauthenticated(
            "invalid_api_key", "No key was presented.", "Send 'Authorization: Bearer <key>'."
        )
    return Unauthenticated(
        "invalid_api_key", "This key is not known here.", "Check that the whole key was copied."
    )
