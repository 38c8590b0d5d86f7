"""What Bedrock says it will charge. Pure.

It counts input that was read from the cache, or written to it, beside the input; here they are part
of it. Unknown is never free: where no number of output tokens was told, usage is unknown.
"""

from collections.abc import Mapping
from typing import Any

from gateway.exchange import Usage
from gateway.providers.anthropic import usage

_NAMES = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cacheReadInputTokens": "cache_read_input_tokens",
    "cacheWriteInputTokens": "cache_creation_input_tokens",
}


def read_usage(told: Mapping[str, Any], *, wrote: bool) -> Usage | None:
    """Return the usage, or None where it is unknown; `wrote` says whether any output was seen.

    It is counted as Anthropic counts it, under other names.
    """
    named = {name: told[theirs] for theirs, name in _NAMES.items() if theirs in told}
    return usage.read_usage(named, wrote=wrote)
