"""Personal data by Presidio's recognizers, without its analysis loop.

A gate names the few patterns that may match; those are run, on RE2 where the spans are the same,
else on `regex` with a time limit; then come Presidio's own check digits, its context rule and its
rule for what covers what. The result is what its engine returns for the same recognizers.
"""

import re
import string
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import regex

from policies.detectors import phones
from policies.detectors.context import Context, boosted, context_of, words_around
from policies.detectors.gate import Gate
from policies.detectors.patterns import (
    UntranslatableError,
    Wide,
    any_word,
    asks_only_for_words,
    exact,
    may_consist_of,
    widened,
)
from policies.detectors.recognizers import Recognizer, recognizers

MIN_SCORE: Final = 0.4
"""What scores less, after its context, is not reported."""

# Seconds for one pattern over so many characters of a text; past that, `TimeoutError`: nothing is
# skipped.
_TIME_LIMIT: Final = 0.05
_PER: Final = 8192

_LETTERS: Final = string.ascii_letters + " \t\r\n,;!?'\"`*()"
_ONLY_LETTERS: Final = re.compile(f"[{re.escape(_LETTERS)}]*")

_WORD_BEYOND_ASCII: Final = regex.compile(r"[\w--\p{ASCII}]", regex.V1)
_BEYOND_ASCII: Final = regex.compile(r"[^\x00-\x7f]")


class Entity(NamedTuple):
    """One piece of personal data in a text."""

    kind: str
    score: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern of a recognizer and the ways to run it.

    `fast` is the RE2 program with the same spans on ASCII text; `shadowed` says that it has them on
    the shadow of any text. A `weak` match is reported only if its context supports it.
    """

    score: float
    weak: bool
    pattern: Any
    fast: Any
    shadowed: bool

    def matches(self, text: str) -> Iterable[Any]:
        """Return the matches in a text; raise `TimeoutError` if that takes too long."""
        if self.fast is not None and text.isascii():
            found = self.fast.finditer(text)
        elif self.fast is not None and self.shadowed:
            found = self.fast.finditer(shadow(text))
        else:
            found = self.pattern.finditer(text, timeout=_TIME_LIMIT * (1 + len(text) / _PER))
        return found  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Ready:
    """A recognizer made ready to run, and where its rules are in the gate."""

    recognizer: Recognizer
    rules: tuple[Rule, ...]
    first: int
    context: Context

    def find(self, text: str, hits: Collection[int], supported: bool) -> Iterable[Entity]:
        """Return what it finds; `supported` says that the text may hold its context words."""
        called = [
            rule
            for index, rule in enumerate(self.rules, self.first)
            if index in hits and (supported or not rule.weak)
        ]
        if not called:
            return ()
        found = _matched(self.recognizer, called, text)
        return _in_context(text, found, self.context if supported else None)


class Presidio:
    """Finds personal data of the kinds that are not bound to a country, and of some countries."""

    def __init__(self, countries: Iterable[str], phone_regions: Iterable[str]) -> None:
        regions = frozenset(phone_regions)
        self._phones = phones.Phones(regions) if regions else None
        self._phone_context = context_of(phones.CONTEXT)
        # In the gate, the numbers come first, if asked for; in the one of the words, last.
        gated: list[Wide | None] = [self._phones.wide()] if self._phones else []
        self._ready = []
        for recognizer in recognizers(tuple(sorted(set(countries)))):
            self._ready.append(_ready(recognizer, len(gated)))
            gated += [_wide(pattern, recognizer.flags) for pattern, _ in recognizer.patterns]
        contexts = [*(ready.recognizer.context for ready in self._ready), phones.CONTEXT]
        self.gate = Gate(gated)
        self._words = Gate([any_word(context) for context in contexts], len(contexts))
        self._letters_are_none = not any(
            may_consist_of(pattern, frozenset(_LETTERS))
            for ready in self._ready
            for pattern, _ in ready.recognizer.patterns
        )

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that may be found."""
        known = {ready.recognizer.kind for ready in self._ready}
        return frozenset(known | {phones.KIND} if self._phones else known)

    def may_find(self, text: str) -> bool:
        """Return False only where `find` finds nothing, in the text and in any line of it."""
        if self._letters_are_none and _ONLY_LETTERS.fullmatch(text):  # nor is there a number
            return False
        return bool(self.gate.hits(text))

    def parts(self) -> Iterator[str]:
        """Return what decides which entities are found, in a fixed order."""
        for ready in self._ready:
            each = ready.recognizer
            yield repr((each.kind, each.patterns, each.flags, each.context, each.by_group))

    def find(self, text: str) -> list[Entity]:
        """Return the personal data in a text, in the order of the text."""
        hits = self.gate.hits(text)
        if not hits:
            return []
        words = self._words.hits(text)
        found: list[Entity] = []
        if self._phones is not None and 0 in hits:
            context = self._phone_context if len(self._ready) in words else None
            found += _in_context(text, _numbers(self._phones, text), context)
        for index, ready in enumerate(self._ready):
            found += ready.find(text, hits, index in words)
        return sorted(without_covered(found), key=lambda entity: (entity.start, entity.end))


