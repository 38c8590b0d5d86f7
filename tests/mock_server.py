"""The mock provider's HTTP: answers, misbehaves as told, and writes everything down."""

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import brotli
import orjson
import zstandard
from aiohttp import web
from aiohttp.typedefs import Handler

from tests import mock_media
from tests.mock_dialect import (
    CREATED,
    DONE,
    HUGE,
    MANNERS,
    PING,
    Behaviour,
    completion,
    error,
    events,
    named,
    produce,
)
from tests.mock_messages import message, message_error, message_events
from tests.mock_responses import as_chat, response, response_events
from tests.mock_texts import completion_events, completion_of, continued, moderation


@dataclass
class Entry:
    """One line of the books. `input` and `output` are billed, whoever heard of it."""

    path: str
    request_id: str
    headers: dict[str, str]
    bytes: int
    body: Any
    model: str = ""
    stream: bool = False
    status: int = 0
    input: int = 0
    output: int = 0
    finished: bool = False
    cut_off: bool = False


@dataclass
class Books:
    """Every request since the last reset, and the behaviours that hold."""

    entries: list[Entry] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)

    def behaviour(self, model: str) -> Behaviour:
        """Return how the next request for a model is answered, and count it down."""
        key = model if model in self.behaviours else "*"
        found = self.behaviours.get(key)
        if found is None:
            return named(model)
        if found.times == 1:
            del self.behaviours[key]
        elif found.times:
            self.behaviours[key] = replace(found, times=found.times - 1)
        return found


PARTLY = frozenset({"resethead", "resetbody", "stall", "halfevent"})
BOOKS: web.AppKey[Books] = web.AppKey("books", Books)


class Reset(Exception):
    """The connection has been reset, as the behaviour asked."""


async def chat(request: web.Request, prelude: Sequence[bytes] = ()) -> web.StreamResponse:
    """Answer a chat; `prelude` are events that come before a stream's own."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour)
    production = produce(entry.body, behaviour, entry.bytes)
    if behaviour.billed:
        entry.input = production.usage["prompt_tokens"]
        entry.output = production.usage["completion_tokens"]
    await misbehave(request, behaviour)
    if not entry.stream:
        answer = completion(entry.model, production, behaviour.usage)
        if behaviour.mode in PARTLY:
            return await _partly(request, "application/json", orjson.dumps(answer), behaviour.mode)
        return whole(entry, answer, behaviour)
    wanted = bool((entry.body.get("stream_options") or {}).get("include_usage"))
    pieces = events(entry.model, production, behaviour.usage, wanted)
    return await streamed(request, entry, [*prelude, *pieces], behaviour)


async def messages(request: web.Request) -> web.StreamResponse:
    """Answer a chat as Anthropic does."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour, message_error(behaviour.message, behaviour.status))
    production = produce(entry.body, behaviour, entry.bytes)
    if behaviour.billed:
        entry.input = production.usage["prompt_tokens"]
        entry.output = production.usage["completion_tokens"]
    await misbehave(request, behaviour)
    if not entry.stream:
        return whole(entry, message(entry.model, production, behaviour.usage), behaviour)
    pieces = message_events(entry.model, production, behaviour.usage)
    return await streamed(request, entry, pieces, behaviour)


