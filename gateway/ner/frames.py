"""What is said between the process of the models and who asks it: frames on a Unix socket. Pure.

A frame is four bytes, the length of what follows, most significant first, and a message in
MessagePack. The process begins with `Hello`; whoever asks sends `Ask` and `Cancel`, and gets
`Found` or `Refused` for each `Ask` that was not cancelled, in any order.
"""

from typing import Final, Literal, TypeVar

import msgspec

from policies.detectors.ner import Span

FRAME_MAX: Final = 16 * 1024 * 1024
"""Bytes of one message."""

HEAD_BYTES: Final = 4

Reason = Literal["busy", "late", "failed", "too_large"]
"""Why a question has no answer: too many wait, its time was over, the model raised an error, a text
is larger than what is read."""


class FrameError(Exception):
    """What came, or was to be sent, is no frame. The message holds nothing of its content."""


class Ask(msgspec.Struct, frozen=True, tag="ask", array_like=True):
    """Read these texts within so many milliseconds."""

    id: int
    wait_ms: int
    texts: tuple[str, ...]


class Cancel(msgspec.Struct, frozen=True, tag="cancel", array_like=True):
    """Nobody waits for this answer any more."""

    id: int


class Hello(msgspec.Struct, frozen=True, tag="hello", array_like=True):
    """Who answers: the version of all that decides what is found, and the models, for people."""

    pid: int
    version: str
    models: tuple[str, ...]


class Found(msgspec.Struct, frozen=True, tag="found", array_like=True):
    """The names in each of the texts."""

    id: int
    spans: tuple[tuple[Span, ...], ...]


class Refused(msgspec.Struct, frozen=True, tag="refused", array_like=True):
    """There is no answer."""

    id: int
    reason: Reason


Question = Ask | Cancel
Answer = Hello | Found | Refused
Message = TypeVar("Message")

_encoder: Final = msgspec.msgpack.Encoder()
_questions: Final[msgspec.msgpack.Decoder[Question]] = msgspec.msgpack.Decoder(Question)
_answers: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)


def encode(message: Question | Answer) -> bytes:
    """Return a whole frame. Raises FrameError for what is too large, or is no Unicode text."""
    try:
        body = _encoder.encode(message)
    except UnicodeEncodeError:
        raise FrameError("a text holds half a surrogate pair") from None
    if len(body) > FRAME_MAX:
        raise FrameError(f"{len(body)} bytes are more than the {FRAME_MAX} of a frame")
    return len(body).to_bytes(HEAD_BYTES, "big") + body


def size_of(head: bytes) -> int:
    """Return how many bytes follow. Raises FrameError for more than a frame may have."""
    size = int.from_bytes(head, "big")
    if size > FRAME_MAX:
        raise FrameError(f"{size} bytes are more than the {FRAME_MAX} of a frame")
    return size


def question(body: bytes) -> Question:
    """Read what was asked. Raises FrameError."""
    return _decoded(_questions, body)


def answer(body: bytes) -> Answer:
    """Read what was answered. Raises FrameError."""
    return _decoded(_answers, body)


def _decoded(decoder: msgspec.msgpack.Decoder[Message], body: bytes) -> Message:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The library's own words may quote what it read.
        raise FrameError("the frame holds no message that is known") from None
