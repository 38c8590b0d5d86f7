"""A refusal in the client's own dialect, so that its SDK raises what it usually raises."""

import re
from collections.abc import MutableMapping
from typing import Any

import orjson

from gateway.providers import sse
from gateway.proxy import paths
from gateway.proxy.errors import Refusal

_NUMBER = re.compile(rb'"sequence_number":\s*(\d+)')
Scope = MutableMapping[str, Any]

_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    501: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "api_error",
}


def whole(scope: Scope, refusal: Refusal) -> bytes:
    """Return the body of an answer that refuses."""
    return orjson.dumps(_anthropic(refusal) if _is_anthropic(scope) else refusal.body())


def stream_end(scope: Scope, refusal: Refusal, last: bytes = b"") -> bytes:
    """Return the end of a stream that failed: the error as SDKs look for it, and the end mark.

    `last` is what was sent before it: where events are numbered, the error is the next.
    """
    if _is_anthropic(scope):
        return sse.encode(orjson.dumps(_anthropic(refusal)), b"error")
    if paths.is_responses(scope["path"]):
        return sse.encode(orjson.dumps(_event(refusal, last)), b"error")
    return sse.encode(orjson.dumps(refusal.body())) + sse.encode(b"[DONE]")


def _is_anthropic(scope: Scope) -> bool:
    """Tell whose client asks: by the path or, where both vendors have one, by the header."""
    named = any(name == b"anthropic-version" for name, _ in scope["headers"])
    return paths.is_anthropic(scope["path"]) or named


def _event(refusal: Refusal, last: bytes) -> dict[str, Any]:
    """Return the error event of the responses API. SDKs raise what stands under `error`."""
    numbers = _NUMBER.findall(last)
    error = refusal.body()["error"]
    return {
        "type": "error",
        **{name: error[name] for name in ("code", "message", "param")},
        "sequence_number": int(numbers[-1]) + 1 if numbers else 0,
        "error": error,
    }


def _anthropic(refusal: Refusal) -> dict[str, Any]:
    told = {name: value for name, value in refusal.body()["error"].items() if name != "param"}
    told["type"] = _ANTHROPIC_TYPES.get(refusal.status, "invalid_request_error")
    return {"type": "error", "error": told}
