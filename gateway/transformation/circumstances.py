"""What a call is known by beside its body, which a transformation may write into it. Pure."""

import re
from collections.abc import Mapping

from gateway.exchange import Endpoint
from gateway.transformation.pointer import Pointer

NAMES = (
    "user",
    "key.id",
    "key.name",
    "key.user",
    "app.name",
    "app.tier",
    "tenant.name",
    "conversation",
)
"""`user` is the one that the key is bound to, else the one that the client's header declares."""

TAG = "tag."
_TAG = re.compile(r"tag\.[a-z0-9][a-z0-9._-]{0,62}")

USER_FIELDS: Mapping[Endpoint, Pointer] = {
    **dict.fromkeys(
        (
            Endpoint.CHAT,
            Endpoint.COMPLETIONS,
            Endpoint.RESPONSES,
            Endpoint.EMBEDDINGS,
            Endpoint.IMAGES,
        ),
        ("user",),
    ),
    Endpoint.MESSAGES: ("metadata", "user_id"),
}
"""Where the requests of an endpoint say who its end user is."""

Circumstances = Mapping[str, str]
"""The values that are known, by these names."""


def is_name(name: str) -> bool:
    """Whether a circumstance has this name."""
    return name in NAMES or _TAG.fullmatch(name) is not None
