"""A request of the messages API, read as a conversation. Pure.

The body has been checked by `client.parse`; what it may still hold that no other dialect can take
is a BadRequest, since content is never left out in silence.
"""

import orjson

from gateway.exchange import Body
from gateway.providers import typed
from gateway.providers.conversation import (
    Conversation,
    Format,
    Media,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateway.providers.fault import BadRequest
from gateway.providers.walk import words

NAMES = {
    "effort": "thinking",
    "format": "output_config.format",
    "parallel": "tool_choice.disable_parallel_tool_use",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
}
"""What this dialect calls the fields of a conversation; those not here have the same name."""

_READ = words(
    "model messages system max_tokens stream tools tool_choice temperature top_p top_k "
    "stop_sequences metadata output_config thinking cache_control"
)
_MOST = (1 << 31) - 1
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_MODES = {"auto": "auto", "any": "required", "none": "none", "tool": "required"}
_LONG_THOUGHT, _THOUGHT = 16_384, 4_096


def conversation(body: Body) -> Conversation:
    """Return what a parsed request asks for. Marks for the cache are advice, and do not travel."""
    choice = typed.record(body.get("tool_choice"), "tool_choice")
    output = typed.record(body.get("output_config"), "output_config")
    serial = typed.flag(choice, "disable_parallel_tool_use", NAMES["parallel"])
    system = _content(body.get("system"), "system")
    turns = [Turn("system", tuple(system))] if system else []
    for index, message in enumerate(body["messages"]):
        parts = _content(message["content"], f"messages.{index}.content")
        turns.append(Turn(_ROLES[message["role"]], tuple(parts)))
    return Conversation(
        turns=tuple(turns),
        tools=_tools(body),
        tool_choice=_tool_choice(choice),
        parallel=False if serial else None,
        temperature=typed.number(body, "temperature"),
        top_p=typed.number(body, "top_p"),
        top_k=typed.count(body, "top_k", _MOST),
        stop=_stop(body.get("stop_sequences")),
        format=_format(output),
        effort=_effort(body, output),
        user=typed.text(typed.record(body.get("metadata"), "metadata"), "user_id"),
        other=tuple(name for name in body if name not in _READ and body[name] is not None),
    )


def _stop(given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise BadRequest("stop_sequences must be a list of strings", "stop_sequences")
    return tuple(typed.string(sequence, "stop_sequences") for sequence in given)


def _content(content: object, param: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)] if content else []
    blocks = typed.records(content, param)
    return [_part(block, f"{param}.{index}") for index, block in enumerate(blocks)]


def _part(block: Body, param: str) -> Part:
    match block:
        case {"type": "text", "text": str(text)}:
            return Text(text)
        case {"type": "thinking", "thinking": str(text)}:
            return Reasoning(text, typed.string(block.get("signature") or "", f"{param}.signature"))
        case {"type": "redacted_thinking", "data": str(sealed)}:
            return Reasoning("", "", sealed)
        case {"type": "tool_use", "id": str(identity), "name": str(name)}:
            return ToolUse(identity, name, orjson.dumps(block["input"]).decode())
        case {"type": "tool_result", "tool_use_id": str(identity)}:
            return _result(identity, block, param)
        case {"type": "image" | "document" as kind, "source": dict(source)}:
            return _media(kind, source, typed.text(block, "title"), param)
    raise BadRequest(f"{param} cannot be taken to another provider", param)


def _result(identity: str, block: Body, param: str) -> ToolResult:
    parts = _content(block.get("content"), f"{param}.content")
    kept = tuple(part for part in parts if isinstance(part, (Text, Media)))
    if len(kept) < len(parts):
        raise BadRequest(f"{param}.content cannot be taken to another provider", param)
    return ToolResult(identity, kept, bool(block.get("is_error")))


def _media(kind: str, source: Body, name: str, param: str) -> Part:
    match source:
        case {"type": "base64", "media_type": str(media_type), "data": str(data)}:
            return Media(kind, media_type, data, name=name)
        case {"type": "url", "url": str(url)}:
            return Media(kind, "", "", url, name=name)
        case {"type": "text", "data": str(text)}:
            return Text(f"{name}\n\n{text}" if name else text)
    raise BadRequest(f"{param}.source cannot be taken to another provider", f"{param}.source")


def _tools(body: Body) -> tuple[Tool, ...]:
    tools = []
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") not in (None, "custom"):
            raise BadRequest(
                f"tools.{index} is of a type that only Anthropic has", f"tools.{index}.type"
            )
        strict = tool.get("strict")
        tools.append(
            Tool(
                tool["name"],
                tool.get("description") or "",
                tool["input_schema"],
                strict if isinstance(strict, bool) else None,
            )
        )
    return tuple(tools)


def _tool_choice(choice: Body) -> ToolChoice | None:
    if not choice:
        return None
    return ToolChoice(_MODES[choice["type"]], choice["name"] if choice["type"] == "tool" else "")


def _format(output: Body) -> Format | None:
    asked = typed.record(output.get("format"), "output_config.format")
    if not asked:
        return None
    schema = typed.record(asked.get("schema"), "output_config.format.schema")
    return Format(schema, typed.text(asked, "name"), strict=True)


def _effort(body: Body, output: Body) -> str:
    """Return how long to think: the effort that is asked for, or what a budget of tokens means."""
    thinking = typed.record(body.get("thinking"), "thinking")
    if thinking.get("type") == "disabled":
        return "none"
    effort = typed.text(output, "effort")
    if effort or thinking.get("type") != "enabled":
        return effort
    budget = typed.count(thinking, "budget_tokens", _MOST) or 0
    return "high" if budget >= _LONG_THOUGHT else "medium" if budget >= _THOUGHT else "low"
