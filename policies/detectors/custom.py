"""What a tenant looks for itself: lists of words, and RE2 patterns. Pure.

A match is found wherever one begins, whatever was found before it, and those that lie within
another are left out. So what is found at one place depends on no more of the text than a match can
have, plus one character on either side: a stream that is seen piece by piece gives the same.

The work is bounded. RE2 reads each character a bounded number of times; a text in which far too
much matches is not searched to its end: the detector fails then, and a rule says what follows.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from policies.detectors import normalise
from policies.detectors.extent import UNENDING, extent_of
from policies.detectors.gate import Gate
from policies.detectors.patterns import Wide, compiled
from policies.detectors.validators import VALIDATORS, Check

LENGTH_MAX: Final = 2000
"""Characters that a match has at most."""

HELD_MAX: Final = 500
"""Characters of a match with blanks in it above which a stream is gathered whole."""

ATTEMPTS_MAX: Final = 50_000
"""Places of one text at which something begins that may be a match."""

_STEP: Final = 4096  # bytes in which the next match may begin that one search looks through
_TOGETHER: Final = 256  # patterns in one Set, as long as they fit
_MEMORY: Final = 8 << 20  # bytes for one Set
_WORDS: Final = 100  # of one program
_WRITTEN: Final = 24_000  # characters of one program of words: far from all that RE2 can hold
_GAP: Final = 4  # characters that a blank of a phrase stands for, at most
_BLANK: Final = rf"[\s\pZ\x{{85}}]{{1,{_GAP}}}"
_WIDE_BLANK: Final = Wide(r"\s+", r"[\s\x{80}-\x{10ffff}]+")  # a tenth of its instructions
_WORD_END: Final = r"(?:\z|[^0-9A-Za-z_])"  # as far as ASCII goes: other letters make it large
_LINES: Final = "(?m)"
_UTF8_MOST: Final = 4  # bytes of one character
_PLANE: Final = 0x10000  # no character beyond becomes several in lower case


class TooManyMatchesError(Exception):
    """Far too much of a text begins like a match."""


@dataclass(frozen=True, slots=True)
class CustomDetector:
    """One kind of finding: words or patterns, each of which is one.

    Words match in any case and as whole words where nothing else is said; a blank in one stands for
    1 to 4 blanks. `max_length` is in characters: longer matches are none (0: patterns end by
    themselves). `validator` is one of `validators.VALIDATORS`, or empty. `score` is 0 to 1.
    """

    kind: str
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    score: float = 1.0
    case_sensitive: bool = False
    whole_words: bool = True
    validator: str = ""
    max_length: int = 0


Span = tuple[str, float, int, int]
"""A kind, its score, and where in the text it stands."""


class Custom:
    """Finds what some detectors look for; safe to share between threads.

    `UntranslatableError` or `PatternFault` for a pattern that cannot be used.
    """

    __slots__ = ("_detectors", "_gate", "_searches", "kinds", "reach")

    def __init__(self, detectors: Sequence[CustomDetector]) -> None:
        self._detectors = tuple(detectors)
        self._searches = [one for detector in detectors for one in _searches(detector)]
        self._gate = Gate([one.gate for one in self._searches], _TOGETHER, _MEMORY)
        self.kinds = frozenset(detector.kind for detector in detectors)
        self.reach = max((one.most for one in self._searches if one.blank), default=0)

    kinds: frozenset[str]
    """The kinds that may be found."""

    reach: int
    """Characters that a match with blanks in it has at most; 0 where there is none such."""

    def parts(self) -> Iterator[str]:
        """Return what decides what is found."""
        yield repr(self._detectors)

    def may_find(self, text: str) -> bool:
        """Return False only where `find` finds nothing, in an ASCII text and in any line of it."""
        return bool(self._searches) and bool(self._gate.hits(text))

    def find(self, text: str) -> list[Span]:
        """Return what is found, by kind and place, nothing of a kind within another of it.

        `TooManyMatchesError` where the work would have no bound.
        """
        hits = self._gate.hits(text) if self._searches else frozenset()
        if not hits:
            return []
        source = _Source(text)
        found = [
            (one.kind, one.score, start, end)
            for one in (self._searches[index] for index in sorted(hits))
            for start, end in _matches(one, source)
        ]
        return list(_outermost(found))


class _Search(NamedTuple):
    """One program, and what a match of it means. The match is its group of that number."""

    kind: str
    score: float
    program: Any
    group: int
    gate: Wide
    most: int
    blank: bool
    limit: int = 0
    borders: bool = False
    check: Check | None = None


class _Source:
    """A text in UTF-8, with the way back to its characters."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.encoded = text.encode(errors="surrogatepass")
        self.is_ascii = text.isascii()
        self._left = ATTEMPTS_MAX

    def attempt(self) -> None:
        """Count one more look; TooManyMatchesError where there were too many."""
        self._left -= 1
        if self._left < 0:
            raise TooManyMatchesError

    def size(self, start: int, end: int) -> int:
        """Return how many characters some bytes are."""
        return end - start if self.is_ascii else len(self.piece(start, end))

    def piece(self, start: int, end: int) -> str:
        return self.encoded[start:end].decode(errors="surrogatepass")

    def after(self, start: int, characters: int) -> int:
        """Return where so many characters end that begin there, or the text does."""
        if self.is_ascii:
            return min(start + characters, len(self.encoded))
        near = self.encoded[start : start + characters * _UTF8_MOST]
        text = near.decode(errors="ignore")[:characters]
        return start + len(text.encode())


