"""A chat request of the OpenAI dialect, read as a conversation. Pure.

The body has been checked by `client.parse`; what it may still hold that no other dialect can take
is a BadRequest, since content is never left out in silence.
"""

from typing import Any

from gateway.exchange import Body
from gateway.providers import typed
from gateway.providers.conversation import (
    Conversation,
    Declined,
    Format,
    Media,
    Part,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateway.providers.fault import BadRequest
from gateway.providers.openai import fields, signatures
from gateway.providers.walk import words

NAMES = {
    "effort": "reasoning_effort",
    "format": "response_format",
    "name": "messages.name",
    "parallel": "parallel_tool_calls",
}
"""What this dialect calls the fields of a conversation; those not here have the same name."""

_READ = words(
    "model messages stream stream_options n max_tokens max_completion_tokens temperature top_p "
    "top_k seed frequency_penalty presence_penalty stop tools tool_choice functions function_call "
    "parallel_tool_calls response_format reasoning_effort user safety_identifier"
)
NO_ARGUMENTS: Body = {"type": "object", "properties": {}}
_MOST = (1 << 31) - 1
_UNSET: tuple[Any, ...] = (None, False, "", [], {})


def conversation(body: Body) -> Conversation:
    """Return what a parsed chat request asks for."""
    return Conversation(
        turns=tuple(
            _turn(message, f"messages[{index}]") for index, message in enumerate(body["messages"])
        ),
        tools=_tools(body),
        tool_choice=_tool_choice(body),
        parallel=_parallel(body),
        n=body.get("n") or 1,
        temperature=typed.number(body, "temperature"),
        top_p=typed.number(body, "top_p"),
        top_k=typed.count(body, "top_k", _MOST),
        seed=typed.whole(body, "seed"),
        frequency_penalty=typed.number(body, "frequency_penalty"),
        presence_penalty=typed.number(body, "presence_penalty"),
        stop=stop_sequences(body.get("stop")),
        format=_format(typed.record(body.get("response_format"), "response_format")),
        effort=typed.text(body, "reasoning_effort"),
        user=typed.text(body, "user") or typed.text(body, "safety_identifier"),
        other=tuple(name for name in body if name not in _READ and asks(name, body[name])),
    )


def asks(name: str, value: object) -> bool:
    """Tell whether a field, as it is set, asks for anything."""
    return value not in (*_UNSET, *fields.FREE_OF_CHARGE.get(name, ()))


def _parallel(body: Body) -> bool | None:
    given = body.get("parallel_tool_calls")
    return None if given is None else typed.flag(body, "parallel_tool_calls")


def stop_sequences(given: object) -> tuple[str, ...]:
    """Return the sequences that end an answer, given as one or as a list."""
    sequences = [given] if isinstance(given, str) else given or []
    if not isinstance(sequences, list):
        raise BadRequest("stop must be a string or a list of strings", "stop")
    return tuple(typed.string(sequence, "stop") for sequence in sequences)


def _turn(message: Body, param: str) -> Turn:
    role, name = message["role"], typed.text(message, "name")
    if role in ("system", "developer"):
        return Turn("system", tuple(_content(message.get("content"), param)), name)
    if role in ("tool", "function"):
        return Turn("user", (_result(message, param),))
    parts = _content(message.get("content"), param)
    if role == "user":
        return Turn("user", tuple(parts), name)
    return Turn("assistant", tuple(_assistant(message, parts, param)), name)


def _assistant(message: Body, content: list[Part], param: str) -> list[Part]:
    if message.get("audio"):
        raise BadRequest(f"{param}.audio is kept by another provider", f"{param}.audio")
    thought = message.get("reasoning_content") or message.get("reasoning")
    parts: list[Part] = [*signatures.thoughts(thought, signatures.read(message, param))]
    parts += content
    if message.get("refusal"):
        parts.append(Declined(typed.string(message["refusal"], f"{param}.refusal")))
    for index, call in enumerate(message.get("tool_calls") or ()):
        at = f"{param}.tool_calls[{index}]"
        parts += [*signatures.thoughts("", signatures.read(call, at)), _call(call, at)]
    if message.get("function_call"):
        parts.append(_call({"function": message["function_call"]}, f"{param}.function_call"))
    return parts


def _call(call: Body, param: str) -> ToolUse:
    function = typed.record(call.get("function"), f"{param}.function")
    if not function:
        raise BadRequest(f"{param} calls a tool that only OpenAI has", param)
    name = typed.name(function.get("name"), f"{param}.function.name")
    text = typed.string(function.get("arguments", ""), f"{param}.function.arguments")
    return ToolUse(typed.text(call, "id") or name, name, text)


def _result(message: Body, param: str) -> ToolResult:
    parts = tuple(
        part for part in _content(message.get("content"), param) if isinstance(part, (Text, Media))
    )
    return ToolResult(typed.text(message, "tool_call_id") or typed.text(message, "name"), parts)


def _content(content: object, param: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [
        _part(part, f"{param}.content[{index}]")
        for index, part in enumerate(content if isinstance(content, list) else ())
    ]


def _part(part: Body, param: str) -> Part:
    inner = part.get(part["type"])
    match part["type"]:
        case "text" | "input_text" | "output_text":
            return Text(part["text"])
        case "refusal":
            return Declined(part["refusal"])
        case "image_url" if isinstance(inner, str) or (isinstance(inner, dict) and "url" in inner):
            return _image(inner, param)
        case "input_audio" if isinstance(inner, dict) and isinstance(inner.get("data"), str):
            return Media("audio", f"audio/{typed.text(inner, 'format') or 'wav'}", inner["data"])
        case "file" if isinstance(inner, dict) and isinstance(inner.get("file_data"), str):
            media_type, data = data_address(inner["file_data"]) or (
                "application/pdf",
                inner["file_data"],
            )
            return Media("document", media_type, data, name=typed.text(inner, "filename"))
    raise BadRequest(f"{param} cannot be taken to another provider", param)


def _image(inner: str | Body, param: str) -> Media:
    url = inner if isinstance(inner, str) else inner["url"]
    if not isinstance(url, str):
        raise BadRequest(f"{param}.image_url.url must be a string", param)
    detail = "" if isinstance(inner, str) else typed.text(inner, "detail")
    inline = data_address(url)
    if inline is None:
        return Media("image", "", "", url, detail=detail)
    return Media("image", *inline, detail=detail)


def data_address(url: str) -> tuple[str, str] | None:
    """Return the media type and the base64 text of a data: address, or None for any other."""
    scheme, _, rest = url.partition(":")
    head, _, data = rest.partition(",")
    media_type, _, encoding = head.partition(";")
    if scheme.lower() != "data" or encoding.rpartition(";")[2].lower() != "base64":
        return None
    return media_type.lower(), data


def _tools(body: Body) -> tuple[Tool, ...]:
    functions = [*typed.records(body.get("functions"), "functions")]
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") != "function":
            raise BadRequest(
                f"tools[{index}] is of a type that only OpenAI has", f"tools[{index}].type"
            )
        functions.append(tool["function"])
    return tuple(
        Tool(
            function["name"],
            typed.string(function.get("description") or "", "tools"),
            typed.record(function.get("parameters"), "tools") or NO_ARGUMENTS,
            function.get("strict") or None,
        )
        for function in functions
    )


def _tool_choice(body: Body) -> ToolChoice | None:
    choice = body.get("tool_choice") or body.get("function_call")
    if choice is None:
        return None
    if isinstance(choice, str):
        return ToolChoice(choice)
    named = typed.record(choice.get("function"), "tool_choice") or choice
    if "name" not in named:
        raise BadRequest("tool_choice is of a type that only OpenAI has", "tool_choice")
    return ToolChoice("required", typed.name(named["name"], "tool_choice"))


def _format(asked: Body) -> Format | None:
    kind = asked.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return Format(None)
    if kind != "json_schema":
        raise BadRequest("response_format is not one of the API", "response_format")
    schema = typed.record(asked.get("json_schema"), "response_format.json_schema")
    return Format(
        typed.record(schema.get("schema"), "response_format.json_schema.schema"),
        typed.text(schema, "name"),
        typed.string(schema.get("description") or "", "response_format.json_schema.description"),
        schema.get("strict") or None,
    )
