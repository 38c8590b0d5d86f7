"""What a provider says it will charge: tokens, wherever and however often it says so. Pure.

A count of nothing is no count: a zero never replaces a number, and where no number of input
tokens was ever told, usage is unknown. Unknown is never free; the caller settles the full bound.
"""

from collections.abc import Mapping
from typing import Any

from gateway.exchange import Usage

_MOST = 1 << 53


def merge_usage(seen: dict[str, Any], told: object) -> None:
    """Add what one answer or event tells to what was told before: the last number of each field."""
    if not isinstance(told, dict):
        return
    for name, value in told.items():
        there = seen.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            seen[name] = {**there, **{key: number for key, number in value.items() if number}}
        elif value or name not in seen:
            seen[name] = value


def read_usage(seen: Mapping[str, Any], *, wrote: bool) -> Usage | None:
    """Return the usage, or None where it is unknown; `wrote` says whether any output was seen.

    What the total holds beyond the input is output: some providers leave hidden reasoning out of
    the output they tell, and charge for it.
    """
    taken = _count(seen, "prompt_tokens", "input_tokens")
    given = _count(seen, "completion_tokens", "output_tokens")
    total = _count(seen, "total_tokens")
    if taken and total:
        given = max(given or 0, total - taken)
    if not taken or given is None or (wrote and not given):
        return None
    read = _details(seen, "prompt_tokens_details", "input_tokens_details")
    said = _details(seen, "completion_tokens_details", "output_tokens_details")
    cached = (read and _count(read, "cached_tokens")) or _count(seen, "prompt_cache_hit_tokens")
    cached = cached if cached and cached <= taken else 0
    written = (read and _count(read, "cache_write_tokens")) or 0
    thought = (said and _count(said, "reasoning_tokens")) or 0
    return Usage(
        taken,
        given,
        cached,
        written if cached + written <= taken else 0,
        thought if thought <= given else 0,
    )


def _details(seen: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        found = seen.get(name)
        if found:
            return found if isinstance(found, dict) else {}
    return {}


def _count(seen: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = seen.get(name)
        if value.__class__ is float and value.is_integer():
            value = int(value)
        if value.__class__ is int and 0 <= value < _MOST:
            return value
    return None
