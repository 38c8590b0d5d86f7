"""The events of a message's stream, read as pieces. Pure."""

from typing import Any

from gateway.exchange import Body, Usage
from gateway.providers import document, sse
from gateway.providers.anthropic.answers import finish
from gateway.providers.anthropic.usage import read_usage
from gateway.providers.openai.upstream import error_text
from gateway.providers.reply import Argued, Called, Finished, Piece, Said, Thought

_UNREADABLE = "the provider's stream holds what is no event of a message"


class MessageReader:
    """Reads one stream of a message. Its blocks count the tool calls from 0, as pieces do."""

    def __init__(self, limit: int) -> None:
        self.done = False
        self.failed: str | None = None
        self.id = self.model = ""
        self._parser = sse.Parser(limit)
        self._usage: dict[str, Any] = {}
        self._wrote = False
        self._calls: dict[int, int] = {}

    @property
    def usage(self) -> Usage | None:
        """What the provider has told so far."""
        return read_usage(self._usage, wrote=self._wrote)

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return what a chunk of bytes tells."""
        return [piece for event in self._parser.feed(chunk) for piece in self._read(event)]

    def close(self) -> list[Piece]:
        """Return what the end of the bytes left open, where it is whole but for its blank line."""
        event = self._parser.close()
        if event is None or event.data is None or _object(event.data) is None:
            return []
        return self._read(event)

    def _read(self, event: sse.Event) -> list[Piece]:
        if event.data is None:
            return []
        told = _object(event.data)
        if self.done or self.failed is not None:
            return []
        if told is None or told.get("type") == "error":
            self.failed = _UNREADABLE if told is None else error_text(told)
            return []
        found = self._pieces(told)
        self._wrote = self._wrote or any(not isinstance(piece, Finished) for piece in found)
        return found

    def _pieces(self, told: Body) -> list[Piece]:
        match told:
            case {"type": "message_start", "message": dict(message)}:
                self.id, self.model = str(message.get("id") or ""), str(message.get("model") or "")
                self._charge(message.get("usage"), final=False)
            case {"type": "content_block_start", "content_block": dict(block)}:
                return self._begun(_index(told), block)
            case {"type": "content_block_delta", "delta": dict(delta)}:
                return self._more(_index(told), delta)
            case {"type": "message_delta", "delta": dict(delta)}:
                self._charge(told.get("usage"))
                return _finished(delta)
            case {"type": "message_stop"}:
                self.done = True
            case {"type": str()}:  # pings, ends of blocks, and what the API may add
                pass
            case _:
                self.failed = _UNREADABLE
        return []

    def _charge(self, usage: object, *, final: bool = True) -> None:
        """Take in what is told of usage, the last number of each: nothing told is no number.

        What is told at the beginning counts the input; its output has only begun.
        """
        for name, value in usage.items() if isinstance(usage, dict) else ():
            if value is not None and (final or name != "output_tokens"):
                self._usage[name] = value

    def _begun(self, index: int, block: Body) -> list[Piece]:
        match block:
            case {"type": "text", "text": str(text)}:
                return [Said(0, text)] if text else []
            case {"type": "thinking", "thinking": str(text)}:
                return [Thought(0, text, str(block.get("signature") or ""))] if text else []
            case {"type": "redacted_thinking", "data": str(sealed)}:
                return [Thought(0, "", "", sealed)]
            case {"type": "tool_use", "name": str(name)}:
                call = self._calls[index] = len(self._calls)
                return [Called(0, call, str(block.get("id") or f"call_{call}"), name)]
        return []

    def _more(self, index: int, delta: Body) -> list[Piece]:
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                return [Said(0, text)]
            case {"type": "thinking_delta", "thinking": str(text)}:
                return [Thought(0, text)]
            case {"type": "signature_delta", "signature": str(signature)}:
                return [Thought(0, "", signature)]
            case {"type": "input_json_delta", "partial_json": str(text)} if index in self._calls:
                return [Argued(0, self._calls[index], text)] if text else []
        return []


def _index(told: Body) -> int:
    index = told.get("index")
    return index if isinstance(index, int) else -1


def _finished(delta: Body) -> list[Piece]:
    reason = delta.get("stop_reason")
    if not isinstance(reason, str):
        return []
    return [Finished(0, finish(reason), str(delta.get("stop_sequence") or ""))]


def _object(data: bytes) -> Body | None:
    try:
        parsed = document.load_last(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
