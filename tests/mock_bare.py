"""The mock provider with nothing but speed: one answer, prepared once, counted in its books.

For benchmarks, where the far side must cost little: raw HTTP/1.1, no routing, no parsing of JSON.
What is asked for as a stream is streamed, in `chunks` events, all at once or `pace` apart.
"""

import asyncio
from typing import Any, cast

import httptools
import orjson

from tests.mock_dialect import Behaviour, completion, events, produce

ASKED = {"model": "mock", "messages": [{"role": "user", "content": "x"}]}
STREAM = b'"stream":true'
BOOKS_PATH = b"/_books"


class Bare:
    """The prepared answers, and the books: how many, billed how much, under which ids."""

    def __init__(self, latency_s: float, chunks: int, pace_s: float, keep_ids: bool) -> None:
        production = produce(ASKED, Behaviour(tokens=chunks), 400)
        self.usage = production.usage
        self.latency_s, self.pace_s, self.keep_ids = latency_s, pace_s, keep_ids
        self.pieces = [_chunked(piece) for piece in events("mock", production, "end", wanted=True)]
        self.pieces[-1] += b"0\r\n\r\n"
        self.whole = _response(orjson.dumps(completion("mock", production, "end")))
        self.head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        self.at_once = self.head + b"".join(self.pieces)
        self.requests = 0
        self.ids: list[str] = []

    def books(self) -> dict[str, Any]:
        """Return what has been billed."""
        totals = {
            "requests": self.requests,
            "input": self.requests * self.usage["prompt_tokens"],
            "output": self.requests * self.usage["completion_tokens"],
        }
        return {"totals": totals, "ids": self.ids}


class Connection(asyncio.Protocol):
    """One client: answers each request when it is whole."""

    def __init__(self, bare: Bare) -> None:
        self.bare = bare
        self.parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport
        self.path = b""
        self.request_id = ""
        self.body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self.request_id, self.body = "", []

    def on_url(self, url: bytes) -> None:
        self.path = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.bare.keep_ids and name.lower() == b"x-request-id":
            self.request_id = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        bare = self.bare
        if self.path == BOOKS_PATH:
            self.transport.write(_response(orjson.dumps(bare.books())))
            return
        bare.requests += 1
        if bare.keep_ids:
            bare.ids.append(self.request_id)
        streamed = STREAM in b"".join(self.body)
        if bare.latency_s:
            asyncio.get_running_loop().call_later(bare.latency_s, self.answer, streamed)
        else:
            self.answer(streamed)

    def answer(self, streamed: bool) -> None:
        bare = self.bare
        if not streamed:
            self.transport.write(bare.whole)
        elif not bare.pace_s:
            self.transport.write(bare.at_once)
        else:
            self.transport.write(bare.head + bare.pieces[0])
            asyncio.get_running_loop().call_later(bare.pace_s, self.go_on, 1)

    def go_on(self, position: int) -> None:
        bare = self.bare
        if self.transport.is_closing():
            return
        self.transport.write(bare.pieces[position])
        if position + 1 < len(bare.pieces):
            asyncio.get_running_loop().call_later(bare.pace_s, self.go_on, position + 1)


def _response(body: bytes) -> bytes:
    length = str(len(body)).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
    return head + length + b"\r\n\r\n" + body


def _chunked(piece: bytes) -> bytes:
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
