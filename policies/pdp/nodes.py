"""A document as a tree of typed values that know where they stand in their text. Pure."""

from dataclasses import dataclass, field

from policies.pdp.problem import PolicyError, Problem, split_lines

Place = tuple[int, int]
"""Line and column, both from 1; (0, 0) where a value has no text (it was stored as JSON)."""

NOWHERE: Place = (0, 0)

SPACES = " \t\r\n"

# What a double-quoted scalar writes as a backslash and one character, and how many hexadecimal
# digits follow. Every other escape is one character long.
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_ESCAPED_SPACES = " \tnrt"


@dataclass(frozen=True, slots=True)
class Origin:
    """The whole text, and where in it one scalar stands; `style` is its first sign, if any."""

    source: str
    start: int
    end: int
    style: str

    def place(self, value: str, offset: int) -> Place:
        """Return the place of the character that became `value[offset]`."""
        return place_of(self.source, self._index(value, offset))

    def _index(self, value: str, offset: int) -> int:
        """Blanks may be folded or added, but every other character has one source, in order."""
        before = sum(char not in SPACES for char in value[:offset])
        marks = self._marks()
        if value[offset:].strip(SPACES):
            return marks[before][0]
        return marks[before - 1][1] if before else self.start

    def _marks(self) -> list[tuple[int, int]]:
        """Return start and end of the source of each character of the value that is no blank."""
        marks: list[tuple[int, int]] = []
        index, end = self._inner()
        while index < end:
            width, visible = self._step(index)
            if visible:
                marks.append((index, index + width))
            index += width
        return marks

    def _inner(self) -> tuple[int, int]:
        if self.style in ("|", ">"):
            # The header, which may end in a comment, is the rest of the first line.
            header = split_lines(self.source[self.start : self.end])[0]
            return self.start + len(header), self.end
        quote = 1 if self.style else 0
        return self.start + quote, self.end - quote

    def _step(self, index: int) -> tuple[int, bool]:
        """Return how many characters are the source of one, and whether that is a visible one."""
        char = self.source[index]
        if self.style == "'" and char == "'":
            return 2, True
        if self.style == '"' and char == "\\":
            escaped = self.source[index + 1]
            width = 2 + _HEX_DIGITS.get(escaped, 0)
            if escaped in _HEX_DIGITS:
                return width, chr(int(self.source[index + 2 : index + width], 16)) not in SPACES
            return width, escaped not in _ESCAPED_SPACES and escaped not in SPACES
        return 1, char not in SPACES


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `text` is what a string would hold; `value` what the core schema makes of it."""

    value: bool | int | float | str | None
    text: str
    at: Place = NOWHERE
    origin: Origin | None = field(default=None, repr=False)

    def place(self, offset: int) -> Place:
        """Return the place of the character `text[offset]`."""
        return self.origin.place(self.text, offset) if self.origin else NOWHERE


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of nodes."""

    items: tuple["Node", ...]
    at: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys, each once, with their nodes, in the order of the text."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    at: Place = NOWHERE


Node = Scalar | Listing | Mapping


def place_of(source: str, index: int) -> Place:
    """Return the place of `source[index]`."""
    lines = split_lines(source[:index])
    return len(lines), len(lines[-1]) + 1


def fault(at: Place, message: str, hint: str = "") -> PolicyError:
    """Return the error that says `message` of this place."""
    return PolicyError([Problem(at[0], at[1], message, hint)])
