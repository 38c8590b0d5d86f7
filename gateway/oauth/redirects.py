"""Where a person may be sent back to: by https, or to a program on their own machine. Pure.

A native program listens on whatever port is free (RFC 8252, section 7.3), so the library lets the
port of a loopback address be any. Nothing leaves the machine that way, hence it needs no TLS.
"""

from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1"})
"""Addresses, not `localhost`: what that name means is up to the machine."""


def is_safe(uri: str) -> bool:
    """Return whether an application may have this redirect address."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def form_target(uri: str) -> str:
    """Return the address as a source of a content security policy."""
    parts = urlsplit(uri)
    if parts.hostname == "::1":  # a policy cannot name an IPv6 address
        return f"http://*:{parts.port or 80}"
    return f"{parts.scheme}://{parts.netloc}"
