"""A conversation with a model in no vendor's words: each chat dialect is read into it, and written
from it. Pure.

It holds what at least two dialects can say. What only one can is in `other`, by the client's name
for it: the dialect that it is written in says whether it can be left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gateway.exchange import Body
from gateway.providers import document
from gateway.providers.gemini.signed import SIGNED

Role = Literal["system", "user", "assistant"]
_LEFT_TO_THE_MODEL = frozenset({"", "auto"})


class Text(NamedTuple):
    """Words."""

    text: str


class Media(NamedTuple):
    """An image, a sound or a document: its bytes in base64, or the address where they are.

    `kind` is "image", "audio" or "document"; `detail` is how closely an image is looked at.
    """

    kind: str
    media_type: str
    data: str
    url: str = ""
    name: str = ""
    detail: str = ""


class Reasoning(NamedTuple):
    """What a model thought: in clear with the vendor's `signature`, or only `sealed`."""

    text: str
    signature: str = ""
    sealed: str = ""


class Declined(NamedTuple):
    """The words in which a model refused."""

    text: str


class ToolUse(NamedTuple):
    """A tool that a model calls; `arguments` is the JSON text that it wrote."""

    id: str
    name: str
    arguments: str


class ToolResult(NamedTuple):
    """What a tool gave back."""

    id: str
    parts: "tuple[Text | Media, ...]"
    failed: bool = False


Part = Text | Media | Reasoning | Declined | ToolUse | ToolResult


class Turn(NamedTuple):
    """What one side says at once. The results of tools stand in turns of the user."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""


class Tool(NamedTuple):
    """A tool that the client runs. `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: Body
    strict: bool | None = None


class ToolChoice(NamedTuple):
    """Which tools may be called: "auto", "none", "required", or the one of that `name`."""

    mode: str
    name: str = ""


class Format(NamedTuple):
    """The form of the answer: JSON, of a schema or of any."""

    schema: Body | None
    name: str = ""
    description: str = ""
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a client asks of a model. A field that is None, empty or "" was not asked for.

    `effort` is how long to think: "none", "minimal", "low", "medium", "high", "xhigh" or "max".
    `parallel` false forbids several tool calls at once.
    """

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel: bool | None = None
    n: int = 1
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()
    format: Format | None = None
    effort: str = ""
    user: str = ""
    other: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A conversation in the words of a provider; `left_out` are the fields that it cannot honour.

    They are named as the fields of `Conversation`, or, of `other`, as the client named them.
    `beside` are those of them that it could honour alone, and the field that each stands beside.
    """

    body: Body
    left_out: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)


def system_text(turns: tuple[Turn, ...]) -> str:
    """Return what all system turns say, for dialects with one place for it."""
    return "\n\n".join(text for turn in turns if turn.role == "system" if (text := words(turn)))


def words(turn: Turn) -> str:
    """Return the text of a turn."""
    return "".join(part.text for part in turn.parts if isinstance(part, Text))


def are_named(turns: tuple[Turn, ...]) -> bool:
    """Tell whether the name of who speaks is told with any turn."""
    return any(turn.name for turn in turns)


def thinks(asked: Conversation) -> bool:
    """Tell whether the model is asked to think before it answers."""
    return asked.effort not in ("", "none")


def thinks_and_must_call(asked: Conversation) -> bool:
    """Tell whether the model is to think, and a tool must be called: Claude does not do both."""
    choice = asked.tool_choice
    return thinks(asked) and choice is not None and choice.mode == "required"


def details(turns: tuple[Turn, ...], *kinds: str) -> frozenset[str]:
    """Return how closely media of these kinds are to be looked at, or of any, the results of tools
    included; those that leave it to the model are not named."""
    media = [
        inner
        for turn in turns
        for part in turn.parts
        for inner in (part.parts if isinstance(part, ToolResult) else (part,))
        if isinstance(inner, Media) and (not kinds or inner.kind in kinds)
    ]
    return frozenset(one.detail for one in media) - _LEFT_TO_THE_MODEL


def thought(text: str, seal: str) -> Reasoning:
    """Return what was thought, by its text and the one string that seals it: a signature, where
    there is a text or the signature stands for itself, as Gemini's do."""
    is_signature = bool(text) or seal.startswith(SIGNED)
    return Reasoning(text, seal) if is_signature else Reasoning("", "", seal)


def arguments(text: str) -> Body:
    """Return the arguments of a tool call; none for an empty text, ValueError for no object."""
    value = document.load_last(text) if text.strip() else {}
    if isinstance(value, dict):
        return value
    raise ValueError("the arguments of a tool call are no JSON object")