def _matches(search: _Search, source: _Source) -> Iterator[tuple[int, int]]:
    """Yield where matches begin and end, in characters, the later ones later."""
    done, characters = 0, 0
    for start, end in _in_bytes(search, source):
        characters += source.size(done, start)
        done = start
        yield characters, characters + source.size(start, end)


def _in_bytes(search: _Search, source: _Source) -> Iterator[tuple[int, int]]:
    encoded, at, size = source.encoded, 0, len(source.encoded)
    look = _UTF8_MOST * (search.most + 1)
    while at < size:
        source.attempt()
        stop = min(size, at + _STEP + look)
        match = search.program.search(encoded, at, stop)
        if stop < size and (match is None or match.start(search.group) > at + _STEP):
            at += _STEP + 1
        elif match is None:
            return
        else:
            start = match.start(search.group)
            end = _end(search, source, start, match.end(search.group))
            at = start + 1
            if end and _holds(search, source, start, end):
                yield start, end


def _end(search: _Search, source: _Source, start: int, end: int) -> int:
    """Return where a match ends that is no longer than it may be, 0 where there is none."""
    if search.limit and source.size(start, end) > search.limit:
        shorter = search.program.match(source.encoded, start, source.after(start, search.limit))
        return 0 if shorter is None else int(shorter.end())
    while search.borders and end and _is_within_word(source, end):
        shorter = search.program.match(source.encoded, start, end)
        end = 0 if shorter is None else int(shorter.end(search.group))
    return end


def _holds(search: _Search, source: _Source, start: int, end: int) -> bool:
    if search.borders and _is_within_word(source, start):
        return False
    return search.check is None or search.check(source.piece(start, end))


def _is_within_word(source: _Source, at: int) -> bool:
    """Tell whether a place is within a word."""
    before = source.encoded[max(0, at - _UTF8_MOST) : at].decode(errors="ignore")
    after = source.encoded[at : at + _UTF8_MOST].decode(errors="ignore")
    return bool(before and after) and _is_of_word(before[-1]) and _is_of_word(after[0])


