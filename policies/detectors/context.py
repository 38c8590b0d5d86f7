"""The words around a match: five before it and the one that follows may raise its score. Pure.

The rule is Presidio's, with its window and its amounts; only the words of that window are read, not
the whole text. Two things differ, both by choice: words are split at underscores, so that the
`ssn` of `user_ssn` is a word; and a context word of up to four ASCII letters must be a word of its
own, for otherwise `us` is found in "focus" and `tin` in "meeting".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import regex

BOOST: Final = 0.35
FLOOR: Final = 0.4
_BEFORE: Final = 6  # the word of the match itself, if it is one, and five before it
_SHORT: Final = 4

_TOKEN: Final = regex.compile(r"[^\W_]+|[^\w\s]|_")
_TOKEN_BACKWARDS: Final = regex.compile(r"(?r)[^\W_]+|[^\w\s]|_")
_INSIDE: Final = regex.compile(r"[^\W_]")
_BORDER_BEFORE: Final = regex.compile(r"(?r)[\W_]")

# Words that say nothing about the number beside them, and so do not use up the window.
_EMPTY_WORDS: Final = """
    a about above after again all also am an and any are as at be because been before being below
    between both but by can could did do does doing done down during each either else ever every
    few for from further had has have having he her here hers him his how however i if in into is
    it its itself just may me might mine more most much must my neither nor not now of off on once
    only onto or other our ours out over own per please quite rather really s same shall she should
    since so some such t than that the their theirs them then there these they this those though
    through thus to too under until up upon very was we were what when where whether which while who
    whom whose why will with within without would yet you your yours
    """
STOP_WORDS: Final = frozenset(_EMPTY_WORDS.split())


@dataclass(frozen=True, slots=True)
class Context:
    """The context words of a recognizer: those that must stand alone, and those found anywhere."""

    alone: frozenset[str]
    anywhere: tuple[str, ...]

    def supported_by(self, words: Sequence[str]) -> bool:
        """Tell whether one of the words, in lower case, is a context word or holds one."""
        return not self.alone.isdisjoint(words) or any(
            part in word for part in self.anywhere for word in words
        )


def context_of(words: Sequence[str]) -> Context:
    """Sort the context words of a recognizer into the two sorts."""
    lowered = [word.lower() for word in words]
    return Context(
        alone=frozenset(word for word in lowered if _must_stand_alone(word)),
        anywhere=tuple(word for word in lowered if not _must_stand_alone(word)),
    )


def boosted(score: float) -> float:
    """Return the score of a match that its context supports."""
    return min(max(score + BOOST, FLOOR), 1.0)


def words_around(text: str, start: int) -> list[str]:
    """Return the words, in lower case, that may support a match starting there."""
    token_start = _word_start(text, start) if _INSIDE.match(text, start) else start
    first = next(_TOKEN.finditer(text, token_start), None)
    if first is None:
        return []
    before = _keywords(_TOKEN_BACKWARDS.finditer(text, 0, first.end()))
    after = _keywords(_TOKEN.finditer(text, first.start()))
    return [*islice(before, _BEFORE), *islice(after, 1)]


def _must_stand_alone(word: str) -> bool:
    return word.isascii() and len(word) <= _SHORT


def _word_start(text: str, position: int) -> int:
    border = _BORDER_BEFORE.search(text, 0, position)
    return border.end() if border else 0


def _keywords(tokens: Iterable[Any]) -> Iterator[str]:
    for token in tokens:
        word = token.group().lower()
        if word[0].isalnum() and word not in STOP_WORDS:
            yield word
