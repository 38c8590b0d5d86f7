"""Answers questions to the models, one at a time, for all workers of a host.

One thread reads, because the models hold the interpreter's lock, and a second copy of them would
cost their memory again. The loop beside it takes questions in, and throws out those that nobody
waits for. What waits is bounded in number and in characters: beyond that a question is refused at
once, since an answer that comes too late is worth nothing. A text that has begun is read to its
end, so that what is too large to be read in time is refused before.
"""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.ner import frames, streams
from gateway.ner.frames import Ask, Cancel, Found, FrameError, Hello, Reason, Refused
from policies.detectors.ner import Span

log = logging.getLogger(__name__)

WAITING_MAX: Final = 64
WAITING_CHARACTERS_MAX: Final = 4 * 1024 * 1024
CONNECTIONS_MAX: Final = 512
BACKLOG: Final = 128
UNREAD_BYTES_MAX: Final = 2 * frames.FRAME_MAX

Read = Callable[[str], Sequence[Span]]
"""Finds the names in one text; whatever it raises, the question has failed."""


class SocketBusyError(Exception):
    """The socket cannot be listened on; the message says why, and what would help."""


@dataclass(slots=True, eq=False)
class Connection:
    """One who asks, and what it asked that is not answered yet."""

    writer: asyncio.StreamWriter
    asked: "dict[int, Job]" = field(default_factory=dict)

    def tell(self, message: Found | Refused | Hello) -> None:
        """Send a message; who does not read what it asked for is cut off."""
        transport = self.writer.transport
        if transport.is_closing():
            return
        self.writer.write(frames.encode(message))
        if transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            transport.abort()


@dataclass(slots=True, eq=False)
class Job:
    """A question that waits or is being read. `due` is on the steady clock."""

    connection: Connection
    ask: Ask
    due: float
    given_up: bool = False

    @property
    def size(self) -> int:
        """Characters to read."""
        return sum(map(len, self.ask.texts))


class Serving:
    """Takes in connections, and reads for them until it is stopped."""

    def __init__(self, read: Read, hello: Hello, characters: int) -> None:
        """Read texts of at most so many characters."""
        self._read = read
        self._hello = hello
        self._text_max = characters
        self._waiting: deque[Job] = deque()
        self._characters = 0
        self._arrived = asyncio.Event()
        self._connections: set[Connection] = set()

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve on a Unix socket that listens, until `stop` is set."""
        server = await asyncio.start_unix_server(self._connected, sock=listener)
        async with server, asyncio.TaskGroup() as group:
            work = group.create_task(self._work())
            await stop.wait()
            server.close()
            work.cancel()
            for connection in tuple(self._connections):
                connection.writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        connection = Connection(writer)
        self._connections.add(connection)
        try:
            connection.tell(self._hello)
            while (body := await streams.read(reader)) is not None:
                self._hear(connection, frames.question(body))
        except FrameError as error:
            log.warning("ner_frame_refused", extra={"why": str(error)})
        except OSError as error:
            log.warning("ner_connection_lost", extra={"error": type(error).__name__})
        finally:
            self._connections.discard(connection)
            for job in connection.asked.values():
                job.given_up = True
            writer.transport.abort()

    def _hear(self, connection: Connection, message: Ask | Cancel) -> None:
        if isinstance(message, Cancel):
            job = connection.asked.pop(message.id, None)
            if job is not None:
                job.given_up = True
            return
        if message.id in connection.asked:
            raise FrameError("a question has the number of one that is not answered")
        if any(len(text) > self._text_max for text in message.texts):
            connection.tell(Refused(message.id, "too_large"))
            return
        job = Job(connection, message, time.monotonic() + message.wait_ms / 1000)
        self._forget_given_up()
        if (
            len(self._waiting) >= WAITING_MAX
            or self._characters + job.size > WAITING_CHARACTERS_MAX
        ):
            connection.tell(Refused(message.id, "busy"))
            return
        connection.asked[message.id] = job
        self._waiting.append(job)
        self._characters += job.size
        self._arrived.set()

    def _forget_given_up(self) -> None:
        """Make room for what somebody waits for."""
        now = time.monotonic()
        kept = [job for job in self._waiting if not job.given_up and now < job.due]
        for job in self._waiting:
            if not job.given_up and now >= job.due:
                self._answer(job, Refused(job.ask.id, "late"))
        self._waiting = deque(kept)
        self._characters = sum(job.size for job in kept)

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            job = self._waiting.popleft()
            self._characters -= job.size
            self._answer(job, await asyncio.to_thread(self._done, job))

    def _done(self, job: Job) -> Found | Refused:
        """Read the texts of a question. In the one thread that reads."""
        found: list[tuple[Span, ...]] = []
        for text in job.ask.texts:
            if job.given_up or time.monotonic() >= job.due:
                return Refused(job.ask.id, "late")
            try:
                found.append(tuple(self._read(text)))
            except Exception as error:  # noqa: BLE001 - whatever a model does, the caller is told
                # The type alone: a message, or a traceback, may hold the text.
                log.error("ner_failed", extra={"error": type(error).__name__})  # noqa: TRY400
                return Refused(job.ask.id, _FAILED)
        return Found(job.ask.id, tuple(found))

    def _answer(self, job: Job, message: Found | Refused) -> None:
        if job.given_up:
            return
        job.connection.asked.pop(job.ask.id, None)
        try:
            job.connection.tell(message)
        except FrameError:
            job.connection.tell(Refused(job.ask.id, _FAILED))


_FAILED: Final[Reason] = "failed"


def check_free(path: Path) -> None:
    """Raise SocketBusyError where something stands at the path that is not to be replaced."""
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise SocketBusyError(f"{path} is no socket: name another place in GATEHOUSE_NER_SOCKET.")
    if _answers(path):
        raise SocketBusyError(
            f"A process answers at {path} already: stop it, or name another place in "
            "GATEHOUSE_NER_SOCKET."
        )


def listen(path: Path) -> socket.socket:
    """Return a socket that listens at the path, for this account alone.

    What a process that was killed left there is replaced; raises SocketBusyError where one answers.
    """
    check_free(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(draft))
        draft.chmod(0o600)
        listener.listen(BACKLOG)
        draft.rename(path)  # in one step: nobody sees a socket that does not answer
    except OSError as error:
        listener.close()
        draft.unlink(missing_ok=True)
        raise SocketBusyError(
            f"{path} cannot be listened on ({error}): name another place in GATEHOUSE_NER_SOCKET."
        ) from error
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.settimeout(1)
        probe.connect(str(path))
        return True
    return False