async def count_tokens(request: web.Request) -> web.StreamResponse:
    """Count the tokens of a chat, which costs nothing."""
    entry, behaviour = await received(request)
    return whole(entry, {"input_tokens": max(1, entry.bytes // 4)}, behaviour)


async def responses(request: web.Request) -> web.StreamResponse:
    """Answer in the form of the responses API."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour)
    production = produce(as_chat(entry.body), behaviour, entry.bytes)
    if behaviour.billed:
        entry.input = production.usage["prompt_tokens"]
        entry.output = production.usage["completion_tokens"]
    await misbehave(request, behaviour)
    answer = response(entry.body, production, behaviour.usage)
    if not entry.stream:
        return whole(entry, answer, behaviour)
    return await streamed(request, entry, response_events(answer, production), behaviour)


async def completions(request: web.Request) -> web.StreamResponse:
    """Answer in the form of the completions API."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour)
    production = produce(continued(entry.body), behaviour, entry.bytes)
    if behaviour.billed:
        entry.input = production.usage["prompt_tokens"]
        entry.output = production.usage["completion_tokens"]
    await misbehave(request, behaviour)
    answer = completion_of(completion(entry.model, production, behaviour.usage))
    if not entry.stream:
        return whole(entry, answer, behaviour)
    return await streamed(request, entry, completion_events(answer, production), behaviour)


async def moderations(request: web.Request) -> web.StreamResponse:
    """Find nothing wrong with anything; bill nothing."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour)
    await misbehave(request, behaviour)
    given = entry.body["input"]
    several = isinstance(given, list) and isinstance(given[0], str)
    return whole(entry, moderation(entry.model, len(given) if several else 1), behaviour)


async def images(request: web.Request) -> web.StreamResponse:
    """Answer with pictures."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour)
    await misbehave(request, behaviour)
    answer = mock_media.images(entry.body, behaviour.usage)
    if behaviour.billed:
        entry.input, entry.output = 10, 1000 * len(answer["data"])
    return whole(entry, answer, behaviour)


async def speech(request: web.Request) -> web.StreamResponse:
    """Answer with sound."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour)
    await misbehave(request, behaviour)
    entry.finished = True
    kind = entry.body.get("response_format") or "mpeg"
    return web.Response(body=mock_media.SOUND * 1000, content_type=f"audio/{kind}")


async def transcriptions(request: web.Request) -> web.StreamResponse:
    """Answer with what was said: the prompt, or what the behaviour has."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour)
    await misbehave(request, behaviour)
    text = behaviour.content or entry.body.get("prompt") or "word0 word1"
    told = mock_media.transcription(
        text, entry.body.get("response_format") or "json", behaviour.usage
    )
    if isinstance(told, str):
        entry.finished = True
        return web.Response(text=told, content_type="text/plain")
    if behaviour.billed and told.get("usage", {}).get("type") == "tokens":
        entry.input, entry.output = 20, 5
    return whole(entry, told, behaviour)


async def embeddings(request: web.Request) -> web.StreamResponse:
    """Answer with a vector for each input."""
    entry, behaviour = await received(request)
    if behaviour.status != 200:
        return refusal(behaviour)
    given = entry.body["input"]
    several = isinstance(given, list) and not isinstance(given[0], int)
    vector = "AACAPwAAAAA=" if entry.body.get("encoding_format") == "base64" else [1.0, 0.0]
    entry.input = max(1, entry.bytes // 4) if behaviour.billed else 0
    await misbehave(request, behaviour)
    items = range(len(given) if several else 1)
    answer: dict[str, Any] = {
        "object": "list",
        "model": entry.model,
        "data": [{"object": "embedding", "index": i, "embedding": vector} for i in items],
    }
    if behaviour.usage != "absent":
        answer["usage"] = {"prompt_tokens": entry.input, "total_tokens": entry.input}
    return whole(entry, answer, behaviour)


async def models(request: web.Request) -> web.Response:
    """List one model."""
    model = {"id": "mock", "object": "model", "created": CREATED, "owned_by": "tests"}
    return json({"object": "list", "data": [model]})


async def received(
    request: web.Request, model: str = "", *, stream: bool | None = None
) -> tuple[Entry, Behaviour]:
    """Write a request into the books, and find how it is to be answered; its model and whether it
    is a stream stand in the body, unless they are given."""
    raw = await request.read()
    headers = {name.lower(): value for name, value in request.headers.items()}
    entry = Entry(request.raw_path, headers.get("x-request-id", ""), headers, len(raw), None)
    books = request.app[BOOKS]
    books.entries.append(entry)
    if request.content_type == "multipart/form-data":
        entry.body = mock_media.form(request.headers["content-type"], raw)
    else:
        entry.body = orjson.loads(raw)
    entry.model = model or entry.body["model"]
    entry.stream = bool(entry.body.get("stream")) if stream is None else stream
    behaviour = books.behaviour(entry.model)
    entry.status = behaviour.status
    request["entry"] = entry
    return entry, behaviour


async def misbehave(request: web.Request, behaviour: Behaviour) -> None:
    """Wait, hang for ever, or reset the connection, before a byte is answered."""
    if behaviour.mode == "hang":
        await asyncio.Event().wait()
    if behaviour.latency:
        await asyncio.sleep(behaviour.latency / 1000)
    if behaviour.mode == "resetmidhead" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 200 OK\r\ncontent-ty")
        await asyncio.sleep(0.05)  # or the reset overtakes it
    if behaviour.mode in ("reset", "resetmidhead"):
        _reset(request)


def _reset(request: web.Request) -> None:
    """End the connection by RST."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    raise Reset


def _quota(behaviour: Behaviour) -> dict[str, str]:
    if behaviour.remaining is None:
        return {}
    return {
        "x-ratelimit-remaining-requests": str(behaviour.remaining),
        "x-ratelimit-reset-requests": "30s",
    }


async def _partly(request: web.Request, kind: str, whole: bytes, mode: str) -> web.StreamResponse:
    """Answer with a head and no more than half of a body; then reset, stall, or hang up."""
    response = web.StreamResponse(headers={"content-type": kind})
    await response.prepare(request)
    if mode == "resethead":
        await asyncio.sleep(0.05)  # or the reset overtakes the head
    else:
        await response.write(whole[: len(whole) // 2])
        await asyncio.sleep(0.05)
    if mode == "stall":
        await asyncio.Event().wait()
    if mode != "halfevent":
        _reset(request)
    await response.write_eof()
    return response


def refusal(behaviour: Behaviour, body: bytes = b"") -> web.Response:
    """Refuse, with an error as OpenAI writes it unless another is given."""
    after = behaviour.retry_after
    if after is None and behaviour.status == 429:
        after = 1
    headers = {} if after is None or after < 0 else {"retry-after": str(after)}
    told = body or error(behaviour.message, behaviour.status, behaviour.code)
    return web.Response(
        status=behaviour.status, body=told, content_type="application/json", headers=headers
    )


def whole(entry: Entry, answer: dict[str, Any], behaviour: Behaviour) -> web.Response:
    """Answer in one piece, as the behaviour has it."""
    entry.finished = behaviour.mode in MANNERS
    if behaviour.mode == "errorbody":
        told = error(behaviour.message, 500)
        return web.Response(body=told, content_type="application/json")
    if behaviour.mode == "wrongtype":
        return web.Response(text="<html>Sign in</html>", content_type="text/html")
    if behaviour.mode == "hugeevent":
        answer["choices"][0]["message"]["content"] = HUGE
    if behaviour.mode == "garbage":
        return web.Response(text="<html>no JSON</html>", content_type="application/json")
    body = orjson.dumps(answer)
    if behaviour.mode == "cut":
        body = body[: len(body) // 2]
    if behaviour.mode == "pings":
        body = b"\n \n" + body  # what keeps a connection open before an answer in JSON
    headers = _quota(behaviour) | _coding(behaviour)
    body = _folded(body, behaviour)
    return web.Response(body=body, content_type="application/json", headers=headers)


_FOLD: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def _coding(behaviour: Behaviour) -> dict[str, str]:
    name = {"badgzip": "gzip"}.get(behaviour.mode, behaviour.mode)
    return {"content-encoding": name} if name in _FOLD else {}


def _folded(body: bytes, behaviour: Behaviour) -> bytes:
    fold = _FOLD.get(behaviour.mode)
    return body if fold is None else fold(body)


def _spoilt(pieces: list[bytes], behaviour: Behaviour) -> list[bytes]:
    """Return the pieces of a stream as the behaviour spoils or cuts them."""
    if behaviour.mode == "hugeevent":
        pieces = [b'data: {"choices": [{"index": 0, "delta": {"content": "']
        pieces += [HUGE.encode(), b'"}}]}\n\n', DONE]
    if behaviour.mode == "garbage":
        pieces = [pieces[0], b"data: <html>no JSON</html>\n\n", *pieces[1:]]
    if behaviour.mode == "cut":
        pieces = pieces[: len(pieces) // 2]
    pieces = _unusual(pieces, behaviour)
    if behaviour.pieces:
        whole, size = b"".join(pieces), behaviour.pieces
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    return pieces


def _unusual(pieces: list[bytes], behaviour: Behaviour) -> list[bytes]:
    """Return the pieces of a stream in a manner that is no fault."""
    if behaviour.mode in ("crlf", "cr"):
        end = {"crlf": b"\r\n", "cr": b"\r"}[behaviour.mode]
        pieces = [piece.replace(b"\n", end) for piece in pieces]
    if behaviour.mode == "bom":
        pieces = [b"\xef\xbb\xbf", *pieces]
    if behaviour.mode == "pings":
        pieces = [part for piece in pieces for part in (PING, piece)]
    if behaviour.mode == "nodone":
        pieces = [piece for piece in pieces if piece != DONE]
    if behaviour.mode in _FOLD:
        pieces = [_folded(b"".join(pieces), behaviour)]
    return pieces


async def streamed(
    request: web.Request,
    entry: Entry,
    pieces: list[bytes],
    behaviour: Behaviour,
    content_type: str = "text/event-stream",
) -> web.StreamResponse:
    """Answer with a stream, as the behaviour has it."""
    if behaviour.mode in PARTLY:
        return await _partly(request, content_type, b"".join(pieces), behaviour.mode)
    if behaviour.mode in ("errorbody", "wrongtype"):
        return whole(entry, {}, behaviour)
    headers = {"content-type": content_type} | _quota(behaviour) | _coding(behaviour)
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    pieces = _spoilt(pieces, behaviour)
    for position, piece in enumerate(pieces):
        if position and behaviour.pace:
            await asyncio.sleep(behaviour.pace / 1000)
        await response.write(piece)
    if behaviour.mode == "cut" and request.transport is not None:
        request.transport.abort()
        return response
    entry.finished = behaviour.mode in MANNERS
    if behaviour.mode == "resetend":
        await asyncio.sleep(0.05)  # or the reset overtakes the last event
        _reset(request)
    await response.write_eof()
    return response


@web.middleware
async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note who hung up before the end."""
    try:
        return await handler(request)
    except Reset:
        return web.Response()  # nobody reads it
    except (asyncio.CancelledError, ConnectionError):
        if "entry" in request:
            request["entry"].cut_off = True
        raise


async def books_read(request: web.Request) -> web.Response:
    """Tell the books."""
    entries = request.app[BOOKS].entries
    totals = {
        "requests": len(entries),
        "input": sum(entry.input for entry in entries),
        "output": sum(entry.output for entry in entries),
    }
    return json({"requests": [vars(entry) for entry in entries], "totals": totals})


async def forget(request: web.Request) -> web.Response:
    """Forget books and behaviours."""
    books = request.app[BOOKS]
    books.entries.clear()
    books.behaviours.clear()
    return json({})


async def behave(request: web.Request) -> web.Response:
    """Set how requests for a model, or for "*", are answered from now on."""
    given = orjson.loads(await request.read())
    model = given.pop("model", "*")
    unknown = given.keys() - {one.name for one in fields(Behaviour)}
    if unknown:
        return web.Response(status=400, text=f"unknown: {sorted(unknown)}")
    request.app[BOOKS].behaviours[model] = Behaviour(**given)
    return json({})


def json(value: Any) -> web.Response:
    """Answer with a value."""
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def application() -> web.Application:
    """Return the provider with empty books."""
    app = web.Application(middlewares=[watch], client_max_size=1 << 28)
    app[BOOKS] = Books()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/responses", responses)
    app.router.add_post("/v1/completions", completions)
    app.router.add_post("/v1/moderations", moderations)
    app.router.add_post("/v1/images/generations", images)
    app.router.add_post("/v1/audio/speech", speech)
    app.router.add_post("/v1/audio/transcriptions", transcriptions)
    app.router.add_post("/v1/embeddings", embeddings)
    app.router.add_post("/v1/messages", messages)
    app.router.add_post("/v1/messages/count_tokens", count_tokens)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/_books", books_read)
    app.router.add_delete("/_books", forget)
    app.router.add_post("/_behave", behave)
    return app
