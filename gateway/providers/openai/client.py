"""The OpenAI dialect, client side: a request body becomes a Call. Pure."""

from gateway.exchange import Body, Call, Endpoint
from gateway.providers import typed
from gateway.providers.fault import BadRequest
from gateway.providers.openai import fields, leaves
from gateway.providers.walk import inspected, words

CHOICES_MAX = 128
INPUTS_MAX = 2048
_TOKENS_MAX = (1 << 31) - 1
_ROLES = words("system developer user assistant tool function")
_MODES = words("none auto required")
_TEXTS = words("text input_text output_text refusal")


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a body of `size` bytes asks for; BadRequest names what is wrong with it.

    The body is taken as `document.load` reads it, and is kept as it is. Two caps on the output
    that differ are refused. `tools` are the names of the declared tools (a tool of the provider's
    own by its type); `tool_choice` is "none", "auto", "required", "tool:<name>" or "". Unknown
    and priced fields inside messages and tools are named with dots and without indexes.
    """
    if endpoint is Endpoint.EMBEDDINGS:
        return _embeddings(body, size)
    return _chat(body, size)


def _chat(body: Body, size: int) -> Call:
    messages = _messages(body)
    stream = typed.flag(body, "stream")
    tools = _tools(body)
    wants_usage = include_usage(body, stream=stream)
    inner = _inner_fields(body, messages)
    return Call(
        endpoint=Endpoint.CHAT,
        model=typed.name(body.get("model"), "model"),
        body=body,
        size=size,
        view=inspected(leaves.view, body, Endpoint.CHAT),
        stream=stream,
        include_usage=wants_usage,
        n=typed.count(body, "n", CHOICES_MAX) or 1,
        max_output_tokens=_cap(body),
        messages=len(messages),
        roles=tuple(dict.fromkeys([message["role"] for message in messages])),
        tools=tools,
        tool_choice=_tool_choice(body),
        temperature=typed.number(body, "temperature"),
        user=typed.text(body, "user") or typed.text(body, "safety_identifier"),
        unknown_fields=fields.unknown(body, Endpoint.CHAT) + inner[0],
        priced_fields=fields.priced(body, Endpoint.CHAT) + inner[1],
    )


def _embeddings(body: Body, size: int) -> Call:
    check_texts(body.get("input"), "input")
    return Call(
        endpoint=Endpoint.EMBEDDINGS,
        model=typed.name(body.get("model"), "model"),
        body=body,
        size=size,
        view=inspected(leaves.view, body, Endpoint.EMBEDDINGS),
        user=typed.text(body, "user"),
        unknown_fields=fields.unknown(body, Endpoint.EMBEDDINGS),
        priced_fields=fields.priced(body, Endpoint.EMBEDDINGS),
    )


def _messages(body: Body) -> list[Body]:
    messages = typed.records(body.get("messages"), "messages")
    if not messages:
        raise BadRequest("messages must hold at least one message", "messages")
    for index, message in enumerate(messages):
        role = message.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            param = f"messages[{index}].role"
            raise BadRequest(f"{param} is not one of the API", param)
        content = message.get("content")
        if not isinstance(content, str):
            _check_parts(content, f"messages[{index}].content")
        if "tool_calls" in message:
            _check_tool_calls(message["tool_calls"], f"messages[{index}].tool_calls")
    return messages


def _check_parts(content: object, param: str) -> None:
    for index, part in enumerate(typed.records(content, param)):
        kind = typed.name(part.get("type"), f"{param}[{index}].type")
        field = "refusal" if kind == "refusal" else "text"
        if kind in _TEXTS:
            typed.string(part.get(field), f"{param}[{index}].{field}")


def _check_tool_calls(calls: object, param: str) -> None:
    for index, call in enumerate(typed.records(calls, param)):
        function = typed.record(call.get("function"), f"{param}[{index}].function")
        typed.string(function.get("arguments", ""), f"{param}[{index}].function.arguments")


def check_texts(value: object, param: str) -> None:
    """Refuse what is neither a text nor token numbers, nor a list of either."""
    if isinstance(value, str) and value:
        return
    if not isinstance(value, list) or not 0 < len(value) <= INPUTS_MAX:
        raise BadRequest(f"{param} must be a text or a list of 1 to {INPUTS_MAX}", param)
    kinds = set(map(type, value))
    if kinds not in ({str}, {int}, {list}):
        raise BadRequest(f"{param} must hold texts, token numbers, or lists of them", param)
    if kinds == {list} and any(set(map(type, item)) != {int} for item in value):
        raise BadRequest(f"{param} must hold lists of token numbers", param)


def include_usage(body: Body, *, stream: bool) -> bool:
    """Tell whether the client asks for usage at the end of its stream."""
    options = body.get("stream_options")
    if options is None:
        return False
    if not stream:
        raise BadRequest("stream_options needs stream to be true", "stream_options")
    options = typed.record(options, "stream_options")
    return typed.flag(options, "include_usage", "stream_options.include_usage")


def _cap(body: Body) -> int | None:
    old = typed.count(body, "max_tokens", _TOKENS_MAX)
    new = typed.count(body, "max_completion_tokens", _TOKENS_MAX)
    if old is not None and new is not None and old != new:
        raise BadRequest("max_tokens and max_completion_tokens differ", "max_tokens")
    return old if new is None else new


def _tools(body: Body) -> tuple[str, ...]:
    if "tools" not in body and "functions" not in body:
        return ()
    names = []
    for index, tool in enumerate(typed.records(body.get("tools"), "tools")):
        kind = typed.name(tool.get("type"), f"tools[{index}].type")
        if kind in fields.CLIENT_TOOLS:
            inner = typed.record(tool.get(kind), f"tools[{index}].{kind}")
            names.append(typed.name(inner.get("name"), f"tools[{index}].{kind}.name"))
        else:
            names.append(kind)
    for index, function in enumerate(typed.records(body.get("functions"), "functions")):
        names.append(typed.name(function.get("name"), f"functions[{index}].name"))
    return tuple(names)


def _tool_choice(body: Body) -> str:
    """Return the mode, or the name behind a prefix, so that no name passes for a mode."""
    choice, param = body.get("tool_choice"), "tool_choice"
    if choice is None:
        choice, param = body.get("function_call"), "function_call"
    if choice is None:
        return ""
    if isinstance(choice, str):
        if choice not in _MODES:
            raise BadRequest(f"{param} must be none, auto, required or an object", param)
        return choice
    choice = typed.record(choice, param)
    kind = typed.text(choice, "type")
    if kind == "allowed_tools":
        mode = typed.record(choice.get(kind), f"{param}.{kind}").get("mode")
        return "required" if mode == "required" else "auto"
    if kind in fields.CLIENT_TOOLS:
        choice = typed.record(choice.get(kind), f"{param}.{kind}")
        kind = ""
    return "tool:" + typed.name(choice.get("name") or kind, f"{param}.name")


def _inner_fields(body: Body, messages: list[Body]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the unlisted fields inside messages, tools and options: the unknown, the priced."""
    found: set[str] = set()
    for message in messages:
        if not fields.MESSAGE.issuperset(message):
            found |= _unlisted(message, fields.MESSAGE, "messages")
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            found |= _unlisted(part, fields.PART, "messages.content")
    for tool in body.get("tools") or ():
        found |= _unlisted(tool, fields.TOOL, "tools")
        function = tool.get("function") or {}
        found |= _unlisted(function, fields.FUNCTION, "tools.function")
    if "stream_options" in body:
        options = body["stream_options"] or {}
        found |= _unlisted(options, fields.STREAM_OPTIONS, "stream_options")
    if not found:
        return (), ()
    priced = {name for name in found if name.rsplit(".", 1)[1] in fields.PRICED_INSIDE}
    return tuple(sorted(found - priced)), tuple(sorted(priced))


def _unlisted(node: Body, listed: frozenset[str], where: str) -> set[str]:
    return {f"{where}.{name}" for name in node.keys() - listed}
