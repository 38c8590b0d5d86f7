"""A request for a response, read as a conversation. Pure.

The body has been checked by `client.parse`; what it may still hold that no other dialect can take
is a BadRequest, since content is never left out in silence.
"""

from gateway.exchange import Body
from gateway.providers import typed
from gateway.providers.conversation import (
    Conversation,
    Declined,
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
    thought,
)
from gateway.providers.fault import BadRequest
from gateway.providers.openai.asking import NO_ARGUMENTS, asks, data_address
from gateway.providers.responses import inside
from gateway.providers.responses.answering import TRANSLATED
from gateway.providers.walk import words

NAMES = {
    "effort": "reasoning.effort",
    "format": "text.format",
    "parallel": "parallel_tool_calls",
}
"""What this dialect calls the fields of a conversation; those not here have the same name."""

_READ = words(
    "model input instructions stream stream_options tools tool_choice parallel_tool_calls "
    "temperature top_p max_output_tokens reasoning text store user safety_identifier"
)
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant"}
_UNASKED = {
    "include": (["reasoning.encrypted_content"],),  # reasoning comes with it where there is any
    "truncation": ("disabled",),
    "top_logprobs": (0,),
}


def conversation(body: Body) -> Conversation:
    """Return what a parsed request asks for."""
    reasoning = typed.record(body.get("reasoning"), "reasoning")
    text = typed.record(body.get("text"), "text")
    return Conversation(
        turns=_turns(body),
        tools=tuple(_tool(tool, index) for index, tool in enumerate(body.get("tools") or ())),
        tool_choice=_tool_choice(body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls"),
        temperature=typed.number(body, "temperature"),
        top_p=typed.number(body, "top_p"),
        format=_format(typed.record(text.get("format"), "text.format")),
        effort=typed.text(reasoning, "effort"),
        user=typed.text(body, "user") or typed.text(body, "safety_identifier"),
        other=(*_other(body), *_other_options(reasoning, text)),
    )


def _other(body: Body) -> tuple[str, ...]:
    return tuple(
        name
        for name, value in body.items()
        if name not in _READ and asks(name, value) and value not in _UNASKED.get(name, ())
    )


def _other_options(reasoning: Body, text: Body) -> list[str]:
    """Return what is asked for of thinking and wording that no other dialect has a word for.

    A summary of the thoughts is what a translated answer holds anyway.
    """
    named = {"reasoning.context": reasoning.get("context"), "reasoning.mode": reasoning.get("mode")}
    named["text.verbosity"] = text.get("verbosity")
    usual = (None, "auto", "standard", "medium")
    return [name for name, value in named.items() if value not in usual]


def _turns(body: Body) -> tuple[Turn, ...]:
    """Return the turns; what the model said in a row, thoughts and calls too, is one."""
    turns = [Turn("system", (Text(body["instructions"]),))] if body.get("instructions") else []
    if isinstance(body["input"], str):
        return (*turns, Turn("user", (Text(body["input"]),)))
    for index, item in enumerate(body["input"]):
        turn = _turn(item, f"input[{index}]")
        if turns and turn.role == "assistant" and turns[-1].role == "assistant":
            turns[-1] = Turn("assistant", turns[-1].parts + turn.parts)
        else:
            turns.append(turn)
    return tuple(turns)


def _turn(item: Body, param: str) -> Turn:
    match inside.kind(item):
        case "message":
            parts = tuple(_content(item["content"], f"{param}.content"))
            return Turn(_ROLES.get(item["role"], "system"), parts)
        case "function_call":
            call = ToolUse(item["call_id"], item["name"], item["arguments"])
            return Turn("assistant", (call,))
        case "function_call_output":
            kept = tuple(
                part
                for part in _content(item["output"], f"{param}.output")
                if isinstance(part, (Text, Media))
            )
            return Turn("user", (ToolResult(item["call_id"], kept),))
        case "reasoning":
            return Turn("assistant", (_thought(item),))
    raise BadRequest(f"{param} cannot be taken to another provider", f"{param}.type")


def _thought(item: Body) -> Reasoning:
    """Return a thought; what sealed it counts only where it is another dialect's."""
    told = [*(item.get("summary") or ()), *(item.get("content") or ())]
    text = "".join(part["text"] for part in told if isinstance(part.get("text"), str))
    ours = str(item.get("id")).startswith(TRANSLATED)
    sealed = (item.get("encrypted_content") or "") if ours else ""
    return thought(text, sealed)


def _content(content: str | list[Body], param: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [_part(part, f"{param}[{index}]") for index, part in enumerate(content)]


def _part(part: Body, param: str) -> Part:
    match part:
        case {"type": "input_text" | "output_text" | "text", "text": str(text)}:
            return Text(text)
        case {"type": "refusal", "refusal": str(text)}:
            return Declined(text)
        case {"type": "input_image", "image_url": str(url)}:
            detail = typed.text(part, "detail", f"{param}.detail")
            inline = data_address(url)
            where = ("", "", url) if inline is None else (*inline, "")
            return Media("image", *where, detail=detail)
        case {"type": "input_file", "file_data": str(data)}:
            media_type, data = data_address(data) or ("application/pdf", data)
            name, detail = typed.text(part, "filename"), typed.text(part, "detail")
            return Media("document", media_type, data, name=name, detail=detail)
        case {"type": "input_file", "file_url": str(url)}:
            detail = typed.text(part, "detail")
            return Media("document", "application/pdf", "", url, detail=detail)
        case {"type": "input_audio", "input_audio": {"data": str(data)} as audio}:
            return Media("audio", f"audio/{typed.text(audio, 'format') or 'wav'}", data)
    raise BadRequest(f"{param} cannot be taken to another provider", param)


def _tool(tool: Body, index: int) -> Tool:
    if tool["type"] != "function":
        raise BadRequest(
            f"tools[{index}] is of a type that only OpenAI has", f"tools[{index}].type"
        )
    strict = tool.get("strict")
    return Tool(
        tool["name"],
        tool.get("description") or "",
        tool.get("parameters") or NO_ARGUMENTS,
        strict if isinstance(strict, bool) else None,
    )


def _tool_choice(choice: str | Body | None) -> ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return ToolChoice(choice)
    if choice["type"] != "function":
        raise BadRequest("tool_choice is of a type that only OpenAI has", "tool_choice")
    return ToolChoice("required", choice["name"])


def _format(asked: Body) -> Format | None:
    kind = asked.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return Format(None)
    strict = asked.get("strict")
    return Format(
        asked.get("schema") or {},
        asked["name"],
        typed.string(asked.get("description") or "", "text.format.description"),
        strict if isinstance(strict, bool) else None,
    )
