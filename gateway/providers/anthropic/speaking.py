"""The Anthropic messages API on the provider's side of a translation: a conversation is written as
a request, an answer is read as a reply. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from gateway.exchange import Body, Endpoint
from gateway.providers.anthropic.answers import finish
from gateway.providers.anthropic.reading import MessageReader
from gateway.providers.anthropic.usage import read_usage
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
    are_named,
    arguments,
    details,
    system_text,
    thinks,
    thinks_and_must_call,
)
from gateway.providers.dialect import Target
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.gemini.signed import SIGNED
from gateway.providers.reply import Reply, Spoken

_EFFORTS = {"minimal": "low"}
_MODES = {"auto": "auto", "none": "none", "required": "any"}
_WARMEST = 1.0


class AnthropicChat:
    """The messages API."""

    operation = Endpoint.MESSAGES

    def written(self, conversation: Conversation, target: Target) -> Written:
        """Return a conversation as a request; all system turns come first, as the API wants it."""
        beside = {}
        if thinks_and_must_call(conversation):  # a call is what the client waits for
            conversation, beside = replace(conversation, effort=""), {"effort": "tool_choice"}
        body: Body = {
            "model": target.model,
            "max_tokens": target.cap,
            "messages": _messages(conversation.turns),
        }
        asked = {
            "system": system_text(conversation.turns) or None,
            "tools": [_tool(tool) for tool in conversation.tools] or None,
            "tool_choice": _tool_choice(conversation),
            "top_p": conversation.top_p,
            "top_k": conversation.top_k,
            "stop_sequences": list(conversation.stop) or None,
            "metadata": {"user_id": conversation.user} if conversation.user else None,
            "output_config": _output(conversation),
            "thinking": _thinking(conversation.effort),
            "stream": target.stream or None,
        }
        body |= {name: value for name, value in asked.items() if value is not None}
        left_out = [*conversation.other, *beside, *_unsayable(conversation)]
        if conversation.temperature is not None and "temperature" not in left_out:
            body["temperature"] = conversation.temperature
        return Written(body, tuple(left_out), beside)

    def reply(self, raw: bytes) -> Reply:
        """Return what a whole answer says."""
        try:
            message = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise BadAnswer("the provider's answer is not JSON") from error
        return message_reply(message)

    def reader(self, limit: int) -> MessageReader:
        """Return the reader of one stream."""
        return MessageReader(limit)


def message_reply(message: object) -> Reply:
    """Return what a message says; BadAnswer where it is none."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        raise BadAnswer("the provider's answer is no message")
    parts = [part for block in message["content"] if (part := _spoken(block)) is not None]
    sequence = str(message.get("stop_sequence") or "")
    return Reply(
        str(message.get("id") or ""),
        str(message.get("model") or ""),
        (Spoken(tuple(parts), finish(message.get("stop_reason")), sequence),),
        read_usage(message.get("usage") or {}, wrote=bool(parts)),
    )


def _spoken(block: object) -> Part | None:
    """Return what a block says; None for what only the provider's own tools produce."""
    if not isinstance(block, dict):
        raise BadAnswer("a block of the provider's message is no object")
    match block:
        case {"type": "text", "text": str(text)}:
            return Text(text)
        case {"type": "thinking", "thinking": str(text)}:
            return Reasoning(text, str(block.get("signature") or ""))
        case {"type": "redacted_thinking", "data": str(sealed)}:
            return Reasoning("", "", sealed)
        case {"type": "tool_use", "name": str(name)}:
            given = orjson.dumps(block.get("input") or {}).decode()
            return ToolUse(str(block.get("id") or ""), name, given)
        case {"type": "text" | "thinking" | "redacted_thinking" | "tool_use"}:
            raise BadAnswer("a block of the provider's message lacks what it is made of")
    return None


