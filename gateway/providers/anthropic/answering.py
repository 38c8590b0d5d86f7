"""A reply as a message of the messages API: whole, or as the events of a stream. Pure."""

from collections.abc import Iterable

import orjson

from gateway.exchange import Body, Usage
from gateway.providers import sse
from gateway.providers.anthropic.usage import usage_body
from gateway.providers.conversation import Declined, Part, Reasoning, Text, ToolUse, arguments
from gateway.providers.dialect import Source
from gateway.providers.fault import BadAnswer
from gateway.providers.reply import Argued, Called, Finished, Piece, Refused, Reply, Said, Thought

_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_SILENT = {"input_tokens": 0, "output_tokens": 0}


def message(reply: Reply) -> Body:
    """Return a whole message, which is the first choice of a reply."""
    if not reply.choices:
        raise BadAnswer("the provider's answer holds no choice")
    spoken = reply.choices[0]
    return {
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [_block(part) for part in spoken.parts],
        **_ending(spoken.finish, spoken.sequence),
        "usage": usage_body(reply.usage) if reply.usage is not None else dict(_SILENT),
    }


def _ending(finish: str, sequence: str) -> Body:
    reason = "stop_sequence" if sequence else _REASONS.get(finish, "end_turn")
    return {"stop_reason": reason if finish else None, "stop_sequence": sequence or None}


def _block(part: Part) -> Body:
    match part:
        case Text(text) | Declined(text):
            return {"type": "text", "text": text}
        case Reasoning(_, _, sealed) if sealed:
            return {"type": "redacted_thinking", "data": sealed}
        case Reasoning(text, signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case ToolUse(identity, name, text):
            return {"type": "tool_use", "id": identity, "name": name, "input": _input(text)}
    raise BadAnswer("the provider's answer holds what no message can")


def _input(text: str) -> Body:
    try:
        return arguments(text)
    except ValueError as error:
        raise BadAnswer(str(error)) from error


class MessageWriter:
    """Writes pieces as events: one block after the other, the one of a choice that a message has.

    A provider may write several tool calls at once, and a message cannot: the first is written as
    it comes, the others wait until it can be over.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._begun = False
        self._block = -1
        self._kind = ""
        self._call: int | None = None
        self._waiting: dict[int, tuple[Body, list[str]]] = {}
        self._ending: Body = {"stop_reason": None, "stop_sequence": None}

    def write(self, told: Iterable[Piece]) -> bytes:
        """Return the events of these pieces."""
        return b"".join(event for piece in told if not piece.choice for event in self._write(piece))

    def end(self, usage: Usage | None) -> bytes:
        """Return the end of the message, with why it ended and what it used."""
        events = [*self._begin(), *self._overtaken(), *self._close()]
        told = usage_body(usage) if usage is not None else {"output_tokens": 0}
        events.append(_event("message_delta", delta=self._ending, usage=told))
        events.append(_event("message_stop"))
        return b"".join(events)

    def _write(self, piece: Piece) -> list[bytes]:
        match piece:
            case Said(_, text) | Refused(_, text):
                events = self._overtaken()
                events += self._open("text", {"type": "text", "text": ""})
                return [*events, self._delta({"type": "text_delta", "text": text})]
            case Thought():
                return [*self._overtaken(), *self._think(piece)]
            case Called() | Argued():
                return self._calling(piece)
            case Finished(_, reason, sequence):
                self._ending = _ending(reason, sequence)
                return []

    def _calling(self, piece: Called | Argued) -> list[bytes]:
        if isinstance(piece, Argued):
            if piece.call == self._call:
                return [self._argue(piece.text)]
            self._waiting[piece.call][1].append(piece.text)
            return []
        head: Body = {"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}
        if self._call is None:
            self._call = piece.call
            return self._open("call", head)
        self._waiting[piece.call] = head, []
        return []

    def _overtaken(self) -> list[bytes]:
        """Write the calls that wait, each as a block of its own."""
        events: list[bytes] = []
        for head, texts in self._waiting.values():
            self._kind = ""
            events += [*self._open("call", head), self._argue("".join(texts))]
        self._waiting.clear()
        self._call = None
        return events

    def _argue(self, text: str) -> bytes:
        return self._delta({"type": "input_json_delta", "partial_json": text})

    def _think(self, thought: Thought) -> list[bytes]:
        if thought.sealed:
            self._kind = ""
            head = {"type": "redacted_thinking", "data": thought.sealed}
            return self._open("sealed", head)
        events = self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if thought.text:
            events.append(self._delta({"type": "thinking_delta", "thinking": thought.text}))
        if thought.signature:
            signed = {"type": "signature_delta", "signature": thought.signature}
            events.append(self._delta(signed))
            self._kind = "signed"
        return events

    def _begin(self) -> list[bytes]:
        if self._begun:
            return []
        self._begun = True
        head: Body = {
            "id": self._source.id,
            "type": "message",
            "role": "assistant",
            "model": self._source.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": dict(_SILENT),
        }
        return [_event("message_start", message=head)]

    def _open(self, kind: str, head: Body) -> list[bytes]:
        """Go on with the block of a kind, or begin it after ending the one before."""
        if kind == self._kind:
            return []
        events = [*self._begin(), *self._close()]
        self._block += 1
        self._kind = kind
        return [*events, _event("content_block_start", index=self._block, content_block=head)]

    def _close(self) -> list[bytes]:
        if self._block < 0:
            return []
        return [_event("content_block_stop", index=self._block)]

    def _delta(self, delta: Body) -> bytes:
        return _event("content_block_delta", index=self._block, delta=delta)


def _event(kind: str, **more: object) -> bytes:
    return sse.encode(orjson.dumps({"type": kind, **more}), kind.encode())
