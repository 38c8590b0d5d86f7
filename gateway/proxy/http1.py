"""HTTP/1.1 as it is spoken to providers: one connection, one exchange after the other.

aiohttp opens the connections. Its reader makes a parser, a stream, a queue and three timers for
each answer, which cost more than all that they read; here they belong to the connection.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import httptools

MOST_HEAD_BYTES = 64 * 1024
"""How long a head may be, and what is said around a body without any of it."""
MOST_UNREAD_BYTES = 256 * 1024
"""How much of an answer may wait to be read before its provider has to."""
SHORTEST_WAIT_S = 0.001
LONGEST_PAUSE_S = 3600.0
"""How long we may leave an answer unread: longer than any call may take."""


FRAMING = frozenset({"content-length", "transfer-encoding"})
"""The headers that say where a body ends; without one it ends with its connection."""


class Broken(Exception):
    """What came back is no HTTP, or the connection ended too soon; the request was sent."""


class ReadTimeout(Broken):
    """The provider stopped sending."""


class TooLong(Broken):
    """The answer has more bytes than may be read of it."""


class Response:
    """An answer whose head is here; its connection is free again when its last byte came."""

    __slots__ = ("_connection", "_failure", "_parts", "_unread", "_waiter", "headers", "status")

    def __init__(self, connection: "Connection") -> None:
        self._connection: Connection | None = connection
        self._failure: tuple[type[Broken], str] | None = None
        self._parts: list[bytes] = []
        self._unread = 0
        self._waiter: asyncio.Future[None] | None = None
        self.status = 0
        self.headers: Mapping[str, str] = {}

    async def more(self) -> bytes:
        """Return what is here of the body, at least a byte of it; b"" behind its end.

        Raises Broken, once all that came before is read.
        """
        parts = self._parts
        while not parts:
            if self._connection is None:
                self._check()
                return b""
            await self._news()
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._unread = 0
        if self._connection is not None:
            self._connection.resume()
        return data

    async def read(self, most: int) -> bytes:
        """Return the body; raise TooLong when it has more than `most` bytes."""
        data = await self.more()
        if self._connection is not None or self._failure is not None:
            parts, size = [data], len(data)
            while size <= most and (data := await self.more()):
                parts.append(data)
                size += len(data)
            data = b"".join(parts)
        if len(data) > most:
            raise TooLong(f"the answer is larger than {most} bytes")
        return data

    def allow_pauses(self, idle_s: float) -> None:
        """From here on the time between two reads counts, no longer the one to the first byte."""
        if self._connection is not None:
            self._connection.wait_at_most(idle_s)

    def close(self) -> None:
        """Let go of the answer: what has not come yet ends its connection."""
        if self._connection is not None:
            self._connection.abort()

    async def began(self) -> None:
        """Return when the head is here."""
        while not self.status:
            self._check()
            if self._connection is None:
                raise Broken("the connection ended before the answer")
            await self._news()

    def take(self, data: bytes) -> bool:
        """Take in a part of the body; return whether more is unread than should be."""
        self._parts.append(data)
        self._unread += len(data)
        self.wake()
        return self._unread > MOST_UNREAD_BYTES

    def end(self, failure: tuple[type[Broken], str] | None = None) -> None:
        """Note that nothing comes any more, and why if that is too soon."""
        self._connection, self._failure = None, failure
        self.wake()

    def wake(self) -> None:
        """Tell whoever waits that there is news."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check(self) -> None:
        if self._failure is not None:
            kind, why = self._failure
            raise kind(why)

    async def _news(self) -> None:
        assert self._connection is not None  # noqa: S101  (nothing comes without one)
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


