"""How long the matches of an RE2 pattern can be, and whether white space can be in them. Pure.

Read from the pattern itself, which RE2 does not tell. What RE2 has no words for is refused with its
position, and so is what depends on more of a text than a line: a stream is never seen whole.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from policies.detectors.patterns import UntranslatableError, compiled

BLANKS: Final = " \t\n\r\f"
"""White space at which a stream is cut."""

UNENDING: Final = 1 << 40
"""Characters of a match that has no longest."""

SIZE_MAX: Final = 10_000
"""Instructions, more or less, above which a pattern is refused before RE2 makes them."""

_DEPTH_MAX: Final = 30
_NUMBER: Final = r"(0|[1-9]\d{0,3})"
_REPEAT: Final = re.compile(rf"\{{{_NUMBER}(,{_NUMBER}?)?\}}")
_NO_REPEAT: Final = re.compile(r"\{,\d+\}")
_FLAGS: Final = re.compile(r"\(\?([a-zA-Z]*(?:-[a-zA-Z]*)?)([:)])")
_NAMED: Final = re.compile(r"\(\?P?<[A-Za-z_][A-Za-z0-9_]*>")
_PROPERTY: Final = re.compile(r"\\[pP](?:\{\^?\w+\}|\w)")
_HEX: Final = re.compile(r"\\x(?:\{[0-9A-Fa-f]{1,6}\}|[0-9A-Fa-f]{2})")
_OCTAL: Final = re.compile(r"\\0[0-7]{0,2}")
_KNOWN_FLAGS: Final = frozenset("isU-")
_AROUND: Final = ("(?=", "(?!", "(?<=", "(?<!")
_BACK: Final = re.compile(r"\\(?:[1-9]|k[<{']|g)|\(\?P=")
_SPAN_BOTH: Final = "(?s)"
_BARE: Final = int(compiled("").programsize)


class PatternFault(ValueError):
    """A pattern cannot be used; `position` counts its characters from 0."""

    def __init__(self, position: int, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.position = position
        self.message = message
        self.remedy = remedy


class Extent(NamedTuple):
    """Characters that a match has at least and at most, and whether it can hold a blank."""

    least: int = 0
    most: int = 0
    blank: bool = False


_ONE: Final = Extent(1, 1)
_NOTHING: Final = Extent()


def extent_of(pattern: str) -> Extent:
    """Return the extent of the matches of a pattern; PatternFault where it cannot be used."""
    reader = _Reader(pattern)
    found = reader.alternatives(0)
    if reader.at < len(pattern):
        raise PatternFault(reader.at, "this parenthesis closes nothing", r"write \) for itself")
    return found


def _then(first: Extent, second: Extent) -> Extent:
    most = min(UNENDING, first.most + second.most)
    return Extent(first.least + second.least, most, first.blank or second.blank)


def _or(first: Extent, second: Extent) -> Extent:
    blank = first.blank or second.blank
    return Extent(min(first.least, second.least), max(first.most, second.most), blank)


class _Reader:
    """Reads a pattern from its beginning; `at` is how far it has come, `_size` how many
    instructions RE2 makes of that, more or less."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._size = 0
        self.at = 0

    def alternatives(self, depth: int) -> Extent:
        if depth > _DEPTH_MAX:
            raise PatternFault(self.at, f"groups are nested more than {_DEPTH_MAX} deep")
        found = self._sequence(depth)
        while self._next("|"):
            found = _or(found, self._sequence(depth))
        return found

    def _sequence(self, depth: int) -> Extent:
        found = _NOTHING
        while self.at < len(self._pattern) and self._pattern[self.at] not in "|)":
            begin, size = self.at, self._size
            self._size += 1
            found = _then(found, self._repeated(self._atom(depth), size))
            if self._size > SIZE_MAX:
                raise PatternFault(
                    begin,
                    f"with it RE2 makes more than {SIZE_MAX:,} instructions",
                    r"repeat less, or write [a-z] for \pL",
                )
        return found

    def _next(self, sign: str) -> bool:
        if self._pattern.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def _repeated(self, one: Extent, size: int) -> Extent:
        times = self._times()
        if times is None:
            return one
        self._next("?")
        if self._times() is not None:
            raise PatternFault(self.at - 1, "a repeat of a repeat", "put the first in (?:...)")
        low, high = times
        self._size = size + (self._size - size) * (high if high < UNENDING else max(1, low))
        most = UNENDING if one.most and high == UNENDING else one.most * high
        return Extent(one.least * low, min(UNENDING, most), one.blank and high > 0)

    def _times(self) -> tuple[int, int] | None:
        for sign, low, high in (("*", 0, UNENDING), ("+", 1, UNENDING), ("?", 0, 1)):
            if self._next(sign):
                return low, high
        found = _REPEAT.match(self._pattern, self.at)
        if found is None:
            return None
        self.at = found.end()
        low = int(found[1])
        if found[2] is None:
            return low, low
        return low, int(found[3]) if found[3] else UNENDING

    def _atom(self, depth: int) -> Extent:
        sign = self._pattern[self.at]
        if sign == "(":
            return self._group(depth)
        if sign == "[":
            return self._one_of(self._class_end())
        if sign == "\\":
            return self._escape()
        if sign in "*+?":
            raise PatternFault(self.at, f"nothing stands before {sign}", f"write \\{sign} for it")
        literal = _NO_REPEAT.match(self._pattern, self.at)
        if literal is not None:
            message = f"RE2 takes {literal[0]} for a text"
            raise PatternFault(self.at, message, r"write {0,n} to repeat, or \{ for itself")
        self.at += 1
        if sign in "^$":
            return _NOTHING
        return Extent(1, 1, sign == "." or sign in BLANKS)

    def _group(self, depth: int) -> Extent:
        begin = self.at
        self._refuse_around()
        named, flags = _NAMED.match(self._pattern, begin), _FLAGS.match(self._pattern, begin)
        if flags is not None:
            self._refuse_flags(flags[1])
            self.at = flags.end()
            if flags[2] == ")":
                self._refuse_repeat("flags")
                return _NOTHING
        elif named is not None:
            self.at = named.end()
        elif self._pattern.startswith("(?", begin):
            raise PatternFault(begin, "RE2 has no such group", "write (?:...), or (...)")
        else:
            self.at += 1
        found = self.alternatives(depth + 1)
        if not self._next(")"):
            raise PatternFault(begin, "this parenthesis is never closed", r"write \( for itself")
        return found

    def _refuse_around(self) -> None:
        if _BACK.match(self._pattern, self.at):
            raise self._no_back_reference()
        if self._pattern.startswith(_AROUND, self.at):
            raise PatternFault(
                self.at,
                "RE2 has no look-around",
                r"leave it out: write \b for the border of a word, or name a validator",
            )

    def _no_back_reference(self) -> PatternFault:
        return PatternFault(
            self.at, "RE2 has no back-references", "write out what can stand there again"
        )

    def _refuse_repeat(self, after: str) -> None:
        """RE2 repeats what stands before that then, not what it closes."""
        begin = self.at
        if self._times() is not None:
            message = f"a repeat after {after} is one of what stands before"
            raise PatternFault(begin, message, "put what is repeated in (?:...)")

    def _refuse_flags(self, flags: str) -> None:
        for flag in flags:
            if flag not in _KNOWN_FLAGS:
                why = "^ and $ always stand for a line" if flag == "m" else "RE2 has no such flag"
                raise PatternFault(self.at, f"the flag {flag}: {why}", "leave it out")

    def _escape(self) -> Extent:
        begin, sign = self.at, self._pattern[self.at + 1 : self.at + 2]
        if _BACK.match(self._pattern, begin):
            raise self._no_back_reference()
        if sign in ("A", "z", "Z"):
            raise PatternFault(begin, f"\\{sign} asks where a text ends", "write ^ or $: of a line")
        if sign in ("C", ""):
            raise PatternFault(begin, "half a character is none", r"write \\ for a backslash")
        if sign in ("b", "B"):
            self.at += 2
            return _NOTHING
        if sign == "Q":
            return self._quoted()
        for known in (_PROPERTY, _HEX, _OCTAL):
            found = known.match(self._pattern, begin)
            if found is not None:
                return self._one_of(found.end())
        return self._one_of(begin + 2)

    def _quoted(self) -> Extent:
        end = self._pattern.find("\\E", self.at)
        text = self._pattern[self.at + 2 : end if end >= 0 else None]
        self.at = len(self._pattern) if end < 0 else end + 2
        self._refuse_repeat("\\E")
        self._size += len(text)
        return Extent(len(text), len(text), any(sign in BLANKS for sign in text))

    def _class_end(self) -> int:
        at = self.at + 1
        at += self._pattern.startswith("^", at)
        at += self._pattern.startswith("]", at)
        while at < len(self._pattern) and self._pattern[at] != "]":
            named = self._pattern.find(":]", at) if self._pattern.startswith("[:", at) else -1
            at = named + 2 if named >= 0 else at + 1 + (self._pattern[at] == "\\")
        if at >= len(self._pattern):
            raise PatternFault(self.at, "this bracket is never closed", r"write \[ for itself")
        return at + 1

    def _one_of(self, end: int) -> Extent:
        """Take in what stands for one character, and ask RE2 whether that can be a blank."""
        begin, self.at = self.at, end
        fragment = self._pattern[begin:end]
        try:
            blank, size = _character(fragment)
        except UntranslatableError:
            raise PatternFault(begin, f"RE2 does not know {fragment}") from None
        self._size += size
        return Extent(1, 1, blank)


@lru_cache(maxsize=1024)
def _character(fragment: str) -> tuple[bool, int]:
    """Return of what stands for one character whether that can be a blank, and its instructions."""
    program = compiled(_SPAN_BOTH + fragment)
    blank = any(program.fullmatch(blank) for blank in BLANKS)
    return blank, int(program.programsize) - _BARE
