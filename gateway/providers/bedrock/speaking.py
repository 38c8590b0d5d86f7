"""The Converse API on the provider's side of a translation: a conversation is written as a request,
an answer is read as a reply. Pure."""

from dataclasses import replace

import orjson

from gateway.exchange import Body, Endpoint
from gateway.providers.bedrock.content import messages
from gateway.providers.bedrock.reading import ConverseReader, reply
from gateway.providers.conversation import (
    Conversation,
    Tool,
    ToolResult,
    ToolUse,
    Written,
    are_named,
    details,
    system_text,
    thinks,
    thinks_and_must_call,
)
from gateway.providers.dialect import Target
from gateway.providers.reply import Reply

_FAMILIES = {"anthropic.": "anthropic", "amazon.nova": "nova", "openai.": "openai"}
_MODES = {"auto": "auto", "required": "any"}
_LEAST = {"minimal": "low"}
_STEPS = {"minimal": "low", "xhigh": "high", "max": "high"}
_WARMEST = 1.0
_GONE = "Not available any more."


class BedrockChat:
    """Converse and ConverseStream."""

    operation = Endpoint.CHAT

    def written(self, conversation: Conversation, target: Target) -> Written:
        """Return a conversation as a request. Its model stands in the address, not in the body."""
        family = _family(target.model)
        beside = {}
        if family == "anthropic" and thinks_and_must_call(conversation):
            conversation, beside = replace(conversation, effort=""), {"effort": "tool_choice"}
        more = _additional(conversation, family)
        left_out = [*conversation.other, *beside, *_unsayable(conversation, family)]
        config = {
            "maxTokens": target.cap,
            "temperature": None if "temperature" in left_out else conversation.temperature,
            "topP": conversation.top_p,
            "stopSequences": list(conversation.stop) or None,
        }
        system = system_text(conversation.turns)
        asked = {
            "system": [{"text": system}] if system else None,
            "toolConfig": _tools(conversation),
            "outputConfig": _output(conversation, family),
            "additionalModelRequestFields": more or None,
        }
        body: Body = {
            "messages": messages(conversation.turns),
            "inferenceConfig": {name: value for name, value in config.items() if value is not None},
        }
        body |= {name: value for name, value in asked.items() if value is not None}
        return Written(body, tuple(left_out), beside)

    def reply(self, raw: bytes) -> Reply:
        """Return what a whole answer says."""
        return reply(raw)

    def reader(self, limit: int) -> ConverseReader:
        """Return the reader of one stream."""
        return ConverseReader(limit)


def _family(model: str) -> str:
    """Return whose model it is, which says what it takes beyond what all take; "" if unknown."""
    return next((family for part, family in _FAMILIES.items() if part in model), "")


def _unsayable(asked: Conversation, family: str) -> list[str]:
    """Return the fields that this API, or this family of models, has no place for."""
    absent = {
        "seed": asked.seed is not None,
        "frequency_penalty": asked.frequency_penalty is not None,
        "presence_penalty": asked.presence_penalty is not None,
        "n": asked.n > 1,
        "user": bool(asked.user),
        "format": asked.format is not None and asked.format.schema is None,
        "top_k": asked.top_k is not None and family not in ("anthropic", "nova"),
        "effort": _is_lost(asked.effort, family),
        "temperature": _is_too_warm(asked, family),
        "parallel": asked.parallel is False and bool(asked.tools),
        "tool_choice": _is_silenced(asked) and _calls(asked),
        "detail": bool(details(asked.turns)),
        "name": are_named(asked.turns),
    }
    return [name for name, is_absent in absent.items() if is_absent]


def _is_lost(effort: str, family: str) -> bool:
    return bool(effort) and (not family or (family == "openai" and effort == "none"))


def _is_too_warm(asked: Conversation, family: str) -> bool:
    """Tell whether a temperature is above what the API takes, or beside thoughts that forbid it."""
    if asked.temperature is None:
        return False
    return (family == "anthropic" and thinks(asked)) or asked.temperature > _WARMEST


def _additional(asked: Conversation, family: str) -> Body:
    """Return the fields that only a family of models has."""
    more: Body = {}
    if family == "anthropic":
        if asked.top_k is not None:
            more["top_k"] = asked.top_k
        if asked.effort:
            more["thinking"] = {"type": "adaptive" if thinks(asked) else "disabled"}
    elif family == "nova":
        if asked.top_k is not None:
            more["inferenceConfig"] = {"topK": asked.top_k}
        if asked.effort:
            step = {"maxReasoningEffort": _STEPS.get(asked.effort, asked.effort)}
            more["reasoningConfig"] = (
                {"type": "enabled", **step} if thinks(asked) else {"type": "disabled"}
            )
    elif family == "openai" and thinks(asked):
        more["reasoning_effort"] = _STEPS.get(asked.effort, asked.effort)
    return more


def _output(asked: Conversation, family: str) -> Body | None:
    """Return the form of the answer, and how much of it all thinking may be."""
    output: Body = {}
    if family == "anthropic" and thinks(asked):
        output["effort"] = _LEAST.get(asked.effort, asked.effort)
    if asked.format is not None and asked.format.schema is not None:
        schema: Body = {"schema": orjson.dumps(asked.format.schema).decode()}
        for name in ("name", "description"):
            if value := getattr(asked.format, name):
                schema[name] = value
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    return output or None


def _tools(asked: Conversation) -> Body | None:
    """Return the tools. That none may be called is said by telling of none, unless some were called
    before, of which the API wants to be told."""
    tools = asked.tools or _recalled(asked)
    if not tools or (_is_silenced(asked) and not _calls(asked)):
        return None
    told: Body = {"tools": [{"toolSpec": _tool(tool)} for tool in tools]}
    choice = asked.tool_choice
    if choice is not None and choice.name:
        told["toolChoice"] = {"tool": {"name": choice.name}}
    elif choice is not None and choice.mode in _MODES:
        told["toolChoice"] = {_MODES[choice.mode]: {}}
    return told


def _recalled(asked: Conversation) -> tuple[Tool, ...]:
    """Return the tools that were called before, for a client that tells of none any more."""
    parts = [part for turn in asked.turns for part in turn.parts]
    names = dict.fromkeys(part.name for part in parts if isinstance(part, ToolUse))
    return tuple(Tool(name, _GONE, {"type": "object"}) for name in names)


def _is_silenced(asked: Conversation) -> bool:
    choice = asked.tool_choice
    return bool(asked.tools) and choice is not None and choice.mode == "none"


def _calls(asked: Conversation) -> bool:
    return any(
        isinstance(part, (ToolUse, ToolResult)) for turn in asked.turns for part in turn.parts
    )


def _tool(tool: Tool) -> Body:
    told: Body = {"name": tool.name, "inputSchema": {"json": tool.schema}}
    if tool.description:
        told["description"] = tool.description
    if tool.strict is not None:
        told["strict"] = tool.strict
    return told
