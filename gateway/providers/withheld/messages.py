"""Streams of the messages API. Pure.

Texts and thinking leave as they become certain; texts that follow each other are one text, as in a
whole message. Every other block is gathered, inspected whole and said at its end, the input of a
tool in one delta.
"""

from functools import partial
from typing import Any

import orjson

from gateway.exchange import Body
from gateway.providers import document, sse
from gateway.providers.anthropic.leaves import answer_view
from gateway.providers.fault import BadAnswer
from gateway.providers.withheld.inspector import Inspector
from gateway.providers.withheld.lane import Lane, Make, filling

_TEXT = "text"
_SPOKEN = {"text": "text", "thinking": "thinking"}
_DELTAS = {"text_delta": "text", "thinking_delta": "thinking"}


class MessageWithheld:
    """A message's stream of which what is certain leaves."""

    def __init__(self, inspector: Inspector, limit: int) -> None:
        self._inspector = inspector
        self._parser = sse.Parser(limit)
        self._lane = Lane(inspector, inspector.manner)
        self._whole: dict[int, tuple[Body, list[str]]] = {}
        self._thinking: set[int] = set()
        self._makes: dict[tuple[int, str], Make] = {}

    @property
    def held(self) -> int:
        """How many characters of text wait."""
        return self._lane.held

    @property
    def spoke(self) -> bool:
        """Whether anything that the model said has left."""
        return self._lane.spoke

    def feed(self, data: bytes) -> bytes:
        """Return what may leave."""
        for event in self._parser.feed(data):
            if event.data is None:
                self._lane.put(partial(_raw, event.raw))
            else:
                self._take(document.load_last(event.data))
        return self._lane.leave()

    def close(self, data: bytes) -> bytes:
        """Take in the last events; return all that is left."""
        begun = self.feed(data)
        self._lane.close_all()
        return begun + self._lane.leave()

    def _take(self, told: Any) -> None:
        match told:
            case {"type": "content_block_start", "index": int(index), "content_block": dict(block)}:
                self._start(index, block)
            case {"type": "content_block_delta", "index": int(index), "delta": dict(delta)}:
                self._add(index, delta)
            case {"type": "content_block_stop", "index": int(index)}:
                self._stop(index)
            case {"type": "message_start", "message": dict(message)}:
                self._put("message_start", message=self._seen(message))
            case {"type": "message_delta", "delta": dict(delta)}:
                self._end(told, delta)
            case {"type": "message_stop" | "ping" as kind}:
                self._put(str(kind))

    def _start(self, index: int, block: Body) -> None:
        kind = block.get("type")
        if kind != _TEXT:
            self._lane.close(_TEXT)
        if kind not in _SPOKEN:
            self._whole[index] = block, []
            return
        field = _SPOKEN[kind]
        text, rest = block.get(field), {**block, field: ""}
        plain = {name for name, value in rest.items() if value == ""} | {"type"}
        seen = rest if rest.keys() <= plain else self._seen_block(rest)
        self._put("content_block_start", index=index, content_block=seen)
        if kind == "thinking":
            self._thinking.add(index)
        if isinstance(text, str):
            self._say(index, f"{kind}_delta", text)

    def _add(self, index: int, delta: Body) -> None:
        kind = str(delta.get("type"))
        if index in self._whole:
            text = delta.get("partial_json")
            if isinstance(text, str):
                self._inspector.weigh(len(text))
                self._whole[index][1].append(text)
        elif kind in _DELTAS:
            self._say(index, kind, str(delta.get(_DELTAS[kind]) or ""))
        elif kind == "signature_delta":
            held = self._seen_block({**delta, "type": "thinking", "thinking": ""})
            signed = {name: value for name, value in held.items() if name != "thinking"}
            self._put("content_block_delta", index=index, delta={**signed, "type": kind})
        elif kind == "citations_delta":
            held = {"type": "text", "text": "", "citations": [delta.get("citation")]}
            (citation,) = self._seen_block(held)["citations"]
            cited = {"type": kind, "citation": citation}
            self._put("content_block_delta", index=index, delta=cited)

    def _say(self, index: int, kind: str, text: str) -> None:
        """Say more of a block; a thought is a text of its own, texts go on from block to block."""
        field = _DELTAS[kind]
        name: object = _TEXT if field == _TEXT else (field, index)
        make = self._makes.get((index, kind))
        if make is None:
            delta = {"type": kind, field: ""}
            make = filling(_event("content_block_delta", index=index, delta=delta))
            self._makes[index, kind] = make
        self._inspector.weigh(len(text))
        self._lane.say(name, text, make)

    def _stop(self, index: int) -> None:
        if index in self._thinking:
            self._lane.close(("thinking", index))
        elif index in self._whole:
            self._say_whole(index, *self._whole.pop(index))
        self._put("content_block_stop", index=index)

    def _say_whole(self, index: int, block: Body, pieces: list[str]) -> None:
        """Say a block of which everything is there."""
        calls = str(block.get("type")).endswith("tool_use")
        if calls and pieces:
            block = {**block, "input": _arguments("".join(pieces))}
        if calls:
            self._inspector.called(str(block.get("name") or ""))
        seen = self._seen_block(block)
        if not calls:
            self._put("content_block_start", index=index, content_block=seen)
            return
        self._put("content_block_start", index=index, content_block={**seen, "input": {}})
        spelled = orjson.dumps(seen.get("input") or {}).decode()
        delta = {"type": "input_json_delta", "partial_json": spelled}
        self._put("content_block_delta", index=index, delta=delta, tells=True)

    def _end(self, told: Body, delta: Body) -> None:
        self._lane.close_all()
        seen = self._seen({**delta, "content": [], "usage": told.get("usage")})
        ending = {name: seen[name] for name in seen if name not in ("content", "usage")}
        usage = {"usage": seen["usage"]} if seen["usage"] is not None else {}
        self._put("message_delta", delta=ending, **usage)

    def _seen_block(self, block: Body) -> Body:
        (seen,) = self._seen({"content": [block]})["content"]
        return dict(seen)

    def _seen(self, message: Body) -> Body:
        return self._inspector.seen(message, answer_view)

    def _put(self, kind: str, *, tells: bool = False, **more: object) -> None:
        self._lane.put(lambda _: _event(kind, **more), tells=tells)


def _arguments(text: str) -> object:
    try:
        return document.load_last(text)
    except ValueError as error:
        raise BadAnswer("the arguments of a tool call are no JSON") from error


def _raw(data: bytes, _text: str) -> bytes:
    return data


def _event(kind: str, **more: object) -> bytes:
    return sse.encode(orjson.dumps({"type": kind, **more}), kind.encode())
