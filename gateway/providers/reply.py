"""What a model answers in no vendor's words: whole, or in pieces as it comes. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from gateway.exchange import Usage
from gateway.providers.conversation import Declined, Part, Reasoning, Text, ToolUse


class Said(NamedTuple):
    """More words of a choice."""

    choice: int
    text: str


class Thought(NamedTuple):
    """More of what a choice's model thinks; a signature or a sealed thought comes whole."""

    choice: int
    text: str
    signature: str = ""
    sealed: str = ""


class Refused(NamedTuple):
    """More of the words in which a model refuses."""

    choice: int
    text: str


class Called(NamedTuple):
    """A tool call begins. `call` counts the calls of a choice from 0."""

    choice: int
    call: int
    id: str
    name: str


class Argued(NamedTuple):
    """More of the arguments of a call, as JSON text."""

    choice: int
    call: int
    text: str


class Finished(NamedTuple):
    """A choice is complete: "stop", "length", "tool_calls", "content_filter", or a vendor's word.

    `sequence` is the stop sequence that ended it, where it is known.
    """

    choice: int
    reason: str
    sequence: str = ""


Piece = Said | Thought | Refused | Called | Argued | Finished


class Spoken(NamedTuple):
    """One whole choice."""

    parts: tuple[Part, ...]
    finish: str
    sequence: str = ""


class Reply(NamedTuple):
    """A whole answer; `usage` is None where it was not told."""

    id: str
    model: str
    choices: tuple[Spoken, ...]
    usage: Usage | None


def pieces(reply: Reply) -> list[Piece]:
    """Return the pieces that a whole answer would have come in."""
    found: list[Piece] = []
    for choice, spoken in enumerate(reply.choices):
        calls = 0
        for part in spoken.parts:
            match part:
                case Text(text):
                    found.append(Said(choice, text))
                case Reasoning(text, signature, sealed):
                    found.append(Thought(choice, text, signature, sealed))
                case Declined(text):
                    found.append(Refused(choice, text))
                case ToolUse(identity, name, arguments):
                    found += (
                        Called(choice, calls, identity, name),
                        Argued(choice, calls, arguments),
                    )
                    calls += 1
                case _:
                    raise ValueError(f"a model does not answer with {type(part).__name__}")
        found.append(Finished(choice, spoken.finish, spoken.sequence))
    return found


class Gathering:
    """The pieces of one stream put together."""

    def __init__(self) -> None:
        self._choices: dict[int, list[_Growing]] = {}
        self._finishes: dict[int, Finished] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing has been said yet."""
        return not self._choices and not self._finishes

    def add(self, told: Iterable[Piece]) -> None:
        """Take in what comes next."""
        for piece in told:
            if isinstance(piece, Finished):
                self._finishes[piece.choice] = piece
            else:
                self._grow(piece)

    def choices(self) -> tuple[Spoken, ...]:
        """Return what each choice has said."""
        last = max([*self._choices, *self._finishes], default=-1)
        return tuple(self._spoken(choice) for choice in range(last + 1))

    def _spoken(self, choice: int) -> Spoken:
        parts = tuple(growing.part() for growing in self._choices.get(choice, ()))
        finished = self._finishes.get(choice, Finished(choice, ""))
        return Spoken(parts, finished.reason, finished.sequence)

    def _grow(self, piece: Said | Thought | Refused | Called | Argued) -> None:
        parts = self._choices.setdefault(piece.choice, [])
        match piece:
            case Called(_, call, identity, name):
                parts.append(_Growing(ToolUse, call, (identity, name)))
            case Argued(_, call, text):
                grown = next(
                    part for part in parts if part.kind is ToolUse and part.call == call
                )  # a reader tells of a call before its arguments
                grown.pieces.append(text)
            case Thought():
                self._think(parts, piece)
            case Said(_, text):
                _last(parts, Text).pieces.append(text)
            case Refused(_, text):
                _last(parts, Declined).pieces.append(text)

    def _think(self, parts: "list[_Growing]", thought: Thought) -> None:
        if thought.sealed:
            parts.append(_Growing(Reasoning, sealed=thought.sealed))
            return
        growing = _last(parts, Reasoning)
        growing.pieces.append(thought.text)
        if thought.signature:
            growing.signature, growing.open = thought.signature, False


class _Growing:
    """A part in the making: its strings are joined once."""

    __slots__ = ("call", "head", "kind", "open", "pieces", "sealed", "signature")

    def __init__(
        self, kind: type[Part], call: int = -1, head: tuple[str, str] = ("", ""), sealed: str = ""
    ) -> None:
        self.kind, self.call, self.head = kind, call, head
        self.sealed, self.signature = sealed, ""
        self.open = not sealed
        self.pieces: list[str] = []

    def part(self) -> Part:
        """Return the part as it stands."""
        text = "".join(self.pieces)
        if self.kind is ToolUse:
            return ToolUse(*self.head, text)
        if self.kind is Reasoning:
            return Reasoning(text, self.signature, self.sealed)
        return Declined(text) if self.kind is Declined else Text(text)


def _last(parts: list[_Growing], kind: type[Part]) -> _Growing:
    """Return the part that goes on, or a new one."""
    if not parts or parts[-1].kind is not kind or not parts[-1].open:
        parts.append(_Growing(kind))
    return parts[-1]
