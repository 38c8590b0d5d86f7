"""Step 2: a presented secret becomes a principal, or nobody."""

from gateway.exchange import Head
from gateway.proxy.directory import Directory, Principal, check
from gateway.proxy.errors import Unauthenticated
from tenants import keys
from tenants.keys import KeyPepper


async def authenticate(
    head: Head, directory: Directory, pepper: KeyPepper, now_s: float
) -> Principal:
    """Return who calls. A key that was seen before costs one digest and no I/O."""
    digest = keys.digest(head.secret, pepper)
    principal = directory.known(digest)
    if principal is None:
        if keys.public_id(head.secret, pepper) is None:
            raise _unknown(head.secret)
        principal = await directory.find(digest)
        if principal is None:
            raise _unknown(head.secret)
    directory.check_fresh()
    check(principal, now_s)
    return principal


def _unknown(secret: str) -> Unauthenticated:
    if not secret:
        return Unauthenticated(
            "invalid_api_key", "No key was presented.", "Send 'Authorization: Bearer <key>'."
        )
    return Unauthenticated(
        "invalid_api_key", "This key is not known here.", "Check that the whole key was copied."
    )
