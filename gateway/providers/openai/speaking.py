"""The OpenAI chat API on the provider's side of a translation: a conversation is written as a
request, a stream of chunks is read as pieces. Pure."""

from collections.abc import Sequence
from typing import Any

from gateway.exchange import Body, Endpoint, Usage
from gateway.providers import document, sse
from gateway.providers.conversation import (
    Conversation,
    Declined,
    Format,
    Media,
    Part,
    Reasoning,
    Text,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
    Written,
    details,
)
from gateway.providers.dialect import Target
from gateway.providers.fault import BadRequest
from gateway.providers.openai import signatures, upstream
from gateway.providers.openai.answering import chat_reply
from gateway.providers.openai.gather import well_formed
from gateway.providers.openai.usage import merge_usage, read_usage
from gateway.providers.reply import Argued, Called, Finished, Piece, Refused, Reply, Said, Thought

_UNREADABLE = "the provider's stream holds what is no event of a chat"
_AUDIO_FORMATS = {"audio/wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3"}


class OpenAiChat:
    """The chat API of OpenAI and of the many servers that speak as it does."""

    operation = Endpoint.CHAT

    def written(self, conversation: Conversation, target: Target) -> Written:
        """Return a conversation as a chat request."""
        signs = upstream.is_google(target.base_url)
        body: Body = {"messages": _messages(conversation.turns, signs=signs)}
        body |= {
            name: value for name, value in _settings(conversation).items() if value is not None
        }
        left_out = [*conversation.other]
        if details(conversation.turns, "audio", "document"):
            left_out.append("detail")  # which this API has for images alone
        if conversation.top_k is not None:
            if upstream.is_openai(target.base_url):
                left_out.append("top_k")
            else:
                body["top_k"] = conversation.top_k
        return Written(upstream.outgoing(Endpoint.CHAT, body, target).body, tuple(left_out))

    def reply(self, raw: bytes) -> Reply:
        """Return what a whole answer says."""
        answer = upstream.parse_answer(Endpoint.CHAT, raw, viewed=False)
        return chat_reply(answer.body)._replace(usage=answer.usage)

    def reader(self, limit: int) -> "ChatReader":
        """Return the reader of one stream."""
        return ChatReader(limit)


class ChatReader:
    """Reads a stream of chunks as pieces."""

    def __init__(self, limit: int) -> None:
        self.done = False
        self.failed: str | None = None
        self.id = self.model = ""
        self._parser = sse.Parser(limit)
        self._usage: dict[str, Any] = {}
        self._wrote = False
        self._calls: dict[int, list[tuple[object, str]]] = {}

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
        if event is None or event.data is None:
            return []
        if event.data != b"[DONE]" and _object(event.data) is None:
            return []
        return self._read(event)

    def _read(self, event: sse.Event) -> list[Piece]:
        if event.data is None:
            return []
        if event.data == b"[DONE]":
            self.done = True
            return []
        chunk = _object(event.data)
        if chunk is not None:
            merge_usage(self._usage, chunk.get("usage"))
        if self.done or self.failed is not None:
            return []
        if chunk is None or chunk.get("error") or event.name == b"error":
            self.failed = _UNREADABLE if chunk is None else upstream.error_text(chunk)
            return []
        return self._chunk(chunk)

    def _chunk(self, chunk: Body) -> list[Piece]:
        choices = chunk.get("choices") or []
        if not well_formed(choices):
            self.failed = _UNREADABLE
            return []
        self.id, self.model = self.id or _text(chunk, "id"), self.model or _text(chunk, "model")
        told: list[Piece] = []
        for choice in choices:
            index = choice.get("index", 0)
            merge_usage(self._usage, choice.get("usage"))
            told += self._delta(index, choice.get("delta") or {})
            if choice.get("finish_reason"):
                told.append(Finished(index, choice["finish_reason"]))
        return told

    def _delta(self, choice: int, delta: Body) -> list[Piece]:
        told: list[Piece] = []
        thought = _text(delta, "reasoning_content") or _text(delta, "reasoning")
        if thought:
            told.append(Thought(choice, thought))
        if signature := signatures.heard(delta):
            told.append(Thought(choice, "", signature))
        if text := _text(delta, "content"):
            told.append(Said(choice, text))
        if refusal := _text(delta, "refusal"):
            told.append(Refused(choice, refusal))
        for call in delta.get("tool_calls") or ():
            told += self._call(choice, call)
        self._wrote = self._wrote or bool(told)
        return told

    def _call(self, choice: int, call: Body) -> list[Piece]:
        """Read a piece of a tool call: one under a used index with another id is a new one."""
        known = self._calls.setdefault(choice, [])
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        index, identity = call.get("index", 0), _text(call, "id")
        position = next(
            (place for place in reversed(range(len(known))) if known[place][0] == index), None
        )
        told: list[Piece] = []
        if position is None or (identity and known[position][1] not in ("", identity)):
            position = len(known)
            known.append((index, identity))
            name = _text(function, "name")
            if signature := signatures.heard(call):
                told.append(Thought(choice, "", signature))
            told.append(Called(choice, position, identity or f"call_{choice}_{position}", name))
        if arguments := _text(function, "arguments"):
            told.append(Argued(choice, position, arguments))
        return told


