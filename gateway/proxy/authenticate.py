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


def _unknown(secret: str) -> Unauthenticated:
    if not secret:
        return Unauthenticated(
            "invalid_api_key", "No key was presented.", "Send 'Authorization: Bearer <key>'."
        )
    return Unauthenticated(
        "invalid_api_key", "This key is not known here.", "Check that the whole key was copied."
    )
