"""One pipelined connection to Redis: whatever the calls of one loop turn send travels together.

Rules that keep replies and callers matched (a mismatch could grant money twice):
- one owner task connects; a caller that is cancelled never touches the connection;
- replies come in order, each to its own future; a connection with an overdue reply is closed;
- an error is the reply of its own command only; NOSCRIPT alone is sent again, as EVAL.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import hiredis
from redis.asyncio.connection import parse_url

log = logging.getLogger(__name__)

Argument = bytes | str | int

FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.05, 1.0
TURN_S = 0.005


class StoreDown(Exception):
    """Redis does not answer, or not in time."""


class StoreError(Exception):
    """Redis refused one command; the message is Redis's own."""


class Script:
    """A Lua script, sent by its digest."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_bytes()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()


class Heard(Protocol):
    """Takes in a reply, or why there is none: as a future does."""

    def done(self) -> bool:
        """Whether it has taken in anything, or nobody wants to know any more."""

    def set_result(self, reply: Any, /) -> None:
        """Take in a reply, which may be Redis's refusal."""

    def set_exception(self, failure: Exception, /) -> None:
        """Take in that there will be none."""


class Waiting(NamedTuple):
    """A command whose reply is due."""

    heard: Heard
    deadline: float


class _Unheard:
    """Takes in the replies that nobody waits for: what goes wrong is logged."""

    def done(self) -> bool:
        """Return False: it hears all."""
        return False

    def set_result(self, reply: Any) -> None:
        """Log a refusal."""
        if isinstance(reply, Exception):
            self.set_exception(reply)

    def set_exception(self, failure: Exception) -> None:
        """Log a failure."""
        log.warning("redis_command_lost", extra={"error": str(failure)})


UNHEARD = _Unheard()


class _Wire(asyncio.Protocol):
    """The bytes: replies are parsed as they come and given to the futures in order."""

    def __init__(self, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._reader = hiredis.Reader()
        self._waiting: deque[Waiting] = deque()
        self._outbox: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._suspect: Waiting | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # a stream has no other

    def data_received(self, data: bytes) -> None:
        """Give each whole reply to the caller that waits longest."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                if not self._waiting:
                    self.close()
                    return
                heard = self._waiting.popleft().heard
                if not heard.done():
                    heard.set_result(reply)
        except hiredis.ProtocolError:
            log.warning("redis_not_understood")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail everything that still waits."""
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            heard = self._waiting.popleft().heard
            if not heard.done():
                heard.set_exception(StoreDown("the connection to Redis was lost"))
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, packed: bytes) -> asyncio.Future[Any]:
        """Queue one packed command; return what its reply will be."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        self.post(packed, reply)
        return reply

    def post(self, packed: bytes, heard: Heard) -> None:
        """Queue one packed command; its bytes leave at the end of this turn of the loop."""
        if self.closed.done():
            raise StoreDown("the connection to Redis was lost")
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(packed)
        self._waiting.append(Waiting(heard, self._loop.time() + self._timeout_s))
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout_s, self._overdue)

    def close(self) -> None:
        """Drop the connection: nothing sent on it can be trusted any more."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._outbox))
        self._outbox.clear()

    def _overdue(self) -> None:
        """Look whether the oldest reply is late, and give the loop a turn to read what is there."""
        self._watch = None
        if not self._waiting:
            return
        oldest = self._waiting[0]
        rest = oldest.deadline - self._loop.time()
        if rest > 0:
            self._watch = self._loop.call_later(rest, self._overdue)
        elif oldest is self._suspect:
            log.warning("redis_overdue", extra={"waiting": len(self._waiting)})
            self.close()
        else:
            self._suspect = oldest
            self._watch = self._loop.call_later(TURN_S, self._overdue)


