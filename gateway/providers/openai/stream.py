"""The OpenAI dialect's stream of chat chunks: read as it passes, gathered, written anew. Pure."""

from typing import Any

import orjson

from gateway.exchange import Answer, Body, Usage
from gateway.providers import document, sse
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.openai.gather import Gathered, well_formed
from gateway.providers.openai.upstream import answer, error_text, first_finish, text_bytes
from gateway.providers.openai.usage import merge_usage, read_usage

_DONE = b"[DONE]"
_DONE_EVENT = sse.encode(_DONE)
_OBJECT = "chat.completion.chunk"
_UNREADABLE = "the provider's stream holds what is no event of a chat"


class ChatStream:
    """One stream of a provider.

    Passing (`collect` false), `feed` returns the bytes for the client: the provider's own, without
    the chunk that holds nothing but the usage it did not ask for. Gathering (`collect` true), it
    returns nothing, and `assemble` makes the answer. `limit` bounds the bytes of one event and,
    gathering, of the whole stream (TooLarge). After an error of the provider, or an event that is
    none of a chat, `failed` says what happened and nothing more passes; usage is read to the end.
    With `silent` false a stream that is gathered passes too.
    """

    def __init__(
        self, *, keep_usage: bool, collect: bool, limit: int, silent: bool | None = None
    ) -> None:
        self.done = False
        self.failed: str | None = None
        self.output_bytes = 0
        self.head: Body = {}
        self._keep_usage = keep_usage
        self._collect = collect
        self._silent = collect if silent is None else silent
        self._limit = limit
        self._parser = sse.Parser(limit)
        self._gathered = Gathered()
        self._bytes = 0
        self._usage: dict[str, Any] = {}
        self._finishes: dict[int, str] = {}

    @property
    def usage(self) -> Usage | None:
        """What the provider has told so far; None while it is unknown."""
        return read_usage(self._usage, wrote=self.output_bytes > 0)

    @property
    def finish(self) -> str:
        """The reason that tells most of those told so far, or ""."""
        return first_finish([finish for finish in self._finishes.values() if finish])

    @property
    def open_choices(self) -> list[int]:
        """The choices that have begun and not finished."""
        return [index for index, finish in self._finishes.items() if not finish]

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk of the provider's bytes; return those that go to the client."""
        self._bytes += len(chunk)
        if self._collect and self._bytes > self._limit:
            raise TooLarge(f"the provider's stream is longer than {self._limit} bytes")
        return b"".join([self._pass(event) for event in self._parser.feed(chunk)])

    def close(self) -> bytes:
        """Read what the end of the provider's bytes left open; return what goes to the client.

        An event that is whole but for its blank line counts; half an event is dropped. A provider
        that said all but that it was done is helped out: clients wait for it.
        """
        event = self._parser.close()
        told = b""
        if event is not None and event.data is not None and _is_whole(event.data):
            said = sse.Event(sse.encode(event.data, event.name), event.data, event.name)
            told = self._pass(said)
        is_silent = self._collect or self.done or self.failed is not None
        if is_silent or self.open_choices or not self.finish or self.usage is None:
            return told
        return told + _DONE_EVENT

    def assemble(self) -> Answer:
        """Return the gathered answer; BadAnswer where the provider told none."""
        return answer(self.gathered(), self.usage)

    def gathered(self) -> Body:
        """Return what has been gathered as a body; BadAnswer where there is no choice."""
        body = self._gathered.body(self._usage)
        if not body["choices"]:
            raise BadAnswer("the provider's stream holds no answer")
        return body

    def _pass(self, event: sse.Event) -> bytes:
        over = self.done
        shown = self._read(event)
        if over or not shown or self._silent or self.failed is not None:
            return b""
        return event.raw

    def _read(self, event: sse.Event) -> bool:
        """Take in what an event tells; tell whether the client may see it."""
        if event.data is None:
            return True
        if event.data == _DONE:
            self.done = True
            return True
        chunk = _chunk(event.data)
        if chunk is not None:
            merge_usage(self._usage, chunk.get("usage"))
        if self.done:
            return False
        if chunk is None or chunk.get("error") or event.name == b"error":
            self._fail(_UNREADABLE if chunk is None else error_text(chunk))
            return False
        return self._read_chunk(chunk)

    def _read_chunk(self, chunk: Body) -> bool:
        choices = chunk.get("choices") or []
        if not well_formed(choices):
            self._fail(_UNREADABLE)
            return False
        self.head = chunk
        for choice in choices:
            index, finish = choice.get("index", 0), choice.get("finish_reason")
            self._finishes[index] = finish or self._finishes.get(index, "")
            self.output_bytes += self.said(choice)
            merge_usage(self._usage, choice.get("usage"))
        if self._collect:
            self._gathered.add(chunk)
        return bool(choices) or self._keep_usage or not chunk.get("usage")

    def said(self, choice: Body) -> int:
        """Return the bytes of text that a piece of a choice adds."""
        return text_bytes(choice.get("delta"))

    def _fail(self, reason: str) -> None:
        if self.failed is None:
            self.failed = reason or "the provider told of an error without a word"


