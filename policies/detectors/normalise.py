"""Other readings of a text, as a model may take it, each with its way back to the text. Pure.

A *view* is what remains when tricks of writing are undone: invisible characters taken out,
compatible forms folded, look-alike letters made plain, hidden or encoded text decoded. Views are
only read; what is forwarded or redacted is the text itself, so each character of a view knows the
part of the text that it came from. Plain ASCII has no other reading than what is encoded in it.
"""

import binascii
import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

RAW: Final = "raw"
MAX_GROWTH: Final = 4  # times the length of the text
_ALLOWANCE: Final = 64  # characters that a short text may grow by in any case
_MIN_PRINTABLE: Final = 0.7  # of what base64 decodes to, or it was not text

# Drawn as nothing: soft hyphen, joiners, fillers, bidi controls, variation selectors, tags ...
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BEYOND_ASCII: Final = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")  # with what it may combine with
_CONJOINING: Final = ("\u1160", "\u11ff")  # Hangul vowels and finals, which join what is before

# The flags of England, Scotland and Wales are the only tag sequences in use.
FLAG: Final = re.compile(
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    "|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_TAG: Final = re.compile("[\U000e0020-\U000e007e]")
SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")

_MORE_SELECTORS: Final = 0xE0100
_SEVERAL: Final = "\uffff"  # no character, and never one
_REMEMBERED: Final = 16384  # characters of one table

BASE64_RUN: Final = r"[A-Za-z0-9+/_-]{20,}"
PERCENT_RUN: Final = r"%[0-9A-Fa-f]{2}"
_BASE64: Final = re.compile(rf"{BASE64_RUN}(?:\r?\n[A-Za-z0-9+/_-]{{4,}})*={{0,2}}")
_PERCENT: Final = re.compile(rf"(?:{PERCENT_RUN})+")
_URL_SAFE: Final = str.maketrans("-_", "+/", "\r\n=")


class ViewTooLargeError(ValueError):
    """Undoing the tricks of a text gives far more text than was sent."""


@dataclass(frozen=True, slots=True)
class View:
    """A reading of a text; its character `i` stands for `[starts[i], ends[i])` of the text."""

    name: str
    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the part of the text that a part of the view, not empty, came from."""
        return self.starts[start], self.ends[end - 1]


class _Writer:
    """Collects the characters of a view and where they come from, in the terms of a view before."""

    def __init__(self, origin: View | None = None) -> None:
        self._origin = origin
        self._text: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []

    def keep(self, characters: str, start: int) -> None:
        """Add characters that stand there one for one."""
        stop = start + len(characters)
        self._text.append(characters)
        if self._origin is None:
            self._starts += range(start, stop)
            self._ends += range(start + 1, stop + 1)
        else:
            self._starts += self._origin.starts[start:stop]
            self._ends += self._origin.ends[start:stop]

    def put(self, characters: str, start: int, end: int) -> None:
        """Add characters that all stand for one part."""
        if self._origin is not None and characters:
            start, end = self._origin.span(start, end)
        self._text.append(characters)
        self._starts += [start] * len(characters)
        self._ends += [end] * len(characters)

    def put_each(self, parts: Sequence[str], places: Sequence[int]) -> None:
        """Add parts that each stand for one character, at its place."""
        text = "".join(parts)
        if len(text) != len(parts):
            for part, place in zip(parts, places, strict=True):
                self.put(part, place, place + 1)
            return
        self._text.append(text)
        if self._origin is None:
            self._starts += places
            self._ends += [place + 1 for place in places]
        else:
            self._starts += [self._origin.starts[place] for place in places]
            self._ends += [self._origin.ends[place] for place in places]

    def view(self, name: str) -> View:
        """Return what was collected."""
        return View(name, "".join(self._text), self._starts, self._ends)


def plain(text: str) -> View | None:
    """Return the text without invisible characters, in NFKC; none if that is the text itself."""
    if text.isascii():
        return None
    if unicodedata.is_normalized("NFKC", text) and not _INVISIBLE.search(text):
        return None
    each = text.translate(_FOLDED_ALONE)
    if _SEVERAL not in each and each == unicodedata.normalize("NFKC", text):
        return _one_for_one("plain", each, None)
    writer = _Writer()
    done = 0
    for run in _BEYOND_ASCII.finditer(text):
        writer.keep(text[done : run.start()], done)
        _write_plain(writer, run.group(), run.start())
        done = run.end()
    writer.keep(text[done:], done)
    return _bounded(writer.view("plain"), text)


def skeleton(source: str | View) -> View | None:
    """Return a text or a view with its letters as the plain ones they look like, in lower case.

    None if nothing in it looks like anything else.
    """
    text, origin = _read(source)
    if text.isascii():
        return None
    each = text.translate(_ALIKE_ALONE)
    if _SEVERAL not in each:
        return None if each == text.lower() else _one_for_one("skeleton", each, origin)
    writer = _Writer(origin)
    done = 0
    for run in _BEYOND_ASCII.finditer(text):
        writer.keep(text[done : run.start()].lower(), done)
        parts = [_looks_like(character) for character in run.group()]
        writer.put_each(parts, range(*run.span()))
        done = run.end()
    writer.keep(text[done:].lower(), done)
    view = writer.view("skeleton")
    return None if view.text == text.lower() else _bounded(view, text)


class Reading:
    """A text that several detectors read, each in the same other views."""

    __slots__ = ("_plain", "_read", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain: View | None = None
        self._read = text.isascii()

    def plain(self) -> View | None:
        """Return `plain` of the text, made once."""
        if not self._read:
            self._plain = plain(self.text)
            self._read = True
        return self._plain


def tags(text: str) -> View | None:
    """Return the ASCII text that is written in Unicode tag characters, flags left out."""
    writer = _Writer()
    flags = [flag.span() for flag in FLAG.finditer(text)]
    for tag in _TAG.finditer(text):
        place = tag.start()
        if not any(start <= place < end for start, end in flags):
            writer.put(chr(ord(tag.group()) - 0xE0000), place, place + 1)
    return _if_any(writer.view("tags"))


def selectors(text: str) -> View | None:
    """Return the text whose bytes are written as runs of variation selectors."""
    writer = _Writer()
    for run in SELECTORS.finditer(text):
        carried = bytes(_selected(character) for character in run.group())
        writer.put(carried.decode(errors="replace"), *run.span())
    return _if_any(writer.view("selectors"))


def decoded(source: str | View) -> View | None:
    """Return what base64 decodes to, and the text with its percent escapes decoded."""
    text, origin = _read(source)
    writer = _Writer(origin)
    for run in _BASE64.finditer(text):
        writer.put(_from_base64(run.group()), *run.span())
    done = 0
    for run in _PERCENT.finditer(text):
        writer.keep(text[done : run.start()], done)
        octets = binascii.unhexlify(run.group().replace("%", ""))
        writer.put(octets.decode(errors="replace"), *run.span())
        done = run.end()
    if done:
        writer.keep(text[done:], done)
    return _if_any(writer.view("decoded"))


def _read(source: str | View) -> tuple[str, View | None]:
    return (source, None) if isinstance(source, str) else (source.text, source)


def _one_for_one(name: str, text: str, origin: View | None) -> View:
    """Return the view whose every character stands for one."""
    if origin is None:
        return View(name, text, range(len(text)), range(1, len(text) + 1))
    return View(name, text, origin.starts, origin.ends)


def _if_any(view: View) -> View | None:
    return view if view.text else None


def _bounded(view: View, text: str) -> View:
    if len(view.text) > MAX_GROWTH * len(text) + _ALLOWANCE:
        raise ViewTooLargeError(view.name)
    return view


def _write_plain(writer: _Writer, run: str, offset: int) -> None:
    places: Sequence[int] = range(offset, offset + len(run))
    if _INVISIBLE.search(run):
        places = [place for place in places if not _INVISIBLE.match(run[place - offset])]
        run = _INVISIBLE.sub("", run)
    folded = unicodedata.normalize("NFKC", run)
    parts = [_folded(character) for character in run]
    if "".join(parts) == folded:
        writer.put_each(parts, places)
    else:
        _write_joined(writer, run, places, folded)


def _write_joined(writer: _Writer, run: str, places: Sequence[int], folded: str) -> None:
    """Add a run in which some characters join others, such as letters and their accents."""
    clusters = _clusters(run)
    parts = [unicodedata.normalize("NFKC", run[first:last]) for first, last in clusters]
    if "".join(parts) == folded:
        for part, (first, last) in zip(parts, clusters, strict=True):
            writer.put(part, places[first], places[last - 1] + 1)
    else:  # some join across what looked like a border: the whole run is where each is from
        writer.put(folded, places[0], places[-1] + 1)


def _clusters(run: str) -> list[tuple[int, int]]:
    borders = [index for index, character in enumerate(run) if not index or not _joins(character)]
    return list(zip(borders, [*borders[1:], len(run)], strict=True))


@functools.lru_cache(maxsize=8192)
def _folded(character: str) -> str:
    return unicodedata.normalize("NFKC", character)


@functools.lru_cache(maxsize=8192)
def _joins(character: str) -> bool:
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.combining(first) != 0 or _CONJOINING[0] <= character <= _CONJOINING[1]


def _selected(character: str) -> int:
    # The first 16 selectors stand apart from the other 240.
    code = ord(character)
    return code - 0xE0100 + 16 if code >= _MORE_SELECTORS else code - 0xFE00


def _from_base64(run: str) -> str:
    letters = run.translate(_URL_SAFE)
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    octets = binascii.a2b_base64(letters + "=" * (-len(letters) % 4))
    text = octets.decode(errors="replace")
    printable = sum(character.isprintable() or character.isspace() for character in text)
    printable -= text.count("\ufffd")
    return f"{text}\n" if printable >= _MIN_PRINTABLE * len(text) else ""


@functools.lru_cache(maxsize=8192)
def _looks_like(character: str) -> str:
    known = _LOOKALIKES.get(character)
    if known is not None:
        return known
    bare = (
        part
        for part in unicodedata.normalize("NFD", character)
        if unicodedata.category(part) != "Mn"
    )
    return "".join(_LOOKALIKES.get(part, part.casefold()) for part in bare)


class _Alone(dict[int, str]):
    """A table for `str.translate`: what each character becomes, looked at on its own.

    `_SEVERAL` stands for what does not become exactly one. Most writing in the world needs no more.
    """

    def __init__(self, become: Callable[[str], str]) -> None:
        super().__init__()
        self._become = become

    def __missing__(self, code: int) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        became = self._become(chr(code))
        self[code] = became if len(became) == 1 else _SEVERAL
        return self[code]


def _alike(likeness: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {character: letter for letter, characters in likeness for character in characters}


_LOOKALIKES: Final = _alike(
    (
        ("a", "\u0410\u0430\u0391\u03b1\u0251\u1d00"),
        ("b", "\u0412\u0432\u0392\u03b2\u0299"),
        ("c", "\u0421\u0441\u03f2\u1d04"),
        ("d", "\u0501\u0111\u0257\u1d05"),
        ("e", "\u0415\u0435\u0395\u03b5\u0454\u1d07"),
        ("f", "\u0192\ua730"),
        ("g", "\u0261\u0262\u0581"),
        ("h", "\u041d\u043d\u0397\u04bb\u0570\u0127\u029c"),
        ("i", "\u0406\u0456\u0399\u03b9\u0131\u026a\u0269"),
        ("j", "\u0408\u0458\u0237\u1d0a"),
        ("k", "\u041a\u043a\u039a\u03ba\u1d0b"),
        ("l", "\u04c0\u04cf\u0142\u029f"),
        ("m", "\u041c\u043c\u039c\u1d0d"),
        ("n", "\u039d\u03b7\u0274\u057c\u0578\u043f"),
        ("o", "\u041e\u043e\u039f\u03bf\u03c3\u0585\u00f8\u1d0f"),
        ("p", "\u0420\u0440\u03a1\u03c1\u1d18"),
        ("q", "\u051b"),
        ("r", "\u0433\u0280"),
        ("s", "\u0405\u0455\ua731"),
        ("t", "\u0422\u0442\u03a4\u03c4\u0167\u1d1b"),
        ("u", "\u03c5\u057d\u1d1c"),
        ("v", "\u03bd\u0475\u1d20"),
        ("w", "\u051d\u0461\u03c9\u1d21"),
        ("x", "\u0425\u0445\u03a7\u03c7"),
        ("y", "\u0423\u0443\u03a5\u03b3\u04af\u028f"),
        ("z", "\u0396\u1d22"),
        ("ae", "\u00e6"),
        ("oe", "\u0153"),
    )
)
# Letters in black circles and squares, and the letters that pair up to flags.
for _first in (0x1F150, 0x1F170, 0x1F1E6):
    _LOOKALIKES.update({chr(_first + place): chr(0x61 + place) for place in range(26)})

_ALIKE_ALONE: Final = _Alone(_looks_like)
_FOLDED_ALONE: Final = _Alone(lambda each: "" if _INVISIBLE.match(each) else _folded(each))
