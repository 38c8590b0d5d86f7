"""Patterns that an administrator wrote, on RE2 only: linear time, bounded memory. Pure."""

from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version

import re2

PATTERN_LENGTH_MAX = 512
PROGRAM_SIZE_MAX = 3000
RE2_VERSION = version("google-re2")
"""Names the matcher and its Unicode tables: they come with it."""

_MEMORY_BYTES = 1 << 20
_REMEMBERED = 1024
_REMEMBERED_LENGTH = 256


class PatternError(ValueError):
    """RE2 does not take this pattern, or it is too large."""


Test = Callable[[str], bool]


@lru_cache(maxsize=1024)
def pattern_test(pattern: str) -> Test:
    """Return the function that says whether the pattern is found in a string; it cannot raise."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise PatternError(f"the pattern is longer than {PATTERN_LENGTH_MAX} characters")
    search = _compile(pattern).search

    def found(value: str) -> bool:
        # A lone surrogate cannot be encoded: it reads as "?", which no input can exploit to raise.
        return search(value.encode("utf-8", "replace")) is not None

    # Most facts take few values (models, tiers, tools), and a look-up is ten times faster than RE2.
    remembered = lru_cache(maxsize=_REMEMBERED)(found)

    def test(value: str) -> bool:
        return remembered(value) if len(value) <= _REMEMBERED_LENGTH else found(value)

    return test


def _compile(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    options.never_capture = True
    try:
        # Bytes on both sides: offsets are not needed, and converting them could fail on \C.
        compiled = re2.compile(pattern.encode("utf-8"), options)
    except re2.error as error:
        detail = error.args[0].decode("utf-8", "replace")
        raise PatternError(f"RE2 refuses the pattern: {detail}") from None
    if compiled.programsize > PROGRAM_SIZE_MAX:
        raise PatternError("the pattern is too large when compiled")
    return compiled