def _unsayable(asked: Conversation) -> list[str]:
    """Return the fields that this API has no place for."""
    left_out = [
        name
        for name in ("seed", "frequency_penalty", "presence_penalty")
        if getattr(asked, name) is not None
    ]
    if asked.n > 1:
        left_out.append("n")
    if asked.format is not None and asked.format.schema is None:
        left_out.append("format")
    if asked.temperature is not None and (thinks(asked) or asked.temperature > _WARMEST):
        left_out.append("temperature")
    if details(asked.turns):
        left_out.append("detail")
    if are_named(asked.turns):
        left_out.append("name")
    return left_out


def _output(asked: Conversation) -> Body | None:
    output: Body = {}
    if thinks(asked):
        output["effort"] = _EFFORTS.get(asked.effort, asked.effort)
    schema = _schema(asked.format)
    if schema is not None:
        output["format"] = {"type": "json_schema", "schema": schema}
    return output or None


def _schema(asked: Format | None) -> Body | None:
    return asked.schema if asked is not None else None


def _thinking(effort: str) -> Body | None:
    if not effort:
        return None
    return {"type": "disabled" if effort == "none" else "adaptive"}


def _tool(tool: Tool) -> Body:
    told: Body = {"name": tool.name, "input_schema": tool.schema}
    if tool.description:
        told["description"] = tool.description
    if tool.strict is not None:
        told["strict"] = tool.strict
    return told


def _tool_choice(asked: Conversation) -> Body | None:
    choice, told = asked.tool_choice, None
    if choice is not None:
        named = {"type": "tool", "name": choice.name}
        told = named if choice.name else {"type": _MODES[choice.mode]}
    if asked.parallel is False and asked.tools:
        told = told or {"type": "auto"}
        if told["type"] != "none":
            return {**told, "disable_parallel_tool_use": True}
    return told


def _messages(turns: Sequence[Turn]) -> list[Body]:
    """Return the messages; what one side says in a row is one message, results of tools first."""
    messages: list[Body] = []
    for turn in turns:
        if turn.role == "system":
            continue
        blocks = [block for part in turn.parts if (block := _block(part)) is not None]
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += blocks
        elif blocks:
            messages.append({"role": turn.role, "content": blocks})
    for message in messages:
        message["content"].sort(key=lambda block: block["type"] != "tool_result")
    if not messages:
        raise BadRequest("this provider needs a message of the user", "messages")
    return messages


def _block(part: Part) -> Body | None:
    """Return a block; None for empty words, and for thoughts that another vendor signed."""
    match part:
        case Text(text) | Declined(text):
            return {"type": "text", "text": text} if text else None
        case Reasoning():
            return _thought(part)
        case ToolUse(identity, name, text):
            return {"type": "tool_use", "id": identity, "name": name, "input": _input(text)}
        case ToolResult(identity, parts, failed):
            return _result(identity, parts, failed=failed)
        case Media():
            return _media(part)


def _thought(part: Reasoning) -> Body | None:
    if part.sealed:
        return {"type": "redacted_thinking", "data": part.sealed}
    if part.signature and not part.signature.startswith(SIGNED):
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    return None


def _input(text: str) -> Body:
    try:
        return arguments(text)
    except ValueError as error:
        raise BadRequest(str(error), "messages") from error


def _result(identity: str, parts: Sequence[Text | Media], *, failed: bool) -> Body:
    blocks = [block for part in parts if (block := _block(part)) is not None]
    told: Body = {"type": "tool_result", "tool_use_id": identity}
    if blocks:
        told["content"] = blocks
    if failed:
        told["is_error"] = True
    return told


def _media(media: Media) -> Body:
    source: dict[str, Any]
    if media.kind == "audio":
        raise BadRequest("this provider cannot take audio", "messages")
    if media.url:
        source = {"type": "url", "url": media.url}
    else:
        source = {"type": "base64", "media_type": media.media_type, "data": media.data}
    told: Body = {"type": media.kind, "source": source}
    if media.kind == "document" and media.name:
        told["title"] = media.name
    return told
