"""Cross-origin requests of browsers: which pages may read an answer.

Nobody knows who asks in a preflight, since it carries no key: every page may ask. What counts is
the answer, which the browser shows only to the pages that the key's tenant names.
"""

from collections.abc import Mapping, Sequence

from gateway.proxy.wire import Headers

ALL = "*"
SHOWN = (
    b"x-request-id, x-client-request-id, x-gatehouse-decision-id, x-gatehouse-policy, "
    b"x-gatehouse-model, x-gatehouse-cache, x-gatehouse-cost-micros, x-gatehouse-overhead-us, "
    b"x-gatehouse-left-out, age, idempotent-replayed, x-should-retry, retry-after, "
    b"x-ratelimit-limit-requests, "
    b"x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
    b"x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)
METHODS = b"GET, HEAD, POST, OPTIONS"
AGE_S = b"600"


def headers(asked: Mapping[bytes, bytes], origins: Sequence[str]) -> Headers:
    """Return what lets the page that asks read the answer; nothing where no page asks, or none of
    those that may."""
    origin = asked.get(b"origin")
    if origin is None or not origins:
        return []
    if ALL not in origins and origin.decode("latin-1") not in origins:
        return [(b"vary", b"origin")]
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", SHOWN),
        (b"vary", b"origin"),
    ]


def preflight(asked: Mapping[bytes, bytes]) -> Headers:
    """Return the headers of the answer to OPTIONS."""
    found: Headers = [(b"allow", METHODS)]
    origin = asked.get(b"origin")
    if origin is None or b"access-control-request-method" not in asked:
        return found
    wanted = asked.get(b"access-control-request-headers", b"authorization, content-type")
    return [
        *found,
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", wanted),
        (b"access-control-max-age", AGE_S),
        (b"vary", b"origin, access-control-request-headers"),
    ]