class Connection(asyncio.Protocol):
    """A connection to a provider. `free` is told whenever it is ready for another exchange, `lost`
    once, when it is closed."""

    def __init__(
        self,
        transport: asyncio.Transport,
        free: Callable[["Connection"], None],
        lost: Callable[["Connection", Exception | None], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.free_since_s = 0.0
        self._transport = transport
        self._free = free
        self._lost = lost
        self._is_tls = transport.get_extra_info("ssl_object") is not None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(  # no more than aiohttp takes from servers
            lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._response: Response | None = None
        self._headers: dict[str, str] = {}
        self._in_head = True
        self._ends_with_connection = False
        self._around = 0
        self._is_paused = False
        self._may_lack = False
        self._paused_s = 0.0
        self._pause_s = 0.0
        self._overdue_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether a request could be sent."""
        return not self._transport.is_closing()

    async def exchange(self, request: bytes, first_byte_s: float) -> Response:
        """Send a request, and return its answer once the head is here; raise Broken."""
        if self._transport.is_closing():
            raise Broken("the connection was closed")
        response = self._response = Response(self)
        self._in_head, self._ends_with_connection = True, False
        self._around = 0
        self.wait_at_most(first_byte_s)
        self._transport.write(request)
        try:
            await response.began()
        except BaseException:
            response.close()
            raise
        return response

    def wait_at_most(self, pause_s: float) -> None:
        """End the exchange if nothing comes for so long, from now on."""
        self._pause_s = pause_s
        self._overdue_s = self.loop.time() + pause_s
        if self._timer is None or self._timer_s > self._overdue_s:
            self._arm(pause_s)

    def resume(self) -> None:
        """Read on, if so much was unread that nothing was read any more."""
        if self._is_paused:
            self._is_paused = False
            self._overdue_s = self.loop.time() + self._pause_s
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once, whatever is still to be sent or read."""
        self._end(Broken, "the exchange was given up")

    def close(self) -> None:
        """Close a connection that nobody uses. One with something to send would wait for ever."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self._response is None:  # nobody asked
            self._transport.abort()
            return
        self._overdue_s = self.loop.time() + self._pause_s
        self._may_lack = self._is_paused
        self._around += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end(Broken, "what came back is no HTTP")
        if self._around > MOST_HEAD_BYTES and self._response is not None:
            self._end(Broken, "the head, or what is said around the body, is too long")

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way: a body without a length has come to its end."""
        self._parser = None
        if self._timer is not None:
            self._timer.cancel()
        response, self._response = self._response, None
        if response is not None:
            is_whole = exc is None and self._ends_with_connection and not self._in_head
            if self._is_tls and self._may_lack:  # what was not read yet, TLS has thrown away
                is_whole = False
            response.end(None if is_whole else (Broken, "the connection broke"))
        self._lost(self, exc)

    def on_message_begin(self) -> None:
        """Begin a head."""
        if self._response is None:
            raise Broken("nobody asked")
        self._headers = {}
        self._in_head = self._ends_with_connection = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, the first of its name; what follows a body is none."""
        if not self._in_head:
            return
        known = name.decode("latin-1").lower()
        if known in FRAMING:
            self._ends_with_connection = False
        self._headers.setdefault(known, value.decode("latin-1").strip())

    def on_headers_complete(self) -> None:
        """Give the head to whoever waits for it, unless it only says that another will come."""
        status = self._parser.get_status_code()
        if status < HTTPStatus.CONTINUE:
            raise Broken("there is no such status")
        if self._response is None or _is_interim(status):
            return
        self._in_head = False
        self._around = 0
        self._response.headers, self._response.status = self._headers, status
        self._response.wake()

    def on_body(self, data: bytes) -> None:
        """Take in a part of the body; an interim answer has none."""
        if self._in_head:
            raise Broken("an interim answer has a body")
        self._around = 0
        if self._response is not None and self._response.take(data) and not self._is_paused:
            self._is_paused = self._may_lack = True
            self._paused_s = self.loop.time()
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """Be free for another exchange, unless the provider wants none."""
        if self._in_head:  # of an interim answer
            return
        response, self._response = self._response, None
        if response is None:
            return
        self.resume()
        response.end()
        may_go_on = self._parser.should_keep_alive() and (
            response.status != HTTPStatus.SWITCHING_PROTOCOLS
        )
        # An answer may come before all of its request was sent: what follows would be taken for it.
        if may_go_on and not self._transport.get_write_buffer_size():
            self._free(self)
        else:
            self.close()

    def _end(self, kind: type[Broken], why: str) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.end((kind, why))
        self._transport.abort()

    def _arm(self, wait_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait_s = max(wait_s, SHORTEST_WAIT_S)
        self._timer_s = self.loop.time() + wait_s
        self._timer = self.loop.call_later(wait_s, self._look)

    def _look(self) -> None:
        """End an exchange that is overdue. One timer for many: it is put off when it goes off."""
        self._timer = None
        if self._response is None:
            return
        now_s = self.loop.time()
        if self._is_paused and now_s - self._paused_s < LONGEST_PAUSE_S:  # it is us who do not read
            self._overdue_s = now_s + self._pause_s
        left_s = self._overdue_s - now_s
        if left_s > 0:
            self._arm(left_s)
        else:
            self._end(ReadTimeout, "the provider stopped sending")


def _is_interim(status: int) -> bool:
    return HTTPStatus.CONTINUE <= status < HTTPStatus.OK and (
        status != HTTPStatus.SWITCHING_PROTOCOLS
    )