class Connection:
    """A connection that its owner task keeps up. Calls fail at once while it is down."""

    def __init__(self, url: str, timeout_s: float, scripts: Sequence[Script] = ()) -> None:
        self._url = url
        self._scripts = [script.text for script in scripts]
        self._timeout_s = timeout_s
        self._wire: _Wire | None = None
        self.run_id = ""
        self.up = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether a call would be sent now."""
        return self._wire is not None

    async def keep(self) -> None:
        """Connect, and connect again whenever the connection is lost; runs until cancelled."""
        backoff = FIRST_BACKOFF_S
        while True:
            wire = None
            try:
                wire = await self._connect()
                backoff = FIRST_BACKOFF_S
                self.up.set()
                await wire.closed
            except (OSError, StoreDown, StoreError, TimeoutError) as error:
                log.warning("redis_down", extra={"error": type(error).__name__})
            finally:
                self._wire = None
                self.up.clear()
                if wire is not None:
                    wire.close()
            await asyncio.sleep(backoff)
            backoff = min(LAST_BACKOFF_S, backoff * 2)

    async def execute(self, *arguments: Argument) -> Any:
        """Send one command and return its reply; raise StoreDown or StoreError."""
        return _checked(await self._send(_command(*arguments)))

    async def run(
        self,
        script: Script,
        keys: Sequence[Argument],
        arguments: Sequence[Argument],
    ) -> list[Any]:
        """Run a script and return its reply, whose first item must be its first argument."""
        reply = await self._send(_called(b"EVALSHA", script.sha, keys, arguments))
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
            reply = await self._send(_called(b"EVAL", script.text, keys, arguments))
        reply = _checked(reply)
        if reply[0].decode() != str(arguments[0]):
            self._drop()
            raise StoreDown("a reply of Redis belongs to another operation")
        whole: list[Any] = reply
        return whole

    def run_soon(
        self,
        script: Script,
        keys: Sequence[Argument],
        arguments: Sequence[Argument],
    ) -> None:
        """Run a script without anybody waiting for it; what goes wrong is logged."""
        try:
            self._up().post(_called(b"EVALSHA", script.sha, keys, arguments), UNHEARD)
        except StoreDown as error:
            UNHEARD.set_exception(error)

    def _send(self, packed: bytes) -> asyncio.Future[Any]:
        return self._up().send(packed)

    def _up(self) -> _Wire:
        if self._wire is None:
            raise StoreDown("Redis is away")
        return self._wire

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _connect(self) -> _Wire:
        options: dict[str, Any] = dict(parse_url(self._url))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            if "path" in options:
                _, wire = await loop.create_unix_connection(self._make_wire, options["path"])
            else:
                _, wire = await loop.create_connection(
                    self._make_wire,
                    options.get("host", "localhost"),
                    options.get("port", 6379),
                    ssl=True if self._url.startswith("rediss:") else None,
                )
        try:
            await self._greet(wire, options)
        except BaseException:
            wire.close()
            raise
        self._wire = wire
        return wire

    def _make_wire(self) -> _Wire:
        return _Wire(self._timeout_s)

    async def _greet(self, wire: _Wire, options: dict[str, Any]) -> None:
        async def ask(*arguments: Argument) -> bytes:
            async with asyncio.timeout(5):
                reply: bytes = _checked(await wire.send(_command(*arguments)))
                return reply

        if options.get("password"):
            user = (options["username"],) if options.get("username") else ()
            await ask("AUTH", *user, options["password"])
        if options.get("db"):
            await ask("SELECT", str(options["db"]))
        for text in self._scripts:
            await ask("SCRIPT", "LOAD", text)
        server = (await ask("INFO", "server")).decode()
        self.run_id = next(
            line.partition(":")[2] for line in server.splitlines() if line.startswith("run_id:")
        )


def _called(
    name: bytes, script: bytes, keys: Sequence[Argument], arguments: Sequence[Argument]
) -> bytes:
    """Return the bytes of the command that runs a script."""
    return _command(name, script, len(keys), *keys, *arguments)


def _command(*arguments: Argument) -> bytes:
    # The stub of hiredis asks for one argument; it takes any number.
    packed: bytes = hiredis.pack_command(arguments)  # type: ignore[arg-type]
    return packed


def _checked(reply: Any) -> Any:
    if isinstance(reply, hiredis.HiredisError):
        raise StoreError(str(reply))
    return reply
