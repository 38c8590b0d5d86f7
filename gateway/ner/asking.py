"""One question to the models from where no loop runs: commands, checks and the control plane."""

import socket
from collections.abc import Sequence
from pathlib import Path

from gateway.config import Config
from gateway.ner import frames
from gateway.ner.frames import HEAD_BYTES, Ask, Found, FrameError, Hello, Refused
from policies.detectors import ner
from policies.detectors.finding import Leaf, Scan
from policies.detectors.ner import Span
from policies.pdp.request import NER


class NoAnswer(Exception):
    """The models did not answer; the message says why in a few words."""


def names_in(leaves: Sequence[Leaf], kinds: frozenset[str], config: Config) -> Scan:
    """Return the names of these kinds in all leaves; the detector has failed where the models do
    not answer in time."""
    try:
        asked = ner.questions(leaves, config.ner_characters)
    except ner.TooLargeError as error:
        return ner.too_large(error.leaf)
    texts = [text for question in asked for text in question.texts]
    try:
        told = ask(config.ner_socket, texts, config.ner_ms / 1000) if texts else ()
        found = [
            finding._replace(leaf=index)
            for index, verdict in enumerate(ner.all_findings(asked, told))
            for finding in verdict
            if finding.kind in kinds
        ]
    except (NoAnswer, ValueError):
        return Scan((), frozenset({NER}))
    return Scan(tuple(found), frozenset())


def hello(path: Path, patience_s: float) -> Hello:
    """Return who answers at a socket. Raises NoAnswer."""
    return _talk(path, (), patience_s)[0]


def ask(path: Path, texts: Sequence[str], patience_s: float) -> tuple[tuple[Span, ...], ...]:
    """Return the names in each text. Raises NoAnswer."""
    return _talk(path, texts, patience_s)[1]


def _talk(
    path: Path, texts: Sequence[str], patience_s: float
) -> tuple[Hello, tuple[tuple[Span, ...], ...]]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(patience_s)
            connection.connect(str(path))
            told = frames.answer(_frame(connection))
            if not isinstance(told, Hello):
                raise NoAnswer("what answers there does not say hello")
            if not texts:
                return told, ()
            connection.sendall(frames.encode(Ask(1, int(patience_s * 1000), tuple(texts))))
            answer = frames.answer(_frame(connection))
    except FrameError as error:
        raise NoAnswer(f"what answers there speaks otherwise: {error}") from error
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {patience_s:g} s") from error
    except OSError as error:
        raise NoAnswer(error.strerror or str(error)) from error
    if isinstance(answer, Refused):
        raise NoAnswer(f"refused: {answer.reason}")
    if not isinstance(answer, Found):
        raise NoAnswer("what answers there does not answer the question")
    return told, answer.spans


def _frame(connection: socket.socket) -> bytes:
    return _exactly(connection, frames.size_of(_exactly(connection, HEAD_BYTES)))


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), 1 << 16))
        if not part:
            raise FrameError("a frame breaks off")
        parts += part
    return bytes(parts)
