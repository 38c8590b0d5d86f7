"""What Anthropic says it will charge. Pure.

It counts input that was read from the cache, or written to it, beside the input; here they are part
of it. Unknown is never free: where no number of output tokens was told, usage is unknown.
"""

from collections.abc import Mapping
from typing import Any

from gateway.exchange import Usage

_MOST = 1 << 53


def read_usage(told: Mapping[str, Any], *, wrote: bool) -> Usage | None:
    """Return the usage, or None where it is unknown; `wrote` says whether any output was seen."""
    fresh, given = _count(told, "input_tokens"), _count(told, "output_tokens")
    read = _count(told, "cache_read_input_tokens") or 0
    written = _count(told, "cache_creation_input_tokens") or 0
    if fresh is None or given is None or not fresh + read + written or (wrote and not given):
        return None
    details = told.get("output_tokens_details")
    thought = _count(details, "thinking_tokens") if isinstance(details, dict) else None
    return Usage(fresh + read + written, given, read, written, min(thought or 0, given))


def usage_body(usage: Usage) -> dict[str, int]:
    """Return usage as this dialect tells it."""
    written = usage.cache_write_tokens
    return {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - written,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "cache_creation_input_tokens": written,
        "output_tokens": usage.output_tokens,
    }


def _count(told: Mapping[str, Any], name: str) -> int | None:
    value = told.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST:
        return value
    return None
