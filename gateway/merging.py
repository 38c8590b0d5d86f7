"""Two changes of one text brought together, line by line. Pure."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.diff import LINES_MAX, Line
from gateway.diff import lines as differing

OURS, BETWEEN, THEIRS = "<<<<<<<", "=======", ">>>>>>>"


@dataclass(frozen=True, slots=True)
class Merged:
    """A text with both changes; `conflicts` counts the places where both stand, between marks."""

    text: str
    conflicts: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of two changes: what made it, and its lines beside those that both began with."""

    name: str
    text: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """Two changes of one text, side by side, and both brought together."""

    ours: Side
    theirs: Side
    merged: Merged


def sides(base: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Sides:
    """Return two changes of the base, each given as its name and its text."""
    mine, other = (Side(*each, tuple(differing(base, each[1]))) for each in (ours, theirs))
    return Sides(mine, other, merge(base, ours[1], theirs[1], (ours[0], theirs[0])))


def merge(base: str, ours: str, theirs: str, names: tuple[str, str]) -> Merged:
    """Return the base with the changes of both sides.

    Where both changed the same lines otherwise, both stand there between marks with their names: no
    line of either side is lost.
    """
    lines, conflicts = list[str](), 0
    for before, mine, other in _chunks(*map(_lines, (base, ours, theirs))):
        if mine in (other, before):
            lines += other
        elif other == before:
            lines += mine
        else:
            conflicts += 1
            lines += [f"{OURS} {names[0]}", *mine, BETWEEN, *other, f"{THEIRS} {names[1]}"]
    end = "\n" if ours.endswith("\n") or theirs.endswith("\n") else ""
    return Merged("\n".join(lines) + (end if lines else ""), conflicts)


def _lines(text: str) -> list[str]:
    """Return the lines of a text: what else some take for the end of one is part of a value."""
    return text.removesuffix("\n").split("\n") if text else []


def _chunks(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]
) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Yield in order the lines of the three between, and at, each line that all of them have."""
    mine, other = _matches(base, ours), _matches(base, theirs)
    at_base, at_ours, at_theirs = 0, 0, 0
    for index, line in enumerate(base):
        if index in mine and index in other:
            yield (
                list(base[at_base:index]),
                list(ours[at_ours : mine[index]]),
                list(theirs[at_theirs : other[index]]),
            )
            yield [line], [line], [line]
            at_base, at_ours, at_theirs = index + 1, mine[index] + 1, other[index] + 1
    yield list(base[at_base:]), list(ours[at_ours:]), list(theirs[at_theirs:])


def _matches(base: Sequence[str], side: Sequence[str]) -> dict[int, int]:
    """Return which line of a side each line of the base became."""
    junk = len(side) > LINES_MAX
    blocks = difflib.SequenceMatcher(None, base, side, autojunk=junk).get_matching_blocks()
    return {block.a + n: block.b + n for block in blocks for n in range(block.size)}
