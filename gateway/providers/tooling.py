"""Tools in the dialects of clients: those that a request offers, and the calls in an answer. Pure.

Only tools that the client runs are of interest: what the provider runs by itself is done before
anybody sees the answer.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from gateway.exchange import Body, Endpoint
from gateway.providers import document
from gateway.providers.responses import inside


class Called(NamedTuple):
    """One call of a tool. `arguments` is the JSON text that the model wrote, or its value; None
    where the tool takes any text."""

    name: str
    arguments: object


Tools = Mapping[str, Body | None]
"""The schema of the arguments of each tool that is offered; None where there is none."""


def offered(endpoint: Endpoint, body: Body) -> Tools:
    """Return the tools that a parsed request offers. One of the provider's own has the name of its
    type, and none of its own has a schema here."""
    read = _OFFERED.get(endpoint)
    return {} if read is None else dict(read(body))


def called(endpoint: Endpoint, body: Body) -> list[Called]:
    """Return the calls in an answer of the client's dialect, in all of its choices."""
    read = _CALLED.get(endpoint)
    return [] if read is None else list(read(body))


def arguments(given: object) -> Body | None:
    """Return the object that arguments are, {} for an empty text; None where they are none, or not
    of one meaning."""
    if isinstance(given, str):
        try:
            given = document.load(given) if given.strip() else {}
        except ValueError:
            return None
    return given if isinstance(given, dict) else None


def _chat_offered(body: Body) -> Iterator[tuple[str, Body | None]]:
    for tool in _objects(body.get("tools")):
        kind = str(tool.get("type"))
        inner = tool.get(kind)
        if kind in ("function", "custom") and isinstance(inner, dict):
            yield str(inner.get("name")), _schema(inner.get("parameters"))
        else:
            yield kind, None
    for function in _objects(body.get("functions")):
        yield str(function.get("name")), _schema(function.get("parameters"))


def _chat_called(body: Body) -> Iterator[Called]:
    for choice in _objects(body.get("choices")):
        message = choice.get("message")
        if not isinstance(message, dict):
            continue
        calls = _objects(message.get("tool_calls"))
        if message.get("function_call"):
            calls = [*calls, {"function": message["function_call"]}]
        for call in calls:
            yield from _chat_call(call)


def _chat_call(call: Body) -> Iterator[Called]:
    function, custom = call.get("function"), call.get("custom")
    if isinstance(function, dict):
        yield Called(str(function.get("name") or ""), _given(function.get("arguments")))
    elif isinstance(custom, dict):
        yield Called(str(custom.get("name") or ""), None)


def _response_offered(body: Body) -> Iterator[tuple[str, Body | None]]:
    for tool in _objects(body.get("tools")):
        kind = str(tool.get("type"))
        if kind in ("function", "custom"):
            yield str(tool.get("name")), _schema(tool.get("parameters"))
        else:
            yield kind, None


def _response_called(body: Body) -> Iterator[Called]:
    for item in _objects(body.get("output")):
        kind = inside.kind(item)
        if kind == "function_call":
            yield Called(str(item.get("name") or ""), _given(item.get("arguments")))
        elif kind == "custom_tool_call":
            yield Called(str(item.get("name") or ""), None)


def _message_offered(body: Body) -> Iterator[tuple[str, Body | None]]:
    for tool in _objects(body.get("tools")):
        yield str(tool.get("name")), _schema(tool.get("input_schema"))


def _message_called(body: Body) -> Iterator[Called]:
    for block in _objects(body.get("content")):
        if block.get("type") == "tool_use":
            yield Called(str(block.get("name") or ""), _given(block.get("input")))


def _given(value: object) -> object:
    """Return arguments; those that a model left out are none."""
    return {} if value is None else value


def _schema(value: object) -> Body | None:
    return value if isinstance(value, dict) else None


def _objects(value: Any) -> list[Body]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_OFFERED: Mapping[Endpoint, Callable[[Body], Iterator[tuple[str, Body | None]]]] = {
    Endpoint.CHAT: _chat_offered,
    Endpoint.RESPONSES: _response_offered,
    Endpoint.MESSAGES: _message_offered,
}
_CALLED: Mapping[Endpoint, Callable[[Body], Iterator[Called]]] = {
    Endpoint.CHAT: _chat_called,
    Endpoint.RESPONSES: _response_called,
    Endpoint.MESSAGES: _message_called,
}
