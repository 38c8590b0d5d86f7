"""Bytes on the client's side: bounded heads and bodies, whole answers, streams, hang-ups."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.proxy import refusing
from gateway.proxy.coding import (
    CODINGS,
    WORTHWHILE_BYTES,
    BadCoding,
    UnfoldsTooFar,
    decode,
    encode,
)
from gateway.proxy.errors import (
    BadRequest,
    BodyTimeout,
    HeadersTooLarge,
    Refusal,
    TooLarge,
    UnsupportedMedia,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

DIRECT = "gatehouse.direct"
"""Where a scope holds what writes past uvicorn's messages, if the server is ours."""

MOST_HEAD_BYTES = 64 * 1024
HEAD_S = 10.0
BODY_S = 30.0
INLINE_BYTES = 64 * 1024
"""A folded body up to this size is unfolded at once; a longer one off the loop that others use."""

JSON_TYPE = (b"content-type", b"application/json")
STREAM_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")
UNBUFFERED = (b"x-accel-buffering", b"no")
"""Tells NGINX not to hold a stream back."""
NO_STORE = (b"cache-control", b"no-store")


class ClientGone(Exception):
    """The client hung up before its request was whole: nothing was decided, nothing is recorded."""


async def read_body(
    receive: Receive, reply: "Reply", headers: Mapping[bytes, bytes], most: int
) -> bytes:
    """Read a body of at most `most` bytes, out of its content coding where it has one.

    The protocol ends one that takes too long.
    """
    body = reply.body_at_hand()
    if body is None:
        body = await _read_body(receive, headers.get(b"content-length"), most)
    elif len(body) > most:
        raise _too_large(most)
    coding = headers.get(b"content-encoding")
    if coding is None or coding == b"identity":
        return body
    return await _decoded(body, coding.decode("latin-1").lower(), most)


async def _decoded(body: bytes, coding: str, most: int) -> bytes:
    if coding not in CODINGS:
        raise UnsupportedMedia(
            "unsupported_media_type",
            "The body has a content encoding that is not read.",
            f"Send plain JSON, or one of {', '.join(CODINGS)}.",
        )
    try:
        if len(body) <= INLINE_BYTES:
            return decode(coding, body, most)
        return await asyncio.to_thread(decode, coding, body, most)
    except UnfoldsTooFar:
        raise _too_large(most) from None
    except BadCoding:
        raise BadRequest(
            "invalid_request", f"The body is not {coding}, as its content encoding says."
        ) from None


async def _read_body(receive: Receive, declared: bytes | None, most: int) -> bytes:
    if declared is not None and declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > most:
            raise _too_large(most)
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _too_large(most)
    return b"".join(parts)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        "request_too_large",
        f"The body is larger than {most} bytes.",
        "Send less, or ask the operator to raise GATEHOUSE_MAX_BODY_BYTES.",
    )


