"""The responses API, client side: a request body becomes a Call. Pure.

What a request may refer to is kept by the provider, beyond anybody's eyes here: an earlier
response, a conversation, a stored prompt, an item by its id, an answer to be fetched later. These
are refused, and so is the wish to have an answer stored; `native` sends `store: false` always.
"""

from gateway.exchange import Body, Call, Endpoint
from gateway.providers import typed
from gateway.providers.fault import BadRequest
from gateway.providers.openai import fields
from gateway.providers.responses import inside, leaves
from gateway.providers.walk import inspected, words

_TOKENS_MAX = (1 << 31) - 1
_ROLES = words("user assistant system developer")
_MODES = words("none auto required")
_FORMATS = words("text json_object json_schema")
_TEXTS = words("text input_text output_text summary_text reasoning_text refusal")
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_OUTPUTS = words("function_call_output custom_tool_call_output")
_REFUSED = {
    "background": "an answer that is fetched later would reach nobody's rules",
    "conversation": "what the provider keeps cannot be inspected",
    "previous_response_id": "what the provider keeps cannot be inspected",
    "prompt": "what the provider keeps cannot be inspected",
    "store": "answers are not left with the provider",
}


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a body of `size` bytes asks for; BadRequest names what is wrong with it.

    `roles` are those of the items: "system" where there are instructions, "tool" where a tool's
    output stands. `tools` and `tool_choice` are as in the chat API.
    """
    _check_references(body)
    roles = _roles(body)
    stream = typed.flag(body, "stream")
    _check_options(body, stream=stream)
    tools = _tools(body)
    model = typed.name(body.get("model"), "model")
    view = inspected(leaves.view, body, endpoint)
    unknown, priced = inside.unlisted(body)
    return Call(
        endpoint=endpoint,
        model=model,
        body=body,
        size=size,
        view=view,
        stream=stream,
        max_output_tokens=typed.count(body, "max_output_tokens", _TOKENS_MAX),
        messages=len(inside.items(body)) + 1,
        roles=roles,
        tools=tools,
        tool_choice=_tool_choice(body),
        temperature=typed.number(body, "temperature"),
        user=typed.text(body, "user") or typed.text(body, "safety_identifier"),
        unknown_fields=fields.unknown(body, endpoint) + unknown,
        priced_fields=fields.priced(body, endpoint) + priced,
    )


def _check_references(body: Body) -> None:
    for name, why in _REFUSED.items():
        if body.get(name) not in (None, False, "", {}):
            raise BadRequest(f"{name} is not taken: {why}; leave it out", name)


def _roles(body: Body) -> tuple[str, ...]:
    """Return who says something, in the order of their first words; refuse what is malformed."""
    roles = ["system"] if body.get("instructions") else []
    if body.get("instructions") is not None:
        typed.string(body["instructions"], "instructions")
    given = body.get("input")
    if isinstance(given, str):
        return tuple(dict.fromkeys([*roles, "user"]))
    items = typed.records(given, "input")
    if not items:
        raise BadRequest("input must be a text or a list of items", "input")
    for index, item in enumerate(items):
        roles.append(_check_item(item, f"input[{index}]"))
    return tuple(dict.fromkeys(roles))


def _check_item(item: Body, param: str) -> str:
    """Return in whose role an item is read; refuse one that is malformed, or only a reference."""
    kind = inside.kind(item)
    if kind in ("", "item_reference"):
        raise BadRequest(
            f"{param} is a reference to what the provider keeps, or of no type; send the item",
            f"{param}.type",
        )
    if kind == "message":
        if typed.text(item, "role", f"{param}.role") not in _ROLES:
            raise BadRequest(f"{param}.role is not one of the API", f"{param}.role")
        _check_content(item.get("content"), f"{param}.content")
    elif kind == "reasoning":
        _check_reasoning(item, param)
    else:
        _check_call(kind, item, param)
    return leaves.role(item)


def _check_call(kind: str, item: Body, param: str) -> None:
    """Refuse a malformed call of a client's tool, or a malformed output; others are any JSON."""
    if kind in _CALLS:
        for name in ("call_id", "name"):
            typed.name(item.get(name), f"{param}.{name}")
        typed.string(item.get(_CALLS[kind]), f"{param}.{_CALLS[kind]}")
    elif kind in _OUTPUTS:
        typed.name(item.get("call_id"), f"{param}.call_id")
        _check_content(item.get("output"), f"{param}.output")


def _check_reasoning(item: Body, param: str) -> None:
    for name in ("summary", "content"):
        if item.get(name) is not None:
            _check_content(item[name], f"{param}.{name}")
    typed.string(item.get("encrypted_content") or "", f"{param}.encrypted_content")


def _check_content(content: object, param: str) -> None:
    """Refuse what is neither a text nor a list of parts with a type."""
    if isinstance(content, str):
        return
    if content is None:
        raise BadRequest(f"{param} must be a text or a list of parts", param)
    for index, part in enumerate(typed.records(content, param)):
        at = f"{param}[{index}]"
        kind = typed.name(part.get("type"), f"{at}.type")
        if kind in _TEXTS:
            field = "refusal" if kind == "refusal" else "text"
            typed.string(part.get(field), f"{at}.{field}")


def _check_options(body: Body, *, stream: bool) -> None:
    options = body.get("stream_options")
    if options is not None and not stream:
        raise BadRequest("stream_options needs stream to be true", "stream_options")
    typed.record(options, "stream_options")
    typed.flag(body, "parallel_tool_calls")
    reasoning = typed.record(body.get("reasoning"), "reasoning")
    for name in ("effort", "summary"):
        typed.text(reasoning, name, f"reasoning.{name}")
    text = typed.record(body.get("text"), "text")
    form = typed.record(text.get("format"), "text.format")
    if form and typed.text(form, "type", "text.format.type") not in _FORMATS:
        raise BadRequest("text.format.type is not one of the API", "text.format.type")
    if form.get("type") == "json_schema":
        typed.name(form.get("name"), "text.format.name")
        typed.record(form.get("schema"), "text.format.schema")


def _tools(body: Body) -> tuple[str, ...]:
    names = []
    for index, tool in enumerate(typed.records(body.get("tools"), "tools")):
        at = f"tools[{index}]"
        kind = typed.name(tool.get("type"), f"{at}.type")
        if kind in fields.CLIENT_TOOLS:
            names.append(typed.name(tool.get("name"), f"{at}.name"))
            typed.record(tool.get("parameters"), f"{at}.parameters")
            typed.string(tool.get("description") or "", f"{at}.description")
        else:
            names.append(kind)
    return tuple(names)


def _tool_choice(body: Body) -> str:
    """Return the mode, or the name behind a prefix, so that no name passes for a mode."""
    choice = body.get("tool_choice")
    if choice is None:
        return ""
    if isinstance(choice, str):
        if choice not in _MODES:
            raise BadRequest("tool_choice must be none, auto, required or an object", "tool_choice")
        return choice
    choice = typed.record(choice, "tool_choice")
    kind = typed.name(choice.get("type"), "tool_choice.type")
    if kind == "allowed_tools":
        return "required" if choice.get("mode") == "required" else "auto"
    name = choice.get("name") if kind in fields.CLIENT_TOOLS else choice.get("name") or kind
    return "tool:" + typed.name(name, "tool_choice.name")