def shadow(text: str) -> str:
    r"""Return an ASCII text that is the same to a pattern that asks only for `\w` beyond ASCII."""
    return _BEYOND_ASCII.sub(" ", _WORD_BEYOND_ASCII.sub("a", text))


def without_covered(entities: Iterable[Entity]) -> list[Entity]:
    """Drop what lies within another of the same kind that scores as high or higher."""
    kept: list[Entity] = []
    active: list[Entity] = []
    for entity in sorted(set(entities), key=_outermost_first):
        kind, score, start, end = entity
        active = [other for other in active if other.kind == kind and other.end >= start]
        if not any(
            other.start <= start and end <= other.end and score <= other.score for other in active
        ):
            kept.append(entity)
            active.append(entity)
    return kept


def _outermost_first(entity: Entity) -> tuple[str, int, int, float]:
    return entity.kind, entity.start, -entity.end, -entity.score


def _ready(recognizer: Recognizer, first: int) -> Ready:
    return Ready(
        recognizer=recognizer,
        rules=tuple(_rule(recognizer, *pattern) for pattern in recognizer.patterns),
        first=first,
        context=context_of(recognizer.context),
    )


def _rule(recognizer: Recognizer, pattern: str, score: float) -> Rule:
    try:
        fast = None if recognizer.by_group else exact(pattern, recognizer.flags)
    except UntranslatableError:
        fast = None
    return Rule(
        score=score,
        weak=score < MIN_SCORE and recognizer.validate is None,
        pattern=regex.compile(pattern, recognizer.flags),
        fast=fast,
        shadowed=fast is not None and asks_only_for_words(pattern),
    )


def _wide(pattern: str, flags: int) -> Wide | None:
    try:
        return widened(pattern, flags)
    except UntranslatableError:
        return None


def _numbers(found: phones.Phones, text: str) -> list[Entity]:
    return without_covered(
        Entity(phones.KIND, phones.SCORE, start, end) for start, end in found.spans(text)
    )


def _matched(recognizer: Recognizer, rules: Sequence[Rule], text: str) -> list[Entity]:
    if recognizer.by_group:
        return [entity for rule in rules for entity in _by_group(recognizer, rule, text)]
    return without_covered(entity for rule in rules for entity in _by_match(recognizer, rule, text))


def _by_match(recognizer: Recognizer, rule: Rule, text: str) -> Iterator[Entity]:
    for match in rule.matches(text):
        start, end = match.span()
        score = _checked(recognizer, rule.score, text[start:end])
        if score:
            yield Entity(recognizer.kind, score, start, end)


def _by_group(recognizer: Recognizer, rule: Rule, text: str) -> Iterator[Entity]:
    """Try the end of each group of a match, from the last, until the value passes its check."""
    for match in rule.matches(text):
        start = match.start()
        for number in range(match.re.groups, 0, -1):
            end = match.end(number)
            score = _checked(recognizer, rule.score, text[start:end])
            if score:
                yield Entity(recognizer.kind, score, start, end)
                break


def _checked(recognizer: Recognizer, score: float, value: str) -> float:
    """Return the score of a matched value after its check digits: 0 if it fails them."""
    if not value:
        return 0.0
    valid = recognizer.validate(value) if recognizer.validate else None
    if valid is not None:
        score = 1.0 if valid else 0.0
    if score and recognizer.invalidate and recognizer.invalidate(value):
        return 0.0
    return score


def _in_context(text: str, entities: Iterable[Entity], context: Context | None) -> Iterator[Entity]:
    """Raise the scores that the words around support, and leave out what then scores too low."""
    for entity in entities:
        score = entity.score
        if context and score < 1.0 and context.supported_by(words_around(text, entity.start)):
            score = boosted(score)
        if score >= MIN_SCORE:
            yield entity._replace(score=score)