def _object(data: bytes) -> Body | None:
    try:
        parsed = document.load_last(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _settings(asked: Conversation) -> dict[str, object]:
    """Return the fields beside the messages; None for those that were not asked for."""
    return {
        "tools": [_tool(tool) for tool in asked.tools] or None,
        "tool_choice": _tool_choice(asked),
        "parallel_tool_calls": asked.parallel if asked.tools else None,
        "n": asked.n if asked.n > 1 else None,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "seed": asked.seed,
        "frequency_penalty": asked.frequency_penalty,
        "presence_penalty": asked.presence_penalty,
        "stop": list(asked.stop) or None,
        "response_format": _format(asked.format),
        "reasoning_effort": asked.effort or None,
        "user": asked.user or None,
    }


def _tool(tool: Tool) -> Body:
    function: Body = {"name": tool.name, "parameters": tool.schema}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(asked: Conversation) -> str | Body | None:
    choice = asked.tool_choice
    if choice is None:
        return None
    return {"type": "function", "function": {"name": choice.name}} if choice.name else choice.mode


def _format(asked: Format | None) -> Body | None:
    if asked is None:
        return None
    if asked.schema is None:
        return {"type": "json_object"}
    schema: Body = {"name": asked.name or "answer", "schema": asked.schema}
    if asked.description:
        schema["description"] = asked.description
    if asked.strict is not None:
        schema["strict"] = asked.strict
    return {"type": "json_schema", "json_schema": schema}


def _messages(turns: Sequence[Turn], *, signs: bool) -> list[Body]:
    messages: list[Body] = []
    for turn in turns:
        results = [part for part in turn.parts if isinstance(part, ToolResult)]
        messages += [_result(result) for result in results]
        rest = [part for part in turn.parts if not isinstance(part, ToolResult)]
        if rest or not results:
            named = {"name": turn.name} if turn.name else {}
            messages.append({"role": turn.role, **named, **_said(rest, signs=signs)})
    return messages


def _result(result: ToolResult) -> Body:
    if any(isinstance(part, Media) for part in result.parts):
        raise BadRequest("the result of a tool can only be text for this provider", "messages")
    text = "".join(part.text for part in result.parts if isinstance(part, Text))
    return {"role": "tool", "tool_call_id": result.id, "content": text}


def _said(parts: Sequence[Part], *, signs: bool) -> Body:
    """Return the content of a message, and its tool calls. Of earlier reasoning only signatures of
    calls travel, and those only to the vendor that `signs`."""
    calls: list[Body] = []
    signature = ""
    for part in parts:
        if isinstance(part, ToolUse):
            function = {"name": part.name, "arguments": part.arguments}
            told = signatures.told(signature) if signs else {}
            calls.append({"id": part.id, "type": "function", "function": function, **told})
        signature = part.signature if isinstance(part, Reasoning) else ""
    shown = [part for part in parts if not isinstance(part, (ToolUse, Reasoning))]
    content: object = [_part(part) for part in shown]
    if all(isinstance(part, Text) for part in shown):
        content = "".join(part.text for part in shown if isinstance(part, Text))
    if calls:
        return {"content": content or None, "tool_calls": calls}
    return {"content": content}


def _part(part: Part) -> Body:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Declined(text):
            return {"type": "refusal", "refusal": text}
        case Media("image"):
            image: Body = {"url": part.url or _address(part)}
            if part.detail:
                image["detail"] = part.detail
            return {"type": "image_url", "image_url": image}
        case Media("audio", media_type, data) if media_type in _AUDIO_FORMATS:
            audio = {"data": data, "format": _AUDIO_FORMATS[media_type]}
            return {"type": "input_audio", "input_audio": audio}
        case Media("document") if part.data:
            file = {"filename": part.name or "document", "file_data": _address(part)}
            return {"type": "file", "file": file}
    raise BadRequest("this provider cannot take content of this kind", "messages")


def _address(media: Media) -> str:
    return f"data:{media.media_type};base64,{media.data}"
