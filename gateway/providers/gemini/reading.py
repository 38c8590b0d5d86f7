"""The answers of Gemini, whole or as events, read as pieces. Pure."""

from typing import Any

import orjson

from gateway.exchange import Body, Usage
from gateway.providers import document, sse
from gateway.providers.fault import BadAnswer
from gateway.providers.gemini.signed import SIGNED
from gateway.providers.gemini.usage import read_usage
from gateway.providers.openai.upstream import error_text
from gateway.providers.reply import (
    Argued,
    Called,
    Finished,
    Gathering,
    Piece,
    Reply,
    Said,
    Thought,
)

FINISHES = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",
        ),
        "content_filter",
    ),
}
"""Why a candidate ended: the API's words, and those of all dialects."""

_UNREADABLE = "the provider's answer holds what is no part of a response"
_MOST_CANDIDATES = 128


def reply(raw: bytes) -> Reply:
    """Return what a whole answer says; BadAnswer where it is none."""
    reader = ContentReader(len(raw))
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadAnswer("the provider's answer is not JSON") from error
    gathering = Gathering()
    gathering.add(reader.take(body))
    if reader.failed is not None or gathering.empty:
        raise BadAnswer(reader.failed or "the provider's answer holds no candidate")
    return Reply(reader.id, reader.model, gathering.choices(), reader.usage)


class ContentReader:
    """Reads one stream of responses, each of which is a whole one with a piece of each candidate.

    Nothing in it says that it is over but the reasons for which its candidates ended: it is known
    to be whole when its bytes are.
    """

    def __init__(self, limit: int) -> None:
        self.done = False
        self.failed: str | None = None
        self.id = self.model = ""
        self._parser = sse.Parser(limit)
        self._usage: dict[str, Any] = {}
        self._wrote = False
        self._calls: dict[int, int] = {}
        self._open: dict[int, bool] = {}

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
        told = [] if event is None or _object(event.data) is None else self._read(event)
        self.done = bool(self._open) and not any(self._open.values()) and self.failed is None
        return told

    def take(self, response: object) -> list[Piece]:
        """Return what one response tells."""
        if not isinstance(response, dict):
            self.failed = _UNREADABLE
        elif response.get("error"):
            self.failed = error_text(response) or "the provider told of an error without a word"
        if self.failed is not None or not isinstance(response, dict):
            return []
        self.id = self.id or _text(response, "responseId")
        self.model = self.model or _text(response, "modelVersion")
        usage = response.get("usageMetadata")
        if isinstance(usage, dict):
            self._usage |= {name: value for name, value in usage.items() if value}
        candidates = response.get("candidates") or []
        try:
            if candidates or self._open:
                return [piece for candidate in candidates for piece in self._candidate(candidate)]
        except (BadAnswer, TypeError) as fault:
            self.failed = str(fault) if isinstance(fault, BadAnswer) else _UNREADABLE
            return []
        return self._blocked(response.get("promptFeedback"))

    def _read(self, event: sse.Event) -> list[Piece]:
        if event.data is None or self.failed is not None:
            return []
        return self.take(_object(event.data))

    def _blocked(self, feedback: object) -> list[Piece]:
        """Return the end of an answer that was never begun, since its prompt was blocked."""
        if not isinstance(feedback, dict) or not feedback.get("blockReason"):
            return []
        self._open[0] = False
        return [Finished(0, "content_filter")]

    def _candidate(self, candidate: object) -> list[Piece]:
        if not isinstance(candidate, dict):
            raise BadAnswer(_UNREADABLE)
        choice, content = candidate.get("index", 0), candidate.get("content") or {}
        if not isinstance(choice, int) or not 0 <= choice < _MOST_CANDIDATES:
            raise BadAnswer(_UNREADABLE)
        if not isinstance(content, dict):
            raise BadAnswer(_UNREADABLE)
        self._open.setdefault(choice, True)
        told = [piece for part in content.get("parts") or [] for piece in self._part(choice, part)]
        self._wrote = self._wrote or bool(told)
        reason = candidate.get("finishReason")
        if isinstance(reason, str) and reason and self._open[choice]:
            self._open[choice] = False
            told.append(Finished(choice, self._finish(choice, reason)))
        return told

    def _finish(self, choice: int, reason: str) -> str:
        finish = FINISHES.get(reason, reason.lower())
        return "tool_calls" if finish == "stop" and choice in self._calls else finish

    def _part(self, choice: int, part: object) -> list[Piece]:
        """Read a part; its signature belongs to the thoughts before it, and comes before it."""
        if not isinstance(part, dict):
            raise BadAnswer(_UNREADABLE)
        signature = _text(part, "thoughtSignature")
        signed: list[Piece] = [Thought(choice, "", SIGNED + signature)] if signature else []
        match part:
            case {"functionCall": dict(call)}:
                return [*signed, *self._call(choice, call)]
            case {"text": str(text), "thought": True}:
                return [*([Thought(choice, text)] if text else []), *signed]
            case {"text": str(text)}:
                return [*signed, *([Said(choice, text)] if text else [])]
        if part.keys() - {"thoughtSignature", "thought"}:
            raise BadAnswer("the provider's answer holds content of another kind than text")
        return signed

    def _call(self, choice: int, call: Body) -> list[Piece]:
        """Read a call; one without an id has none that is its own, so it gets one."""
        name, given = _text(call, "name"), call.get("args") or {}
        if not name or not isinstance(given, dict):
            raise BadAnswer("a tool call of the provider's answer has no name, or no arguments")
        position = self._calls.get(choice, 0)
        self._calls[choice] = position + 1
        own = f"call_{self.id}_{choice}_{position}" if choice else f"call_{self.id}_{position}"
        return [
            Called(choice, position, _text(call, "id") or own, name),
            Argued(choice, position, orjson.dumps(given).decode()),
        ]


def _object(data: bytes | None) -> Body | None:
    try:
        parsed = document.load_last(data or b"")
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""
