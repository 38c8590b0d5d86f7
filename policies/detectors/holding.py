"""How much of a text that is still being written may be let go, and what of it must change. Pure.

Let go is only what more text cannot make part of anything that is looked for, so that the pieces
spell exactly what the whole text would have become. A cut is made at a blank and nowhere else:
every value that is looked for is one token, or begins in a *hot* one (a digit, a sign that numbers
are written with, the rule of a private key), or is two letters before a number. Hot tokens are held
with all that follows them until `REACH` characters have come; what was found is never cut; and
what is let go is read with what stood before it, on which its score depends.

There is no token that is too long: one without an end is held until the answer has one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from policies.detectors import normalise
from policies.detectors.context import STOP_WORDS
from policies.detectors.finding import Finding
from policies.detectors.secrets import OPEN_ENDED, OPEN_MOST, is_over

REACH: Final = 96
"""Characters that a value with blanks in it has at most, invisible ones not counted."""

LEFT: Final = 240
"""Characters before a text that are read with it; more, where they are hardly words."""

_LEFT_MOST: Final = 2048
_WORDS: Final = 8
_OFTEN: Final = 256
_FAR: Final = LEFT + _OFTEN  # as much of what was let go is read at most, where it is words

_CUTS: Final = " \t\n\r\f"
_CUT: Final = re.compile(f"[{_CUTS}]")
_HOT: Final = re.compile("[\\d+(\\[\uff0b\uff08\uff3b]|-----")
_PAIR: Final = re.compile(r"(?:\A|\W)[^\W\d_]{2}\Z")
_WORD: Final = re.compile(r"[^\W_]+")
_OPEN: Final = re.compile(r"\[[\sA-Za-z0-9_]{0,80}\Z")
_TAG: Final = re.compile(r"<[A-Za-z/!][^>]*\Z")

Change = tuple[int, int, str]
"""Characters from, to, and what stands there instead."""


class Watch(Protocol):
    """Looks at a text: what is there, and what becomes of it."""

    def may_find(self, text: str, begin: int) -> bool:
        """Return False only where `find` finds nothing that ends behind `begin`, given that
        nothing begins before it that does."""

    def find(self, text: str) -> Sequence[Finding]:
        """Return all that is found in a text."""

    def changes(self, text: str, found: Sequence[Finding]) -> Sequence[Change]:
        """Return what becomes of findings that are certain now, in the order of the text."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What is looked for: entities, links, placeholders that are to be restored.

    `reach` is how many characters a value has at most that may begin anywhere and have blanks in
    it, invisible ones not counted; 0 where there is none such.
    """

    entities: bool = True
    links: bool = False
    placeholders: bool = False
    reach: int = 0


class Passed(NamedTuple):
    """How many of the characters held are let go, and what changes in them."""

    size: int = 0
    changes: tuple[Change, ...] = ()


_NOTHING: Final = Passed()


class Hold:
    """One text in the making."""

    __slots__ = (
        "_before", "_by_token", "_due", "_held", "_manner", "_pieces", "_since", "_watch", "held"
    )  # fmt: skip

    def __init__(self, watch: Watch, manner: Manner) -> None:
        self._watch = watch
        self._manner = manner
        self._by_token = manner.entities or manner.links
        self._before = ""
        self._held = ""
        self._pieces: list[str] = []
        self._due = 0
        self._since = _FAR
        self.held = 0

    def feed(self, more: str, *, final: bool = False) -> Passed:
        """Take in more of the text; return what may go of all that is held."""
        self._pieces.append(more)
        self.held += len(more)
        if not final and self._must_wait(more):
            return _NOTHING
        text = self._held = self._held + "".join(self._pieces)
        self._pieces.clear()
        end = len(text) if final else self._end(text)
        return self._pass(text, end, len(more), final=final) if end > 0 else _NOTHING

    def _must_wait(self, more: str) -> bool:
        """Tell at little cost that nothing can go: no blank came, or a long finding is open."""
        return self.held < self._due or (self._by_token and _CUT.search(more) is None)

    def _pass(self, text: str, end: int, newest: int, *, final: bool) -> Passed:
        before = len(self._before)
        whole = self._before + text
        limit = before + end
        found = self._found(whole, before)
        if found:
            limit = _outside(found, before, limit, final=final)
            limit = limit if final else _closed(whole, found, before, limit)
        elif self._by_token and not final:
            limit = before + _at_seam(text, end, newest)
        if limit <= before:
            self._due = self.held + self.held // 8 if self.held > _OFTEN else 0
            return _NOTHING
        certain = [one for one in found if one.end <= limit]
        changes = self._watch.changes(whole, certain) if certain else ()
        self._since += limit - before
        if certain:
            self._since = limit - max(one.end for one in certain)
        self._before = self._context(whole[:limit])
        self._held = whole[limit:]
        self.held = len(self._held)
        self._due = 0
        return Passed(
            limit - before,
            tuple((max(start, before) - before, end - before, to) for start, end, to in changes),
        )

    def _found(self, whole: str, before: int) -> list[Finding]:
        """Return what is found that ends behind what was let go, if anything may be.

        What was found lately may go on in what follows, however far away (a number's extension).
        """
        if self._since >= _FAR and not self._watch.may_find(whole, before):
            return []
        return [one for one in self._watch.find(whole) if one.end > before]

    def _end(self, text: str) -> int:
        """Return where what may go ends, as far as the text alone tells."""
        if not self._by_token:
            unfinished = _OPEN.search(text)
            return unfinished.start() if unfinished else len(text)
        end = _token_start(text, len(text))
        if self._manner.entities or self._manner.placeholders:
            end = _cold(text, end)
        if self._manner.reach:
            end = min(end, _token_start(text, _reaching(text, self._manner.reach)))
        if self._manner.links:
            tag = _TAG.search(text)
            end = min(end, _token_start(text, tag.start())) if tag else end
        return end

    def _context(self, passed: str) -> str:
        """Return the end of what is let go that says how sure a later finding is."""
        left = LEFT + self._manner.reach
        if not self._by_token or len(passed) <= left + _OFTEN:
            return passed if self._by_token else ""
        begin = _token_start(passed, len(passed) - left)
        if _is_thin(passed[begin:]):
            begin = _token_start(passed, max(0, len(passed) - _LEFT_MOST))
        return passed[begin:]


def _at_seam(text: str, end: int, newest: int) -> int:
    """Return where what may go ends, or begins the newest piece, if of it only blanks may go.

    Most models write a blank with the word that follows: a piece then leaves as it came.
    """
    seam = len(text) - newest
    return seam if seam < end < len(text) and not text[seam:end].strip(_CUTS) else end


def _outside(found: Sequence[Finding], before: int, limit: int, *, final: bool) -> int:
    """Return the limit, moved to where it cuts no finding; one that may go on is cut at its end."""
    for one in sorted(found, key=lambda each: each.start, reverse=True):
        cut = one.start < limit < one.end or (one.end == limit and not final)
        if cut and one.start >= before:
            limit = one.start
    return limit


def _closed(text: str, found: Sequence[Finding], before: int, limit: int) -> int:
    """Return the limit, moved before what may still go on although it looks as if it were over."""
    for one in found:
        open_ended = one.kind == OPEN_ENDED and len(text) - one.start < OPEN_MOST
        if open_ended and one.start >= before and not is_over(text[one.start : one.end]):
            limit = min(limit, one.start)
    return limit


def _token_start(text: str, position: int) -> int:
    """Return where the token that a position lies in begins."""
    if position and text[position - 1] in _CUTS:
        return position
    at = -1
    for char in _CUTS:
        at = max(at, text.rfind(char, at + 1, position))
    return at + 1


def _cold(text: str, end: int) -> int:
    """Return where the part ends behind which no value with blanks in it may have begun."""
    hot = _hot(text, end)
    end = end if hot is None else min(end, _token_start(text, hot))
    following = text[end : end + 1]
    maybe_paired = not following or not following.isascii() or following.isdigit()
    return _token_start(text, end - 1) if end and maybe_paired and _is_pair(text, end) else end


def _hot(text: str, end: int) -> int | None:
    """Return where the first hot character of the last `REACH` ones stands."""
    found = _HOT.search(text, max(0, end - REACH), end)
    first = found.start() if found else None
    try:
        view = None if text.isascii() else normalise.plain(text[:end])
    except normalise.ViewTooLargeError:  # whatever it is, nothing of it leaves before the end
        return 0
    if view is not None:
        found = _HOT.search(view.text, max(0, len(view.text) - REACH))
        if found:
            start = view.starts[found.start()]
            first = start if first is None else min(first, start)
    return first


def _reaching(text: str, reach: int) -> int:
    """Return where something of that many characters can begin that is not over."""
    try:
        view = None if text.isascii() else normalise.plain(text)
    except normalise.ViewTooLargeError:
        return 0
    first = max(0, len(text) - reach)
    if view is None or len(view.text) <= reach:
        return first if view is None else 0
    return min(first, view.starts[len(view.text) - reach])


def _is_pair(text: str, end: int) -> bool:
    """Tell whether the token before a blank that ends there ends in two letters that stand alone,
    as read without its disguise."""
    if text.isascii():
        return _PAIR.search(text, max(0, end - 4), end - 1) is not None
    token = text[_token_start(text, end - 1) : end - 1]
    try:
        view = None if token.isascii() else normalise.plain(token)
    except normalise.ViewTooLargeError:
        return True
    return _PAIR.search(token if view is None else view.text) is not None


def _is_thin(text: str) -> bool:
    """Tell whether a text holds fewer words that say something than a score may depend on."""
    telling = (word for word in _WORD.findall(text) if word.lower() not in STOP_WORDS)
    return sum(1 for _ in telling) < _WORDS
