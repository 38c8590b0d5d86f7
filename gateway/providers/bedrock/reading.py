"""The answers of Converse, whole or as messages of an event stream, read as pieces. Pure."""

from typing import Any

import orjson

from gateway.exchange import Body, Usage
from gateway.providers import document
from gateway.providers.bedrock import eventstream
from gateway.providers.bedrock.usage import read_usage
from gateway.providers.conversation import Part, Reasoning, Text, ToolUse
from gateway.providers.fault import BadAnswer
from gateway.providers.openai.upstream import error_text
from gateway.providers.reply import (
    Argued,
    Called,
    Finished,
    Piece,
    Reply,
    Said,
    Spoken,
    Thought,
)

FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
"""Why an answer ended: the API's words, and those of all dialects."""

_UNREADABLE = "the provider's stream holds what is no event of a message"
_OTHER = "the provider's answer holds content of another kind than text"


def reply(raw: bytes) -> Reply:
    """Return what a whole answer says; BadAnswer where it is none."""
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadAnswer("the provider's answer is not JSON") from error
    match told:
        case {"output": {"message": {"content": list(blocks)}}}:
            parts = tuple(part for block in blocks if (part := _spoken(block)) is not None)
        case _:
            raise BadAnswer("the provider's answer is no message")
    usage = told.get("usage")
    return Reply(
        "",
        "",
        (Spoken(parts, _finish(told.get("stopReason"))),),
        read_usage(usage if isinstance(usage, dict) else {}, wrote=bool(parts)),
    )


def _spoken(block: object) -> Part | None:
    """Return what a block says; None for what only the provider's own tools produce."""
    match block:
        case {"text": str(text)}:
            return Text(text)
        case {"toolUse": {"type": "server_tool_use"}} | {"toolResult": _}:
            return None
        case {"toolUse": {"toolUseId": str(identity), "name": str(name), "input": dict(given)}}:
            return ToolUse(identity, name, orjson.dumps(given).decode())
        case {"reasoningContent": {"reasoningText": {"text": str(text), **more}}}:
            return Reasoning(text, str(more.get("signature") or ""))
        case {"reasoningContent": {"redactedContent": str(sealed)}}:
            return Reasoning("", "", sealed)
        case {"citationsContent": {"content": list(content)}}:
            texts = [one.get("text") for one in content if isinstance(one, dict)]
            return Text("".join(text for text in texts if isinstance(text, str)))
    raise BadAnswer(_OTHER)


def _finish(reason: object) -> str:
    return FINISHES.get(reason, reason) if isinstance(reason, str) else ""


class ConverseReader:
    """Reads one stream of a message. Its blocks count the tool calls from 0, as pieces do."""

    def __init__(self, limit: int) -> None:
        self.done = False
        self.failed: str | None = None
        self.id = self.model = ""
        self._parser = eventstream.Parser(limit)
        self._usage: dict[str, Any] = {}
        self._wrote = False
        self._calls: dict[int, int] = {}

    @property
    def usage(self) -> Usage | None:
        """What the provider has told so far."""
        return read_usage(self._usage, wrote=self._wrote)

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return what a chunk of bytes tells."""
        if self.failed is not None:
            return []
        try:
            return [piece for event in self._parser.feed(chunk) for piece in self._read(event)]
        except BadAnswer as fault:
            self.failed = str(fault)
            return []

    def close(self) -> list[Piece]:
        """Return nothing: what the end of the bytes left open is half a message, and no answer."""
        if not self._parser.is_between:
            self.done = False
        return []

    def _read(self, event: eventstream.Message) -> list[Piece]:
        told = _object(event.payload)
        if self.failed is not None:
            return []
        match event.headers:
            case {":message-type": "event", ":event-type": kind} if told is not None:
                found = self._pieces(kind, told)
                self._wrote = self._wrote or any(not isinstance(one, Finished) for one in found)
                return found
            case {":message-type": "exception", ":exception-type": kind}:
                self.failed = error_text(told) if told else kind
            case {":message-type": "error", **more}:
                self.failed = more.get(":error-message") or more.get(":error-code", "")
            case _:
                self.failed = _UNREADABLE
        self.failed = self.failed or "the provider told of an error without a word"
        return []

    def _pieces(self, kind: str, told: Body) -> list[Piece]:
        match kind, told:
            case "contentBlockStart", {"start": dict(start)}:
                return self._begun(_index(told), start)
            case "contentBlockDelta", {"delta": dict(delta)}:
                return self._more(_index(told), delta)
            case "messageStop", {"stopReason": str(reason)}:
                self.done = True
                return [Finished(0, _finish(reason))]
            case "metadata", {"usage": dict(usage)}:
                self._usage |= {name: value for name, value in usage.items() if value is not None}
        return []  # the beginning, ends of blocks, and what the API may add

    def _begun(self, index: int, start: Body) -> list[Piece]:
        match start:
            case {"toolUse": {"type": "server_tool_use"}} | {"toolResult": _}:
                return []
            case {"toolUse": {"toolUseId": str(identity), "name": str(name)}}:
                call = self._calls[index] = len(self._calls)
                return [Called(0, call, identity, name)]
        raise BadAnswer(_OTHER)

    def _more(self, index: int, delta: Body) -> list[Piece]:
        match delta:
            case {"text": str(text)}:
                return [Said(0, text)] if text else []
            case {"toolUse": {"input": str(text)}}:
                known = text and index in self._calls
                return [Argued(0, self._calls[index], text)] if known else []
            case {"reasoningContent": {"text": str(text)}}:
                return [Thought(0, text)] if text else []
            case {"reasoningContent": {"signature": str(signature)}}:
                return [Thought(0, "", signature)] if signature else []
            case {"reasoningContent": {"redactedContent": str(sealed)}}:
                return [Thought(0, "", "", sealed)]
            case {"citation": _} | {"toolResult": _}:
                return []
        raise BadAnswer(_OTHER)


def _index(told: Body) -> int:
    index = told.get("contentBlockIndex")
    return index if isinstance(index, int) else -1


def _object(data: bytes) -> Body | None:
    try:
        parsed = document.load_last(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
