"""A message's stream between a client and a provider of this dialect. Pure."""

from typing import Any

import orjson

from gateway.exchange import Answer, Body, Usage
from gateway.providers import document, sse
from gateway.providers.anthropic.answers import answer, finish
from gateway.providers.anthropic.usage import read_usage
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.openai.upstream import error_text

_UNREADABLE = "the provider's stream holds what is no event of a message"
_TEXTS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""The deltas that add to a string of their block, and the field that holds what they add."""


class MessageStream:
    """One stream of a provider.

    Passing (`collect` false), `feed` returns the provider's own events; gathering, it returns
    nothing, and `assemble` makes the message. `limit` bounds the bytes of one event and, gathering,
    of the whole stream (TooLarge). After an error nothing more passes.
    With `silent` false a stream that is gathered passes too.
    """

    def __init__(self, *, collect: bool, limit: int, silent: bool | None = None) -> None:
        self.done = False
        self.failed: str | None = None
        self._collect = collect
        self._silent = collect if silent is None else silent
        self._limit = limit
        self._parser = sse.Parser(limit)
        self._bytes = 0
        self._usage: dict[str, Any] = {}
        self._message: Body | None = None
        self._ending: Body = {}
        self._blocks: dict[int, Body] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._wrote = False

    @property
    def usage(self) -> Usage | None:
        """What the provider has told so far; None while it is unknown."""
        return read_usage(self._usage, wrote=self._wrote)

    @property
    def finish(self) -> str:
        """Why the message ended, or ""."""
        return finish(self._ending.get("stop_reason"))

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk of the provider's bytes; return those that go to the client."""
        self._bytes += len(chunk)
        if self._collect and self._bytes > self._limit:
            raise TooLarge(f"the provider's stream is longer than {self._limit} bytes")
        return b"".join([self._pass(event) for event in self._parser.feed(chunk)])

    def close(self) -> bytes:
        """Read what the end of the bytes left open, where it is whole but for its blank line."""
        event = self._parser.close()
        if event is None or event.data is None or _object(event.data) is None:
            return b""
        return self._pass(sse.Event(sse.encode(event.data, event.name), event.data, event.name))

    def assemble(self) -> Answer:
        """Return the gathered message; BadAnswer where the provider told none."""
        if self._message is None:
            raise BadAnswer("the provider's stream holds no answer")
        content = [self._block(index) for index in sorted(self._blocks)]
        body = {**self._message, "content": content, **self._ending, "usage": self._usage}
        return answer(body, self.usage)

    def _block(self, index: int) -> Body:
        """Return a block with the strings that its deltas spelled."""
        block = dict(self._blocks[index])
        for (owner, name), pieces in self._pieces.items():
            if owner != index:
                continue
            text = "".join(pieces)
            if name == "partial_json":
                block["input"] = _arguments(text) if text else block.get("input") or {}
            else:
                block[name] = (block.get(name) or "") + text
        return block

    def _pass(self, event: sse.Event) -> bytes:
        over = self.done
        shown = self._read(event)
        if over or not shown or self._silent or self.failed is not None:
            return b""
        return event.raw

    def _read(self, event: sse.Event) -> bool:
        """Take in what an event tells; tell whether the client may see it."""
        told = {} if event.data is None else _object(event.data)
        if told is None:
            self.failed = self.failed or _UNREADABLE
            return False
        return event.data is None or self._take(told)

    def _take(self, told: Body) -> bool:
        match told:
            case {"type": "message_start", "message": dict(message)}:
                self._message = {name: message[name] for name in message if name != "usage"}
                self._charge(message.get("usage"), final=False)
            case {"type": "content_block_start", "index": int(index), "content_block": dict(block)}:
                self._blocks[index] = block
                self._wrote = True
            case {"type": "content_block_delta", "index": int(index), "delta": dict(delta)}:
                self._add(index, delta)
            case {"type": "message_delta", "delta": dict(delta)}:
                self._ending |= delta
                self._charge(told.get("usage"))
            case {"type": "message_stop"}:
                self.done = True
            case {"type": "content_block_stop" | "ping"}:
                pass
            case {"type": "error"}:
                self.failed = error_text(told) or "the provider told of an error without a word"
            case _:  # the API may add events: what nobody here can read, nobody sees
                return False
        return True

    def _add(self, index: int, delta: Body) -> None:
        self._wrote = True
        kind = str(delta.get("type"))
        name = _TEXTS.get(kind)
        if index not in self._blocks or (name and not isinstance(delta.get(name), str)):
            self.failed = _UNREADABLE
        elif not self._collect:
            return
        elif name:
            self._pieces.setdefault((index, name), []).append(delta[name])
        elif kind == "citations_delta":
            block = self._blocks[index]
            block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
        else:
            self.failed = _UNREADABLE

    def _charge(self, usage: object, *, final: bool = True) -> None:
        """Take in what is told of usage, the last number of each: nothing told is no number.

        What is told at the beginning counts the input; its output has only begun.
        """
        for name, value in usage.items() if isinstance(usage, dict) else ():
            if value is not None and (final or name != "output_tokens"):
                self._usage[name] = value


def render(message: Body) -> bytes:
    """Return a whole message as the events of a stream, each block in one delta of each kind."""
    usage = message.get("usage") or {}
    head = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    head["usage"] = {**usage, "output_tokens": 0}
    events = [_event("message_start", message=head)]
    for index, block in enumerate(message["content"]):
        first, deltas = _opened(block)
        events.append(_event("content_block_start", index=index, content_block=first))
        events += [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
        events.append(_event("content_block_stop", index=index))
    ending = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    events += [_event("message_delta", delta=ending, usage=usage), _event("message_stop")]
    return b"".join(events)


def _opened(block: Body) -> tuple[Body, list[Body]]:
    """Return how a block begins, and the deltas that bring the rest of it."""
    first, deltas = dict(block), []
    if "input" in block and str(block.get("type")).endswith("tool_use"):
        first["input"] = {}
        text = orjson.dumps(block["input"]).decode()
        deltas.append({"type": "input_json_delta", "partial_json": text})
    for kind, name in _TEXTS.items():
        if isinstance(block.get(name), str) and block.get("type") in ("text", "thinking"):
            first[name] = ""
            deltas.append({"type": kind, name: block[name]})
    for citation in block.get("citations") or ():
        first["citations"] = []
        deltas.append({"type": "citations_delta", "citation": citation})
    return first, deltas


def _arguments(text: str) -> Any:
    try:
        return document.load_last(text)
    except ValueError as error:
        raise BadAnswer("the arguments of a tool call are no JSON") from error


def _event(kind: str, **more: object) -> bytes:
    return sse.encode(orjson.dumps({"type": kind, **more}), kind.encode())


def _object(data: bytes) -> Body | None:
    try:
        parsed = document.load_last(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
