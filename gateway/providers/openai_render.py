"""Streams of chat chunks, written: a whole answer, an error, an early end. Pure."""

import orjson

from gateway.exchange import Answer, Body
from gateway.providers import sse
from gateway.providers.openai_stream import ChatStream

_DONE_EVENT = sse.encode(b"[DONE]")
_OBJECT = "chat.completion.chunk"


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
