"""Where a provider may be: one fixed origin, public unless an administrator says so. Pure.

A name says nothing about safety, only the address that it resolves to does: so literal addresses
are checked when they are written down, and resolved ones each time they are connected to.
"""

import ipaddress
import re
from urllib.parse import urlsplit

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_VERSION = re.compile(r"api-version=[0-9a-z-]{1,40}")
_BUT = ", but for its version: ?api-version=2024-10-21"
_LOCAL_NAMES = (".localhost", ".local", ".internal")


class OriginError(ValueError):
    """A text is not the base URL of a provider; the message says why."""


def base_url(text: str, *, allow_private: bool, versioned: bool = False) -> str:
    """Return a provider's base URL without its last slash; raise OriginError where it is refused.

    Clear-text http, local names and private addresses take `allow_private`. Only one that may be
    `versioned` can have a query: the version of its API.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        raise OriginError("the host of the base URL is not a host") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OriginError("a base URL begins with https:// (or http://) and a host")
    if parts.username is not None or parts.password is not None:
        raise OriginError(
            "a base URL holds no user or password: that is what the credential is for"
        )
    if parts.fragment or (parts.query and not (versioned and _VERSION.fullmatch(parts.query))):
        raise OriginError("a base URL has no query and no fragment" + _BUT * versioned)
    try:
        parts.port  # noqa: B018  (the property parses)
    except ValueError:
        raise OriginError("the port of the base URL is not a port") from None
    if not allow_private:
        _refuse_private(parts.scheme, parts.hostname)
    return parts._replace(path=parts.path.rstrip("/")).geturl() if parts.query else text.rstrip("/")


def is_public(address: str) -> bool:
    """Return whether an address is reachable from everywhere: not loopback, private, link-local ...

    An IPv6 address that stands for an IPv4 one is as public as that one. Raises ValueError for what
    is no address.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.sixtofour or parsed.teredo:
            return False  # tunnels that nobody needs any more, except to hide where they lead
        parsed = parsed.ipv4_mapped or _nat64(parsed) or parsed
    return parsed.is_global and not parsed.is_multicast


def _refuse_private(scheme: str, host: str) -> None:
    hint = "it takes allow_private: true"
    if scheme != "https":
        raise OriginError(f"clear-text http would show the credential on the way: {hint}")
    if host == "localhost" or host.endswith(_LOCAL_NAMES):
        raise OriginError(f"{host} is a local name: {hint}")
    try:
        public = is_public(host)
    except ValueError:
        return
    if not public:
        raise OriginError(f"{host} is not a public address: {hint}")


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
