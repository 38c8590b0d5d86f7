"""What Gemini says it will charge. Pure.

It counts thoughts beside the output and what tools brought in beside the input; here they are part
of them. Unknown is never free: where output was seen and none is told, usage is unknown.
"""

from collections.abc import Mapping
from typing import Any

from gateway.exchange import Usage

_MOST = 1 << 53


def read_usage(told: Mapping[str, Any], *, wrote: bool) -> Usage | None:
    """Return the usage, or None where it is unknown; `wrote` says whether any output was seen.

    What the total holds beyond the input is output, whatever it is called.
    """
    taken = _count(told, "promptTokenCount") + _count(told, "toolUsePromptTokenCount")
    thought = _count(told, "thoughtsTokenCount")
    given = _count(told, "candidatesTokenCount") + thought
    given = max(given, _count(told, "totalTokenCount") - taken)
    if not taken or (wrote and not given):
        return None
    cached = _count(told, "cachedContentTokenCount")
    return Usage(taken, given, min(cached, taken), reasoning_tokens=thought)


def _count(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST:
        return value
    return 0
