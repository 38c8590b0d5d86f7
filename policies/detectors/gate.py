"""One pass over a text that tells which of many patterns may match it. Pure.

A gate may name a pattern that does not match; it never leaves out one that does. RE2's Set tells
nobody when it fails: its binding then returns an empty list, as if nothing had matched. So each Set
holds a sentinel, a pattern that matches every text; an answer without it means that the Set did not
do its work, and then each of its patterns counts as a hit.

The state of a Set says which of its patterns have matched so far, and how far each of the others
has come; in a text full of numbers there are new states at every character, and making one is slow.
So patterns go into several small Sets, each with little memory.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import re2

from policies.detectors.patterns import Wide, options

_SENTINEL: Final = 0  # the index of the pattern that each Set holds first
_CLEAR: Final = [_SENTINEL]
_PROBE: Final = b" a1@"
_TOGETHER: Final = 8  # patterns in one Set
_MEMORY: Final = 2 << 20  # bytes for one Set


class Gate:
    """Narrows many patterns down to those that may match; `None` stands for one that always may."""

    __slots__ = ("_all", "_always", "_ascii", "_unicode")

    def __init__(
        self, patterns: Sequence[Wide | None], together: int = _TOGETHER, memory: int = _MEMORY
    ) -> None:
        known = [(index, wide) for index, wide in enumerate(patterns) if wide is not None]
        self._all = frozenset(range(len(patterns)))
        self._always = self._all - {index for index, _ in known}
        self._ascii: list[Sieve | Unsieved] = []
        self._unicode: list[Sieve | Unsieved] = []
        for first in range(0, len(known), together):
            some = known[first : first + together]
            narrow = _sieves([(index, wide.ascii) for index, wide in some], memory)
            same = all(wide.ascii == wide.unicode for _, wide in some)
            self._ascii += narrow
            self._unicode += (
                narrow if same else _sieves([(index, wide.unicode) for index, wide in some], memory)
            )

    def hits(self, text: str) -> frozenset[int]:
        """Return the indexes of the patterns that may match the text."""
        sieves = self._ascii if text.isascii() else self._unicode
        try:
            encoded = text.encode()
        except UnicodeEncodeError:  # a lone surrogate has no UTF-8, so RE2 cannot read the text
            return self._all
        hits: list[int] = []
        for sieve in sieves:
            hits += sieve.hits(encoded)
        return self._always.union(hits) if hits else self._always


class Sieve:
    """One RE2 Set with its sentinel."""

    __slots__ = ("_indexes", "_match")

    def __init__(self, patterns: Sequence[tuple[int, str]], memory: int) -> None:
        self._indexes = [index for index, _ in patterns]
        made = re2.Set.SearchSet(options(memory))
        made.Add("")
        for _, pattern in patterns:
            made.Add(pattern)
        made.Compile()
        self._match = made.Match

    def works(self) -> bool:
        """Tell whether the Set had the memory to look at a short text at all."""
        found = self._match(_PROBE)
        return found is not None and _SENTINEL in found

    def hits(self, encoded: bytes) -> Iterable[int]:
        """Return the indexes of the patterns that may match a text in UTF-8."""
        found = self._match(encoded)
        if found == _CLEAR:
            return ()
        if not found or _SENTINEL not in found:
            return self._indexes
        return [self._indexes[position - 1] for position in found if position != _SENTINEL]


class Unsieved:
    """Stands for a pattern too large for a Set of its own: it may always match."""

    __slots__ = ("_index",)

    def __init__(self, index: int) -> None:
        self._index = index

    def hits(self, encoded: bytes) -> Iterable[int]:
        """Return the index of the pattern, whatever the text."""
        del encoded
        return (self._index,)


def _sieves(patterns: Sequence[tuple[int, str]], memory: int) -> list[Sieve | Unsieved]:
    """Return Sets for the patterns, as many as it takes for each to fit into the memory."""
    sieve = _sieve(patterns, memory)
    if sieve is not None and sieve.works():
        return [sieve]
    if len(patterns) == 1:
        return [Unsieved(patterns[0][0])]
    half = len(patterns) // 2
    return _sieves(patterns[:half], memory) + _sieves(patterns[half:], memory)


def _sieve(patterns: Sequence[tuple[int, str]], memory: int) -> Sieve | None:
    try:
        return Sieve(patterns, memory)
    except re2.error:  # too large for the memory
        return None