def _is_of_word(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LMN"


def _outermost(found: Iterable[Span]) -> Iterator[Span]:
    """Yield what lies within no other of its kind."""
    reached: dict[str, int] = {}
    for span in sorted(found, key=lambda each: (each[0], each[2], -each[3])):
        kind, _, _, end = span
        if end > reached.get(kind, 0):
            reached[kind] = end
            yield span


def _searches(detector: CustomDetector) -> Iterator[_Search]:
    check = VALIDATORS[detector.validator] if detector.validator else None
    plain = sorted({_normal(word, detector) for word in detector.words}, reverse=True)
    for borders in (True, False):
        words = [word for word in plain if _ends_in_border(word, detector) == borders]
        for some in _batches(words, detector):
            yield _of_words(detector, some, check, borders=borders)
    for pattern in detector.patterns:
        extent = extent_of(pattern)
        limit = detector.max_length if 0 < detector.max_length < extent.most else 0
        yield _Search(
            kind=detector.kind,
            score=detector.score,
            program=compiled(_LINES + pattern),
            group=0,
            gate=Wide(_LINES + pattern, _LINES + pattern),
            most=min(limit or extent.most, LENGTH_MAX),
            blank=extent.blank,
            limit=limit or (LENGTH_MAX if extent.most == UNENDING else 0),
            check=check,
        )


def _batches(words: Iterable[str], detector: CustomDetector) -> Iterator[list[str]]:
    """Yield words in their order, as many at a time as one program can hold."""
    batch: list[str] = []
    written = 0
    for word in words:
        size = len(_written(word, detector))
        if batch and (len(batch) == _WORDS or written + size > _WRITTEN):
            yield batch
            batch, written = [], 0
        batch.append(word)
        written += size
    if batch:
        yield batch


def _of_words(
    detector: CustomDetector, words: Sequence[str], check: Check | None, *, borders: bool
) -> _Search:
    """Return what finds the longest of the words at a place: later ones of the alphabet go first,
    so that no word stands before one that it is the beginning of. What other programs find of the
    same detector within it, `_outermost` leaves out."""
    fold = "" if detector.case_sensitive else "(?i)"
    written = "|".join(_written(word, detector) for word in words)
    return _Search(
        kind=detector.kind,
        score=detector.score,
        program=compiled(f"{fold}({written}){_WORD_END if borders else ''}"),
        group=1,
        gate=Wide(*(f"{fold}(?:{written.replace(_BLANK, blank)})" for blank in _WIDE_BLANK)),
        most=max(len(word) + (_GAP - 1) * word.count(" ") for word in words),
        blank=any(" " in word for word in words),
        borders=detector.whole_words,
        check=check,
    )


def _normal(word: str, detector: CustomDetector) -> str:
    """Return a word as it is looked for: without disguise, in one case, with single blanks."""
    view = normalise.plain(word)
    text = " ".join((word if view is None else view.text).split())
    return text if detector.case_sensitive else text.casefold()


def _ends_in_border(word: str, detector: CustomDetector) -> bool:
    return detector.whole_words and _is_of_word(word[-1])


def _written(word: str, detector: CustomDetector) -> str:
    """Return a word in the words of RE2."""
    if detector.case_sensitive:
        return _BLANK.join("".join(map(_literal, part)) for part in word.split(" "))
    return _BLANK.join("".join(_folded(part)) for part in word.split(" "))


def _folded(part: str) -> Iterator[str]:
    """Yield a part of a word in lower case, with the letters that stand for several of it."""
    at = 0
    while at < len(part):
        several = next((part[at : at + n] for n in (3, 2) if part[at : at + n] in _letters()), "")
        if several:
            yield f"(?:{''.join(map(_literal, several))}|[{_letters()[several]}])"
        else:
            yield _literal(part[at])
        at += len(several) or 1


def _literal(character: str) -> str:
    return f"\\x{{{ord(character):x}}}"


@cache
def _letters() -> dict[str, str]:
    """Return, by the several letters that one becomes in lower case, those that do."""
    found: dict[str, str] = {}
    for character in map(chr, range(_PLANE)):
        lower = character.casefold()
        if len(lower) > 1:
            found[lower] = found.get(lower, "") + character
    return found
