"""The walk through a body that finds its strings, and notes where each character stands. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from gateway.exchange import Body, Endpoint, Path, Segment, View
from gateway.providers import document
from gateway.providers.fault import BadAnswer, BadRequest, TooDeep
from policies.detectors.finding import Leaf

_DEEPEST = 2 * document.DEPTH + 8
_LONG_NUMBER = 1_000_000
_NOTHING: frozenset[str] = frozenset()


UNVIEWED = View((), (), ())
"""The view of an answer that no rule looks at."""


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


class Sheet:
    """A leaf in the making: lines of text, some of whose characters stand in the body."""

    __slots__ = ("_length", "_open", "_pieces", "place", "role", "segments")

    def __init__(self, role: str, place: str) -> None:
        self.role = role
        self.place = place
        self.segments: list[Segment] = []
        self._pieces: list[str] = []
        self._length = 0
        self._open = False

    def key(self, key: str, path: Path) -> None:
        """Begin a line with a key that is itself text of the body."""
        self._gap("\n" if self._length else "")
        self.add(key, path)
        self._gap(": ")
        self._open = True

    def line(self, label: str, text: str, path: Path) -> None:
        """Write a text on the line of its key, or on one of its own."""
        if not self._open and self._length:
            self._gap("\n")
        if label:
            self._gap(label + ": ")
        self.add(text, path)
        self._open = False

    def end(self) -> None:
        """End the line of a key, with or without a text on it."""
        self._open = False

    def add(self, text: str, path: Path) -> None:
        """Write a text right behind what is there."""
        if text:
            self.segments.append(Segment(self._length, self._length + len(text), path))
            self._gap(text)

    def join(self, gap: str, text: str, path: Path) -> None:
        """Write a text behind what is there and a gap, which is of no body."""
        if self._length:
            self._gap(gap)
        self.add(text, path)

    def text(self) -> str:
        """Return what has been written."""
        return "".join(self._pieces)

    def _gap(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)


class Grammar(NamedTuple):
    """What is known of one kind of JSON: its fields, their closed values, who reads them.

    `below` is the grammar of what stands under a key that is no field; None is the same again.
    """

    fields: frozenset[str]
    values: Mapping[str, frozenset[str]]
    numbers: frozenset[str] = _NOTHING
    readers: Mapping[str, "Reader"] = {}
    below: "Grammar | None" = None


class Walk:
    """One pass over one body."""

    __slots__ = ("_leaves", "_segments", "uninspected")

    def __init__(self) -> None:
        self._leaves: list[Leaf] = []
        self._segments: list[tuple[Segment, ...]] = []
        self.uninspected: list[str] = []

    def view(self) -> View:
        """Return what has been gathered."""
        return View(tuple(self._leaves), tuple(self._segments), tuple(self.uninspected))

    def text(self, text: str, path: Path, role: str, *, at: str = "") -> None:
        """Add a leaf of one string, which stands at a path of known fields."""
        if text:
            self._leaves.append(Leaf(text, role, at or place(path)))
            self._segments.append((Segment(0, len(text), path),))

    def close(self, sheet: Sheet) -> None:
        """Add a sheet as a leaf, if anything of the body stands in it."""
        if sheet.segments:
            self._leaves.append(Leaf(sheet.text(), sheet.role, sheet.place))
            self._segments.append(tuple(sheet.segments))

    def members(
        self, grammar: Grammar, node: Body, path: Path, sheet: Sheet, *, skip: tuple[str, ...] = ()
    ) -> None:
        """Read the fields of the object at `path`, but for those that were read before."""
        if len(path) > _DEEPEST:
            raise TooDeep(f"nested deeper than {_DEEPEST} levels")
        for position, (key, child) in enumerate(node.items()):
            if key not in skip:
                self.member(grammar, (position, key, child), path, sheet)

    def member(
        self, grammar: Grammar, item: tuple[int, str, Any], path: Path, sheet: Sheet
    ) -> None:
        """Read one field, given as position, key and value, of the object at `path`."""
        position, key, child = item
        if key not in grammar.fields:
            sheet.key(key, (*path, position))
            self.value(grammar.below or grammar, child, (*path, key), sheet)
            sheet.end()
        elif key in grammar.readers:
            grammar.readers[key](self, child, (*path, key), sheet)
        else:
            self.value(grammar, child, (*path, key), sheet, field=key)

    def value(
        self, grammar: Grammar, value: object, path: Path, sheet: Sheet, *, field: str = ""
    ) -> None:
        """Read what stands at `path`, under a field of the grammar or under none."""
        if isinstance(value, str):
            if value not in grammar.values.get(field, _NOTHING):
                sheet.line(field, value, path)
        elif isinstance(value, dict):
            self.members(grammar, value, path, sheet)
        elif isinstance(value, list):
            if len(path) > _DEEPEST:
                raise TooDeep(f"nested deeper than {_DEEPEST} levels")
            for index, item in enumerate(value):
                self.value(grammar, item, (*path, index), sheet, field=field)
        elif field not in grammar.numbers and not is_silent(value):
            sheet.line(field, spelled(value), path)


Reader = Callable[[Walk, Any, Path, Sheet], None]
"""Reads what stands at a path, onto a sheet or as leaves of its own."""


def place(path: Path) -> str:
    """Return how a finding names a path of known fields."""
    return "/".join(map(str, path))


def is_silent(value: object) -> bool:
    """Tell whether a value says nothing: true, false, null, a short number or one with a fraction.

    A long whole number may be a card's or a telephone's.
    """
    if value.__class__ is int or value.__class__ is float:
        return -_LONG_NUMBER < value < _LONG_NUMBER or value % 1 != 0
    return value is None or value.__class__ is bool


def spelled(value: object) -> str:
    """Return how a string, or a whole number, is read."""
    return value if isinstance(value, str) else str(int(cast("float", value)))


def shown(read: Callable[[Body], View], body: Body, *, viewed: bool) -> View:
    """Return the inspection view of an answer; an empty one where no rule looks at answers.

    BadAnswer for a body that is too deep.
    """
    try:
        return read(body) if viewed else UNVIEWED
    except TooDeep as error:
        raise BadAnswer(str(error)) from error


def inspected(
    read: Callable[[Body, Endpoint], View], body: Body, endpoint: Endpoint, joint: str = "/"
) -> View:
    """Return the inspection view of a request, as `read` gathers it.

    Refused (BadRequest) are a body that is too deep, and a NUL, since no record could hold it.
    `joint` is what stands between the steps of a place where a dialect names one.
    """
    try:
        view = read(body, endpoint)
    except TooDeep as error:
        raise BadRequest(str(error)) from error
    for leaf in view.leaves:
        if "\0" in leaf.text:
            raise BadRequest("the character U+0000 is not accepted", leaf.place.replace("/", joint))
    if "\0" in body["model"]:
        raise BadRequest("the character U+0000 is not accepted", "model")
    return view
