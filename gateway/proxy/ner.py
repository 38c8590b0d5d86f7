"""How a worker asks the models of names: one connection to their process, made again when it ends.

Nobody waits for a process that is away, and nobody longer than the deadline: a question without an
answer is a detector that failed, and the rules say what that means.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from gateway.ner import frames, streams
from gateway.ner.frames import Ask, Cancel, Found, FrameError, Hello, Refused
from gateway.proxy import metrics
from policies.detectors.ner import Span

log = logging.getLogger(__name__)

PENDING_MAX: Final = 64
AGAIN_S: Final = 0.2
AGAIN_S_MAX: Final = 2.0
HELLO_S: Final = 5.0


class NotRead(Exception):
    """A question has no answer: `reason` is away, busy, late, failed or too_large."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Told(NamedTuple):
    """The names in each text, and the version of the models that found them."""

    version: str
    spans: tuple[tuple[Span, ...], ...]


class Client:
    """Asks at one socket. `keep` must run meanwhile."""

    def __init__(
        self, path: Path, deadline_s: float, clock: Callable[[], float], characters: int
    ) -> None:
        self.text_max = characters
        self._path = path
        self._deadline_s = deadline_s
        self._clock = clock
        self._numbers = count(1)
        self._pending: dict[int, asyncio.Future[Told]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self.version = ""

    version: str
    """That of the models, as they said last; empty before they ever did."""

    text_max: int
    """Characters of one text above which it is not asked about."""

    async def keep(self) -> None:
        """Connect, and again whenever that ends."""
        pause_s = AGAIN_S
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                pause_s = min(pause_s * 2, AGAIN_S_MAX)
            else:
                pause_s = AGAIN_S
                await self._attend(reader, writer)
            await asyncio.sleep(pause_s)

    async def ask(self, texts: Sequence[str]) -> Told:
        """Return the names in each text. Raises NotRead."""
        writer = self._writer
        if writer is None:
            raise NotRead("away")
        # What a process that hangs does not take in would pile up here, question by question.
        unsent = writer.transport.get_write_buffer_size()
        if len(self._pending) >= PENDING_MAX or unsent > frames.FRAME_MAX:
            raise NotRead("busy")
        number, begun = next(self._numbers), self._clock()
        try:
            frame = frames.encode(Ask(number, int(self._deadline_s * 1000), tuple(texts)))
        except FrameError:
            raise NotRead("too_large") from None
        answer: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        try:
            writer.write(frame)
            async with asyncio.timeout(self._deadline_s):
                return await answer
        except TimeoutError:
            raise NotRead("late") from None
        finally:
            self._settle(number, writer)
            metrics.NER_SECONDS.observe(self._clock() - begun)

    def _settle(self, number: int, writer: asyncio.StreamWriter) -> None:
        """Forget a question; one that nobody answered is not worked on any more."""
        if self._pending.pop(number, None) is not None and not writer.transport.is_closing():
            writer.write(frames.encode(Cancel(number)))

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take in answers until the connection ends; what is asked then has failed."""
        try:
            async with asyncio.timeout(HELLO_S):
                hello = await _answer(reader)
            if not isinstance(hello, Hello):
                raise FrameError("it does not begin with a hello")
            self.version, self._writer = hello.version, writer
            metrics.NER_CONNECTED.set(1)
            log.info("ner_connected", extra={"models": hello.models})
            while (message := await _answer(reader)) is not None:
                self._take(message, hello.version)
        except (FrameError, OSError, TimeoutError) as error:
            log.warning("ner_connection_lost", extra={"error": str(error) or type(error).__name__})
        finally:
            self._writer = None
            metrics.NER_CONNECTED.set(0)
            for answer in self._pending.values():
                _fail(answer, "away")
            self._pending.clear()
            writer.transport.abort()

    def _take(self, message: Hello | Found | Refused, version: str) -> None:
        if isinstance(message, Hello):
            raise FrameError("it says hello twice")
        answer = self._pending.pop(message.id, None)
        if answer is None or answer.done():
            return  # given up meanwhile
        if isinstance(message, Refused):
            _fail(answer, message.reason)
        else:
            answer.set_result(Told(version, message.spans))


async def _answer(reader: asyncio.StreamReader) -> frames.Answer | None:
    body = await streams.read(reader)
    return None if body is None else frames.answer(body)


def _fail(answer: asyncio.Future[Told], reason: str) -> None:
    if not answer.done():
        answer.set_exception(NotRead(reason))