def render_stream(answer: Answer, *, keep_usage: bool) -> list[bytes]:
    """Return a whole answer as the events of a stream, each choice after the other.

    A choice begins with its role; reasoning and whatever else it holds come before the content,
    each tool call is one event, its finish the last.
    """
    head = {name: value for name, value in answer.body.items() if name not in {"choices", "usage"}}
    head["object"] = _OBJECT
    events = [
        _event(head, [piece])
        for choice in answer.body["choices"]
        for piece in _pieces(choice, choice["message"])
    ]
    usage = answer.body.get("usage")
    if keep_usage and usage:
        events.append(_event(head, [], usage=usage))
    return [*events, _DONE_EVENT]


def stream_error(error: Body) -> bytes:
    """Return the end of a stream that failed: the error, as SDKs look for it, and the end mark."""
    return sse.encode(orjson.dumps({"error": error})) + _DONE_EVENT


def stream_end(stream: ChatStream, finish: str) -> bytes:
    """Return a well-formed end for a stream that is cut: each open choice finishes for `finish`."""
    head = {"id": "", "created": 0, "model": "", **stream.head, "object": _OBJECT}
    for name in ("choices", "usage", "obfuscation"):
        head.pop(name, None)
    indexes = stream.open_choices if stream.finish or stream.open_choices else [0]
    events = [_event(head, [_piece(index, {}, finish_reason=finish)]) for index in indexes]
    return b"".join([*events, _DONE_EVENT])


def _pieces(choice: Body, message: Body) -> list[Body]:
    index = choice["index"]
    content, calls = message.get("content"), message.get("tool_calls") or []
    special = {"role", "content", "tool_calls"}
    rest = {name: value for name, value in message.items() if name not in special}
    first = {"role": message.get("role", "assistant"), "content": None if content is None else ""}
    first.update({name: None for name, value in rest.items() if value is None})
    last = {name: choice[name] for name in choice if name not in {"index", "message"}}
    deltas = [{name: value} for name, value in rest.items() if value is not None]
    pieces = [_piece(index, delta) for delta in (first, *deltas)]
    if content:
        logprobs = {"logprobs": last.pop("logprobs")} if last.get("logprobs") else {}
        pieces.append(_piece(index, {"content": content}, **logprobs))
    for position, call in enumerate(calls):
        pieces.append(_piece(index, {"tool_calls": [{"index": position, **call}]}))
    return [*pieces, {**_piece(index, {}), **last}]


def _piece(index: int, delta: Body, **more: object) -> Body:
    return {"index": index, "delta": delta, "finish_reason": None, **more}


def _event(head: Body, choices: list[Body], **more: object) -> bytes:
    return sse.encode(orjson.dumps({**head, "choices": choices, **more}))


def _is_whole(data: bytes) -> bool:
    return data == _DONE or _chunk(data) is not None


def _chunk(data: bytes) -> Body | None:
    try:
        parsed = document.load_last(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
