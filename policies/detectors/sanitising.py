"""Takes out of a text what hides text in it. Pure.

Nothing that a detector could not see comes into being: invisible characters are looked through by
each detector, and where a comment is taken out, a blank stays if two words would become one.
"""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from policies.detectors.normalise import FLAG, SELECTORS

_TAGS: Final = re.compile("[\U000e0000-\U000e007f]+")
_ZERO_WIDTH: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2064\u2065\u206a-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb]+"
)
_JOINERS: Final = "\u200c\u200d"
_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_COMMENT: Final = re.compile(r"<!--.*?--!?>|<!--", re.DOTALL)


_Span = tuple[int, int]


class Removal(NamedTuple):
    """Characters `start` to `end` become `text`, because of that carrier."""

    start: int
    end: int
    text: str
    carrier: str


def removals(text: str, carriers: Container[str]) -> list[Removal]:
    """Return what to take out of a text, in order, none overlapping.

    Kept are the flags that are written in tags, and a single joiner between two letters beyond
    ASCII, as Persian, Indic scripts and emoji need it. A comment without an end loses its begin.
    """
    hidden = [] if text.isascii() else sorted(_hidden(text, carriers))
    if "html_comments" not in carriers:
        return hidden
    comments = list(_comments(text, hidden))
    kept = [item for item in hidden if not any(_inside(item, comment) for comment in comments)]
    return sorted([*kept, *comments])


def _hidden(text: str, carriers: Container[str]) -> Iterator[Removal]:
    for carrier, places in _PLACES.items():
        if carrier in carriers:
            for start, end in places(text):
                yield Removal(start, end, "", carrier)


def _in_tags(text: str) -> Iterator[_Span]:
    flags = [flag.span() for flag in FLAG.finditer(text)]
    for found in (*_TAGS.finditer(text), *SELECTORS.finditer(text)):
        start, end = found.span()
        if not any(first <= start and end <= last for first, last in flags):
            yield start, end


def _without_width(text: str) -> Iterator[_Span]:
    for found in _ZERO_WIDTH.finditer(text):
        if not _joins(text, *found.span()):
            yield found.span()


def _turning(text: str) -> Iterator[_Span]:
    for found in _BIDI.finditer(text):
        yield found.span()


_PLACES: Final[Mapping[str, Callable[[str], Iterator[_Span]]]] = {
    "unicode_tags": _in_tags,
    "zero_width": _without_width,
    "bidi": _turning,
}


def _joins(text: str, start: int, end: int) -> bool:
    """Say whether a joiner stands where scripts need one."""
    around = text[:start][-1:], text[end:][:1]
    return (
        end - start == 1
        and text[start] in _JOINERS
        and all(char > "\x7f" and not char.isspace() for char in around)
    )


def _comments(text: str, hidden: Iterable[Removal]) -> Iterator[Removal]:
    """Find comments in what remains, and give their places in the text."""
    shown: list[int] = []
    done = 0
    for item in hidden:
        shown += range(done, item.start)
        done = item.end
    shown += range(done, len(text))
    remaining = "".join(map(text.__getitem__, shown))
    for found in _COMMENT.finditer(remaining):
        first, last = found.span()
        before, after = remaining[:first][-1:], remaining[last:][:1]
        words = before and after and not (before.isspace() or after.isspace())
        yield Removal(shown[first], shown[last - 1] + 1, " " if words else "", "html_comments")


def _inside(item: Removal, comment: Removal) -> bool:
    return comment.start <= item.start and item.end <= comment.end
