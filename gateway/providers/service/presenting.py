"""How a credential is presented to a service: in which header, behind which word. Pure."""

import re

from gateway.providers.fault import BadSetting

_HEADER = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
_OURS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "traceparent",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-request-id",
    }
)
"""The headers that say how a request is sent, and those that we write."""


def check(header: str, scheme: str) -> None:
    """Raise BadSetting unless a secret may stand in this header, behind this word or alone."""
    if not _HEADER.fullmatch(header) or header in _OURS or header.startswith("proxy-"):
        raise BadSetting(
            f"a credential cannot stand in the header {header[:63]!r}: it is a name of a-z, 0-9 and"
            " -, as in authorization or api-key, and none that says how a request is sent"
        )
    if scheme and not _SCHEME.fullmatch(scheme):
        raise BadSetting("what stands before the secret is one word, as in Bearer, or nothing")
