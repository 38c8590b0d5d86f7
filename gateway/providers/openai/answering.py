"""A reply as an answer of the OpenAI chat API: whole, or as a stream of chunks; and back. Pure."""

from collections.abc import Iterable
from typing import Any

import orjson

from gateway.exchange import Body, Usage
from gateway.providers import sse
from gateway.providers.conversation import Declined, Part, Reasoning, Text, ToolUse
from gateway.providers.dialect import Source
from gateway.providers.fault import BadAnswer
from gateway.providers.openai import signatures
from gateway.providers.openai.usage import read_usage
from gateway.providers.reply import (
    Argued,
    Called,
    Finished,
    Piece,
    Refused,
    Reply,
    Said,
    Spoken,
    Thought,
)

DONE_EVENT = sse.encode(b"[DONE]")
_FINISHES = frozenset({"stop", "length", "tool_calls", "content_filter"})


def chat_answer(reply: Reply, created_s: int) -> Body:
    """Return a whole answer; a vendor's own reason to finish reads as "stop", which SDKs know."""
    body: Body = {
        "id": reply.id,
        "object": "chat.completion",
        "created": created_s,
        "model": reply.model,
        "choices": [
            {
                "index": index,
                "message": _message(spoken.parts),
                "logprobs": None,
                "finish_reason": _finish(spoken.finish),
            }
            for index, spoken in enumerate(reply.choices)
        ],
    }
    if reply.usage is not None:
        body["usage"] = usage_body(reply.usage)
    return body


def usage_body(usage: Usage) -> Body:
    """Return usage as this dialect tells it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def chat_reply(body: Body) -> Reply:
    """Return what a whole answer says; `upstream.parse_answer` has found it to be one."""
    choices = [
        Spoken(tuple(_parts(choice["message"])), choice.get("finish_reason") or "")
        for choice in body["choices"]
    ]
    usage: dict[str, Any] = body.get("usage") or {}
    return Reply(
        str(body.get("id") or ""),
        str(body.get("model") or ""),
        tuple(choices),
        read_usage(usage, wrote=any(spoken.parts for spoken in choices)),
    )


class ChatWriter:
    """Writes pieces as chunks: each choice begins with its role, `[DONE]` ends them all."""

    def __init__(self, source: Source, *, keep_usage: bool) -> None:
        self._head = {
            "id": source.id,
            "object": "chat.completion.chunk",
            "created": source.created_s,
            "model": source.model,
        }
        self._keep_usage = keep_usage
        self._begun: set[int] = set()
        self._signatures: dict[int, str] = {}

    def write(self, told: Iterable[Piece]) -> bytes:
        """Return the chunks of these pieces."""
        events: list[bytes] = []
        for piece in told:
            delta, finish = _delta(piece)
            if isinstance(piece, Thought) and piece.signature:
                self._signatures[piece.choice] = piece.signature
            if delta is None:
                continue
            delta = self._signed(piece, delta)
            if piece.choice not in self._begun:
                self._begun.add(piece.choice)
                delta = {"role": "assistant", "content": "", **delta}
            choice = {"index": piece.choice, "delta": delta, "finish_reason": finish}
            events.append(self._event([choice]))
        return b"".join(events)

    def end(self, usage: Usage | None) -> bytes:
        """Return the chunk of the usage, where the client asked for it, and the end mark."""
        told = b""
        if self._keep_usage and usage is not None:
            told = self._event([], usage=usage_body(usage))
        return told + DONE_EVENT

    def _signed(self, piece: Piece, delta: Body) -> Body:
        """Return a delta with the signature that stands before what it tells, on its call if it is
        one."""
        if isinstance(piece, Thought) or piece.choice not in self._signatures:
            return delta
        told = signatures.told(self._signatures.pop(piece.choice))
        if isinstance(piece, Called):
            return {"tool_calls": [{**call, **told} for call in delta["tool_calls"]]}
        return {**delta, **told}

    def _event(self, choices: list[Body], **more: object) -> bytes:
        return sse.encode(orjson.dumps({**self._head, "choices": choices, **more}))


def _delta(piece: Piece) -> tuple[Body | None, str | None]:
    """Return what a piece adds to its message, None for nothing, and the reason that ends it."""
    match piece:
        case Said(_, text):
            return {"content": text}, None
        case Thought(_, text):
            return ({"reasoning_content": text} if text else None), None
        case Refused(_, text):
            return {"refusal": text}, None
        case Called(_, call, identity, name):
            function = {"name": name, "arguments": ""}
            told = {"index": call, "id": identity, "type": "function", "function": function}
            return {"tool_calls": [told]}, None
        case Argued(_, call, text):
            return {"tool_calls": [{"index": call, "function": {"arguments": text}}]}, None
        case Finished(_, reason):
            return {}, _finish(reason)


def _finish(reason: str) -> str | None:
    return reason if reason in _FINISHES else "stop" if reason else None


def _message(parts: tuple[Part, ...]) -> Body:
    text = [part.text for part in parts if isinstance(part, Text)]
    declined = [part.text for part in parts if isinstance(part, Declined)]
    thought = "".join(part.text for part in parts if isinstance(part, Reasoning))
    message: Body = {
        "role": "assistant",
        "content": "".join(text) if text else None,
        "refusal": "".join(declined) if declined else None,
    }
    if thought:
        message["reasoning_content"] = thought
    calls: list[Body] = []
    signature = ""
    for part in parts:
        match part:
            case Reasoning(_, signed) if signed:
                signature = signed
            case ToolUse(identity):
                call = {"id": identity, "type": "function", "function": _function(part)}
                calls.append({**call, **signatures.told(signature)})
                signature = ""
            case Text() | Declined():
                message |= signatures.told(signature)
                signature = ""
    message |= signatures.told(signature)
    if calls:
        message["tool_calls"] = calls
    return message


def _function(call: ToolUse) -> Body:
    return {"name": call.name, "arguments": call.arguments or "{}"}


def _parts(message: Body) -> list[Part]:
    thought = message.get("reasoning_content") or message.get("reasoning")
    parts: list[Part] = [*signatures.thoughts(thought, signatures.heard(message))]
    content = message.get("content")
    if isinstance(content, str) and content:
        parts.append(Text(content))
    elif isinstance(content, list):  # as some compatible servers write it
        parts += [
            Text(part["text"])
            for part in content
            if isinstance(part, dict) and isinstance(part.get("text"), str)
        ]
    if isinstance(message.get("refusal"), str):
        parts.append(Declined(message["refusal"]))
    calls = list(message.get("tool_calls") or ())
    if message.get("function_call"):
        calls.append({"function": message["function_call"]})
    for call in calls:
        parts += [*signatures.thoughts("", signatures.heard(call)), _call(call)]
    return parts


def _call(call: Body) -> ToolUse:
    function = call.get("function")
    if not isinstance(function, dict):
        raise BadAnswer("the provider's answer calls a tool that only OpenAI has")
    given = function.get("arguments")
    text = given if isinstance(given, str) else orjson.dumps(given or {}).decode()
    name = str(function.get("name") or "")
    return ToolUse(str(call.get("id") or name), name, text)
