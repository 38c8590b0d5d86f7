"""The Anthropic dialect, client side: a request body becomes a Call. Pure."""

from gateway.exchange import Body, Call, Endpoint
from gateway.providers import typed
from gateway.providers.anthropic import fields, leaves
from gateway.providers.anthropic.readers import TOOL_ROLE
from gateway.providers.fault import BadRequest
from gateway.providers.walk import inspected, words

_TOKENS_MAX = (1 << 31) - 1
_ROLES = words("user assistant system")
_MODES = {"auto": "auto", "any": "required", "none": "none"}
_STEP = ".{}"


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a body of `size` bytes asks for; BadRequest names what is wrong with it.

    The body is taken as `document.load` reads it, and is kept as it is. `roles` are those of the
    messages in the words of all dialects: "system" where there is a system prompt, "tool" where a
    tool's result stands. `tools` are the names of the declared tools (one that the provider knows
    by its type); `tool_choice` is "none", "auto", "required", "tool:<name>" or "". Unknown and
    priced fields inside messages and tools are named with dots and without indexes.
    """
    roles = _roles(body)
    writes = endpoint is Endpoint.MESSAGES
    tools = _tools(body)
    user = typed.text(typed.record(body.get("metadata"), "metadata"), "user_id", "metadata.user_id")
    model = typed.name(body.get("model"), "model")
    view = inspected(leaves.view, body, endpoint, joint=".")
    inner = fields.inside(body, endpoint)
    return Call(
        endpoint=endpoint,
        model=model,
        body=body,
        size=size,
        view=view,
        stream=writes and typed.flag(body, "stream"),
        max_output_tokens=_cap(body) if writes else None,
        messages=len(body["messages"]),
        roles=roles,
        tools=tools,
        tool_choice=_tool_choice(body),
        temperature=typed.number(body, "temperature") if writes else None,
        user=user,
        unknown_fields=fields.unknown(body, endpoint) + inner[0],
        priced_fields=fields.priced(body, endpoint) + inner[1],
    )


def _roles(body: Body) -> tuple[str, ...]:
    """Return who says something, in the order of their first words; refuse what is malformed."""
    if body.get("system") is not None:
        _check_content(body["system"], "system")
    roles = [leaves.SYSTEM_ROLE] if body.get("system") else []
    messages = typed.records(body.get("messages"), "messages", _STEP)
    if not messages:
        raise BadRequest("messages must hold at least one message", "messages")
    for index, message in enumerate(messages):
        role, param = message.get("role"), f"messages.{index}"
        if not isinstance(role, str) or role not in _ROLES:
            raise BadRequest(f"{param}.role must be user, assistant or system", f"{param}.role")
        kinds = _check_content(message.get("content"), f"{param}.content")
        roles += [role, TOOL_ROLE] if "tool_result" in kinds else [role]
    return tuple(dict.fromkeys(roles))


def _check_content(content: object, param: str) -> set[str]:
    """Return the types of the blocks of a content, none for a text; refuse what is malformed."""
    if isinstance(content, str):
        return set()
    if content is None:
        raise BadRequest(f"{param} must be a text or a list of blocks", param)
    kinds = set()
    for index, block in enumerate(typed.records(content, param, _STEP)):
        at = f"{param}.{index}"
        kind = typed.name(block.get("type"), f"{at}.type")
        kinds.add(kind)
        if kind in {"text", "thinking"}:
            typed.string(block.get(kind), f"{at}.{kind}")
        elif kind == "tool_use":
            typed.name(block.get("id"), f"{at}.id")
            typed.name(block.get("name"), f"{at}.name")
            _required(block.get("input"), f"{at}.input")
        elif kind in {"image", "document"}:
            _required(block.get("source"), f"{at}.source")
        elif kind == "tool_result":
            _check_result(block, at)
    return kinds


def _check_result(block: Body, at: str) -> None:
    typed.name(block.get("tool_use_id"), f"{at}.tool_use_id")
    typed.flag(block, "is_error", f"{at}.is_error")
    if block.get("content") is not None:
        _check_content(block["content"], f"{at}.content")


def _required(value: object, param: str) -> None:
    if not isinstance(value, dict):
        raise BadRequest(f"{param} must be an object", param)


def _cap(body: Body) -> int:
    cap = typed.count(body, "max_tokens", _TOKENS_MAX)
    if cap is None:
        raise BadRequest("max_tokens must be given", "max_tokens")
    return cap


def _tools(body: Body) -> tuple[str, ...]:
    names = []
    for index, tool in enumerate(typed.records(body.get("tools"), "tools", _STEP)):
        at = f"tools.{index}"
        if tool.get("type") in fields.CLIENT_TOOLS:
            names.append(typed.name(tool.get("name"), f"{at}.name"))
            _required(tool.get("input_schema"), f"{at}.input_schema")
            typed.string(tool.get("description") or "", f"{at}.description")
        else:
            names.append(typed.name(tool["type"], f"{at}.type"))
    return tuple(names)


def _tool_choice(body: Body) -> str:
    """Return the mode, or the name behind a prefix, so that no name passes for a mode."""
    if body.get("tool_choice") is None:
        return ""
    choice = typed.record(body["tool_choice"], "tool_choice")
    kind = typed.text(choice, "type", "tool_choice.type")
    if kind == "tool":
        return "tool:" + typed.name(choice.get("name"), "tool_choice.name")
    if kind not in _MODES:
        raise BadRequest("tool_choice.type must be auto, any, none or tool", "tool_choice.type")
    return _MODES[kind]
