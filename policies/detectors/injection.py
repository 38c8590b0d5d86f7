"""Signs of a prompt injection in a text and in its other readings.

The score of a leaf is the sum of the weights of the different signals in it, at most 1; the score
of a call is the highest of its leaves. A signal counts once, however often it is seen.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from policies.detectors import normalise
from policies.detectors.finding import Finding
from policies.detectors.gate import Gate
from policies.detectors.normalise import RAW, Reading, View
from policies.detectors.patterns import Wide, compiled
from policies.detectors.signals import (
    BEFORE_MENTION,
    CARRIER_LENGTH,
    MENTION,
    SELECTORS,
    SIGNALS,
    TAGS,
)

MAX_SPANS: Final = 16
"""Places of one signal in one view that become findings; more would not change the score."""

_MEMORY: Final = 8 << 20  # bytes: the wordings share their words, and so a Set
_DEPTH: Final = 2  # times that what was decoded is decoded again
_BEFORE: Final = 48  # characters before a wording that are looked at
_Sight = tuple[str, str, int, int]  # kind, view, start and end in the text
_ENCODED: Final = (normalise.BASE64_RUN, normalise.PERCENT_RUN)


class Injection:
    """Finds the signals of `signals.py`; safe to share between threads."""

    def __init__(self) -> None:
        worded = [(signal, pattern) for signal in SIGNALS for pattern in signal.patterns]
        self._wordings = [(signal.kind, compiled(pattern)) for signal, pattern in worded]
        self._scores = {signal.kind: signal.weight / 100 for signal in SIGNALS}
        self._mention = compiled(BEFORE_MENTION)
        gated = [pattern for _, pattern in worded] + list(_ENCODED)
        self.gate = Gate([Wide(pattern, pattern) for pattern in gated], len(gated), _MEMORY)

    def may_find(self, text: str) -> bool:
        """Return False only where `find` finds nothing in an ASCII text, and in any line of it."""
        return bool(self.gate.hits(text))

    def parts(self) -> Iterator[str]:
        """Return what decides which signals are found."""
        yield repr((SIGNALS, BEFORE_MENTION, MAX_SPANS, CARRIER_LENGTH, _DEPTH))

    def find(self, text: str, leaf: int = 0) -> list[Finding]:
        """Return the findings in a text, each place of a kind once, as of that leaf."""
        return self.find_in(Reading(text), leaf)

    def find_in(self, reading: Reading, leaf: int) -> list[Finding]:
        """Return the same of a text whose views others read too."""
        found: dict[tuple[str, int, int], Finding] = {}
        for kind, view, start, end in self._seen(reading):
            place = (kind, start, end)
            if place not in found:
                score = self._scores[kind]
                found[place] = Finding(kind, "injection", score, leaf, start, end, view)
        return list(found.values())

    def _seen(self, reading: Reading) -> Iterator[_Sight]:
        text = reading.text
        yield from self._read(text)
        if text.isascii():
            return
        plain = reading.plain()
        if plain is not None:
            yield from self._read(plain)
        letters = normalise.skeleton(plain or text)
        if letters is not None:
            yield from self._read(letters)
        for kind, carried in ((TAGS, normalise.tags(text)), (SELECTORS, normalise.selectors(text))):
            if carried is not None:
                if len(carried.text) >= CARRIER_LENGTH:
                    yield kind, carried.name, *carried.span(0, len(carried.text))
                yield from self._read(carried)

    def _read(self, source: str | View, depth: int = _DEPTH) -> Iterator[_Sight]:
        """Look for wordings in a text or a view of it, and then in what is encoded in it."""
        text, view = (source, None) if isinstance(source, str) else (source.text, source)
        hits = self.gate.hits(text)
        if not hits:
            return
        encoded = False
        for index in sorted(hits):
            if index < len(self._wordings):
                yield from self._worded(*self._wordings[index], text, view)
            else:
                encoded = True
        if encoded and depth:
            inner = normalise.decoded(source)
            if inner is not None:
                yield from self._read(inner, depth - 1)

    def _worded(self, kind: str, program: Any, text: str, view: View | None) -> Iterator[_Sight]:
        for match in islice(program.finditer(text), MAX_SPANS):
            start, end = match.span()
            before = text[max(0, start - _BEFORE) : start]
            shown = MENTION if self._mention.search(before) else kind
            name, place = (view.name, view.span(start, end)) if view else (RAW, (start, end))
            yield shown, name, *place


def injection_score(findings: Iterable[Finding]) -> float:
    """Return the score, 0 to 1, of the findings of category injection among some findings."""
    leaves: dict[int, dict[str, int]] = {}
    for finding in findings:
        if finding.category == "injection":
            leaves.setdefault(finding.leaf, {})[finding.kind] = round(finding.score * 100)
    return max((min(100, sum(kinds.values())) for kinds in leaves.values()), default=0) / 100