class Direct:
    """Writes an answer as uvicorn would in several messages, which cost more than the writing; what
    returns False has written nothing, and a message must do it."""

    __slots__ = ("cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self.cycle = cycle

    def whole(self, status: int, headers: Headers, body: bytes) -> bool:
        """Write a whole answer.

        The headers are made by us of checked parts; uvicorn searches each name and value anew.
        """
        cycle = self.cycle
        if cycle.response_started or cycle.flow.write_paused or not cycle.keep_alive:
            return False
        if cycle.scope["method"] == "HEAD":
            return False
        if cycle.disconnected:
            return True
        parts = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        parts += (b"content-length: %d\r\n\r\n" % len(body), body)
        cycle.transport.write(b"".join(parts))
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.expected_content_length = 0
        cycle.message_event.set()
        cycle.on_response()
        return True

    def body(self) -> bytes | None:
        """Return the body of the request if all of it is here and nothing of it was read."""
        cycle = self.cycle
        if cycle.more_body or cycle.disconnected or cycle.response_complete:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.waiting_for_100_continue = False
        cycle.message_event.clear()
        cycle.flow.resume_reading()
        return body

    def more(self, data: bytes) -> bool:
        """Write a piece of a stream that has begun."""
        cycle = self.cycle
        if not cycle.chunked_encoding or cycle.response_complete or cycle.flow.write_paused:
            return False
        if not cycle.disconnected:
            cycle.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True


class Reply:
    """The answer to one request: begun at most once, ended once; nothing is said to who hung up."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._scope = scope
        self.cors: Headers = []
        # Taken out: it holds what holds the scope, and nobody but the collector would free them.
        self._direct: Direct | None = scope.pop(DIRECT, None)
        self.begun = False
        self.ended = False
        self.status = 0
        self._last = b""

    def body_at_hand(self) -> bytes | None:
        """Return the body of the request where the server is ours and has all of it."""
        return self._direct.body() if self._direct is not None else None

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer: in one write where the server is ours and its pipe is free."""
        if len(body) >= WORTHWHILE_BYTES:
            headers, body = self._folded(headers, body)
        if self.cors:
            headers = [*headers, *self.cors]
        if self._direct is not None and self._direct.whole(status, headers, body):
            self.begun = self.ended = True
            self.status = status
            return
        await self.begin(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self._body(body, more=False)

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the status and the headers of a stream."""
        self.begun = True
        self.status = status
        headers = [*headers, *self.cors] if self.cors else headers
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def _folded(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        """Return a long answer in a coding that the client takes."""
        accepted = next(
            (value for name, value in self._scope["headers"] if name == b"accept-encoding"), b""
        )
        folded = encode(body, accepted)
        vary = (b"vary", b"accept-encoding")
        if folded is None:
            return [*headers, vary], body
        return [*headers, vary, (b"content-encoding", folded[1])], folded[0]

    async def write(self, data: bytes) -> None:
        """Send a piece of a stream; returns when the client's connection can take more."""
        if data:
            self._last = data
            if self._direct is None or not self._direct.more(data):
                await self._body(data, more=True)

    async def end(self, data: bytes = b"") -> None:
        """Send the last piece of a stream."""
        if not self.ended:
            await self._body(data, more=False)

    async def _body(self, data: bytes, *, more: bool) -> None:
        self.ended = not more
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def refuse(self, refusal: Refusal, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Send a refusal in the client's dialect."""
        body = refusing.whole(self._scope, refusal)
        await self.whole(refusal.status, [JSON_TYPE, NO_STORE, *refusal.headers(), *headers], body)

    async def fail(self, refusal: Refusal) -> None:
        """End a stream that has begun with a well-formed error."""
        await self.end(refusing.stream_end(self._scope, refusal, self._last))


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the bounds that it lacks.

    A head is at most 64 KiB and complete within 10 s, a body that nobody waits for any more is not
    read for ever, and errors are JSON.
    """

    body_s = BODY_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head, self._in_body = True, False
        self._head_bytes = 0
        self._unread_bytes = 0
        self._since_body = 0
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since_s: float | None = None

    @property
    def _answering(self) -> bool:
        """Whether an answer is on its way; uvicorn has no cycle before the first request."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_S, self._head_overdue)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head; give what is incomplete a time to become whole."""
        if self._in_head:
            self._head_bytes += len(data)
        elif self._in_body:
            self._since_body += len(data)
        super().data_received(data)
        if self._since_body > MOST_HEAD_BYTES:  # trailers: what a body brings resets the count
            self.transport.close()
            return
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(_headers_too_large())
        elif self._timer is None and not self.transport.is_closing():
            if self._in_body:
                self._timer = self.loop.call_later(self.body_s, self._body_overdue)
            elif self._head_bytes:
                self._timer = self.loop.call_later(HEAD_S, self._head_overdue)

    def on_message_begin(self) -> None:
        """A new head begins."""
        super().on_message_begin()
        self._in_head, self._in_body = True, False

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._stop_timer()
        if self._head_bytes > MOST_HEAD_BYTES and self._head_size() > MOST_HEAD_BYTES:
            self._refuse(_headers_too_large())
            return
        self._in_head, self._in_body = False, True
        self._head_bytes = self._unread_bytes = self._since_body = 0
        super().on_headers_complete()
        cast("Scope", self.scope)[DIRECT] = Direct(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Close a connection whose body goes on long after its answer."""
        self._since_body = 0
        if self.transport.is_closing():  # the head was refused
            return
        if not self._answering:
            self._unread_bytes += len(body)
            if self._unread_bytes > 64 * MOST_HEAD_BYTES:
                self.transport.close()
                return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; what follows on this connection is another head."""
        self._in_head, self._in_body = True, False
        self._since_body = 0
        self._stop_timer()
        if self.transport.is_closing():
            return
        super().on_message_complete()
        if not self._answering:  # the answer was there before the end of its request
            self._begin_to_idle()

    def on_response_complete(self) -> None:
        """Begin the next request, or to count how long nobody sends one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._begin_to_idle()

    def _begin_to_idle(self) -> None:
        self._idle_since_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait_for_more(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        """Note that the connection is used: its timer will see that, and is not made anew."""
        self._idle_since_s = None

    def _wait_for_more(self, wait_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(wait_s, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nobody has used for so long."""
        self.timeout_keep_alive_task = None
        if self._idle_since_s is None or self.transport.is_closing():
            return
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._wait_for_more(left_s)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in JSON."""
        refusal = Refusal("invalid_request", "This is not a valid HTTP/1.1 request.")
        self._answer(400, refusal, "invalid_request_error")

    def _head_overdue(self) -> None:
        self._timer = None
        if not self._in_head or self.transport.is_closing():
            return
        if self._head_bytes:
            timeout = BodyTimeout("request_timeout", "The request head did not arrive in time.")
            self._answer(408, timeout, timeout.type)
        else:
            self.transport.close()

    def _body_overdue(self) -> None:
        self._timer = None
        if self._in_body and not self._answering:
            self.transport.close()  # it was answered long ago and goes on and on
        elif self._in_body and not self.cycle.response_started:
            self._answer_refusal(
                BodyTimeout(
                    "request_timeout",
                    "The body did not arrive in time.",
                    "Send the whole body sooner.",
                )
            )

    def _head_size(self) -> int:
        return sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, refusal: Refusal) -> None:
        if self.transport.is_closing():
            return
        if self._answering:
            self.transport.close()  # an earlier answer is still on its way: nothing may mix into it
            return
        self._answer_refusal(refusal)

    def _answer_refusal(self, refusal: Refusal) -> None:
        self._answer(refusal.status, refusal, refusal.type)

    def _answer(self, status: int, refusal: Refusal, kind: str) -> None:
        document = refusal.body()
        document["error"]["type"] = kind
        body = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {status} Refused\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def bounded(body_s: float) -> type[BoundedHttpProtocol]:
    """Return the protocol with another time for a body to arrive in."""
    return type("Bounded", (BoundedHttpProtocol,), {"body_s": body_s})


def _headers_too_large() -> HeadersTooLarge:
    return HeadersTooLarge(
        "headers_too_large", f"The head of the request is larger than {MOST_HEAD_BYTES} bytes."
    )
