"""Step 2: a presented secret becomes a principal, or nobody."""

from gateway.exchange import Head
from gateway.proxy.directory import Directory, Principal
from gateway.proxy.errors import Forbidden, Unauthenticated
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


def check(principal: Principal, now_s: float) -> None:
    """Raise unless this key may call now: not revoked, not expired, nobody suspended."""
    row = principal.row
    if not row.active:
        raise Unauthenticated(
            "key_revoked", f"The key {row.public_id} was revoked.", "Use the key that replaced it."
        )
    if now_s >= principal.expires_s:
        raise Unauthenticated(
            "key_expired",
            f"The key {row.public_id} expired at {row.expires_at:%Y-%m-%d %H:%M} UTC.",
            "Ask for a new key.",
        )
    if not row.tenant_active:
        raise Forbidden("tenant_suspended", "This tenant is suspended.", "Ask its owner.")
    if not row.app_active:
        raise Forbidden("tenant_suspended", "This app is suspended.", "Ask the tenant's owner.")


def _unknown(secret: str) -> Unauthenticated:
    if not secret:
        return Unauthenticated(
            "invalid_api_key", "No key was presented.", "Send 'Authorization: Bearer <key>'."
        )
    return Unauthenticated(
        "invalid_api_key", "This key is not known here.", "Check that the whole key was copied."
    )
