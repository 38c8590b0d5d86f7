"""The OpenAI dialect, provider side: a body becomes a request, bytes become an Answer. Pure."""

from typing import Any

import orjson

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing, UpstreamRequest, Usage
from gateway.providers import form
from gateway.providers.dialect import Errand, Meaning, Target
from gateway.providers.fault import BadAnswer
from gateway.providers.openai import leaves, signatures
from gateway.providers.openai.usage import merge_usage, read_usage
from gateway.providers.walk import shown

_PATHS = {
    Endpoint.CHAT: "/chat/completions",
    Endpoint.RESPONSES: "/responses",
    Endpoint.COMPLETIONS: "/completions",
    Endpoint.EMBEDDINGS: "/embeddings",
    Endpoint.MODERATIONS: "/moderations",
    Endpoint.IMAGES: "/images/generations",
    Endpoint.SPEECH: "/audio/speech",
    Endpoint.TRANSCRIPTIONS: "/audio/transcriptions",
}
_ACCEPTED = {
    **dict.fromkeys(_PATHS, "application/json"),
    Endpoint.SPEECH: "audio/*",
    Endpoint.TRANSCRIPTIONS: "*/*",
}
_STREAM = "text/event-stream"
_CAPS = ("max_tokens", "max_completion_tokens")
_OPENAI_HOSTS = ("https://api.openai.com/", "https://eu.api.openai.com/")
_GOOGLE_HOST = "https://generativelanguage.googleapis.com/"
_AZURE_HOST = ".openai.azure.com/"

_CALL_TOKENS = 128
_MESSAGE_TOKENS = 16
_TOOLS_TOKENS = 512
_TOOL_TOKENS = 64

_MESSAGE_MAX = 500


def outgoing(endpoint: Endpoint, body: Body, target: Target) -> Outgoing:
    """Return what goes upstream for a body of this dialect.

    The cap goes into each cap field that the client used; where it used none, into
    `max_completion_tokens` for OpenAI and Azure OpenAI, whose newer models know no other, and into
    `max_tokens` for every other server. A stream always asks for usage; what is no stream carries
    no field of one.
    """
    sent = {**body, "model": target.model}
    if endpoint is Endpoint.COMPLETIONS:
        sent["max_tokens"] = target.cap
    elif endpoint is Endpoint.CHAT:
        used = [name for name in _CAPS if sent.get(name) is not None]
        for name in used or [_cap_field(target.base_url)]:
            sent[name] = target.cap
        if is_openai(target.base_url):
            sent["messages"] = signatures.without(sent["messages"])
    sent.pop("stream", None)
    options = sent.pop("stream_options", None) or {}
    if target.stream:
        sent["stream"] = True
        sent["stream_options"] = {**options, "include_usage": True}
    return Outgoing(endpoint, sent)


class OpenAiWire:
    """How OpenAI, and the many servers that speak as it does, are reached over HTTP."""

    def request(self, outgoing: Outgoing, errand: Errand) -> UpstreamRequest:
        """Return the HTTP request that carries what goes upstream."""
        content_type, body = _content(outgoing, errand.request_id)
        streams = outgoing.body.get("stream") is True  # what a client has in events may be whole
        headers = {
            "content-type": content_type,
            "accept": _STREAM if streams else _ACCEPTED[outgoing.operation],
            "user-agent": "gatehouse",
            "x-request-id": errand.request_id,
            **_authorization(errand),
        }
        url = errand.base_url.rstrip("/") + _PATHS[outgoing.operation]
        return UpstreamRequest(url, headers, body)

    def listing(self, errand: Errand) -> UpstreamRequest:
        """Return the request for the models."""
        url = errand.base_url.rstrip("/") + "/models"
        return UpstreamRequest(url, {"accept": "application/json", **_authorization(errand)}, b"")

    def error_message(self, raw: bytes) -> str:
        """Return what a provider says went wrong."""
        return error_message(raw)

    def meaning(self, status: int, raw: bytes) -> Meaning:
        """Return what a bad status means: what it says."""
        return Meaning(status)


def _content(outgoing: Outgoing, request_id: str) -> tuple[str, bytes]:
    """Return the content type and the bytes of what goes upstream: JSON, or a form with a file."""
    if outgoing.operation is Endpoint.TRANSCRIPTIONS:
        return form.written(outgoing.body, outgoing.file, request_id)
    return "application/json", orjson.dumps(outgoing.body)


def _authorization(errand: Errand) -> dict[str, str]:
    return {"authorization": f"Bearer {errand.secret}"} if errand.secret else {}


def input_bound(body_bytes: int, call: Call) -> int:
    """Return a number of input tokens that the provider cannot exceed for text.

    A token is at least one byte of what is sent; what a provider's template adds around the call,
    its messages and its tools is bounded by an allowance for each.
    """
    bound = body_bytes + _CALL_TOKENS + _MESSAGE_TOKENS * call.messages
    if call.tools:
        bound += _TOOLS_TOKENS + _TOOL_TOKENS * len(call.tools)
    return bound


def parse_answer(endpoint: Endpoint, body: bytes, *, viewed: bool = True) -> Answer:
    """Return a provider's whole answer; BadAnswer where it is none.

    Without `viewed` its strings are not gathered: for when no rule looks at answers. What goes to
    the client is the returned body, serialised again, not the bytes that came.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAnswer("the provider's answer is not JSON") from error
    if not isinstance(parsed, dict):
        raise BadAnswer("the provider's answer is not an object")
    if parsed.get("error"):
        raise BadAnswer(error_message(body))
    seen: dict[str, Any] = {}
    if endpoint is Endpoint.EMBEDDINGS:
        _check_list(parsed, "data")
        seen["completion_tokens"] = 0
    else:
        for choice in _check_list(parsed, "choices"):
            if not isinstance(choice.get("message"), dict):
                raise BadAnswer("a choice of the provider's answer holds no message")
            if "usage" in choice:
                merge_usage(seen, choice["usage"])
    merge_usage(seen, parsed.get("usage"))
    choices = _choices(parsed)
    usage = read_usage(seen, wrote=_wrote(choices))
    return _answer(parsed, choices, usage, viewed=viewed)


def answer(body: Body, usage: Usage | None, *, viewed: bool = True) -> Answer:
    """Return an answer with what policy needs of it lifted out; BadAnswer for one too deep.

    `finish` is that of the first choice that did not simply stop, else "stop", else "".
    """
    return _answer(body, _choices(body), usage, viewed=viewed)


def _answer(body: Body, choices: list[Body], usage: Usage | None, *, viewed: bool) -> Answer:
    finishes: list[str] = []
    names: list[str] = []
    for choice in choices:
        finish = choice.get("finish_reason")
        if isinstance(finish, str):
            finishes.append(finish)
        names += _called(choice["message"])
    view = shown(leaves.answer_view, body, viewed=viewed)
    size = answer_bytes(body) if viewed else 0
    return Answer(body, usage, first_finish(finishes), tuple(names), view, size)


def answer_bytes(body: Body) -> int:
    """Return the bytes of text in all messages of an answer, the same however it was sent."""
    return sum(text_bytes(choice["message"]) for choice in _choices(body))


def text_bytes(message: Body | None) -> int:
    """Return the bytes of text in a message or a delta: content, reasoning, arguments, wherever."""
    total = 0
    for name, value in (message or {}).items():
        if isinstance(value, str):
            total += len(value.encode()) if name not in {"role", "id", "type"} else 0
        elif isinstance(value, dict):
            total += text_bytes(value)
        elif isinstance(value, list):
            total += sum(text_bytes(item) for item in value if isinstance(item, dict))
    return total


def first_finish(finishes: list[str]) -> str:
    """Return the reason that tells most: the first that is not "stop"."""
    return next((finish for finish in finishes if finish != "stop"), "stop" if finishes else "")


def error_message(body: bytes) -> str:
    """Return what a provider says went wrong, printable, at most 500 characters, "" for nothing."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _printable(body[: 4 * _MESSAGE_MAX].decode(errors="replace"))
    return error_text(parsed)


def error_text(parsed: object) -> str:
    """Return what a parsed error says, in whichever of the usual shapes it came."""
    for _ in range(3):
        if not isinstance(parsed, dict):
            break
        inner = [parsed[name] for name in ("error", "message", "detail") if parsed.get(name)]
        if not inner:
            break
        parsed = inner[0]
    text = parsed if isinstance(parsed, str) else orjson.dumps(parsed).decode()
    return _printable(text)


def _printable(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * _MESSAGE_MAX])
    return " ".join(shown.split())[:_MESSAGE_MAX]


def is_openai(base_url: str) -> bool:
    """Tell whether OpenAI or Azure OpenAI is there, to which what others added is unknown."""
    url = base_url + "/"
    return url.startswith(_OPENAI_HOSTS) or _AZURE_HOST in url


def is_google(base_url: str) -> bool:
    """Tell whether Google's own endpoint for OpenAI's clients is there."""
    return (base_url + "/").startswith(_GOOGLE_HOST)


def _cap_field(base_url: str) -> str:
    return "max_completion_tokens" if is_openai(base_url) else "max_tokens"


def _check_list(body: Body, name: str) -> list[Body]:
    items = body.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadAnswer(f"the provider's answer holds no {name}")
    return items


def _choices(body: Body) -> list[Body]:
    """Return the choices with a message: all of a chat's answer, none of any other."""
    found = body.get("choices")
    choices = found if isinstance(found, list) else []
    return [
        choice
        for choice in choices
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict)
    ]


def _wrote(choices: list[Body]) -> bool:
    """Tell whether any output stands in the choices of an answer."""
    for choice in choices:
        for name, value in choice["message"].items():
            if value and name != "role":
                return True
    return False


def _called(message: Body) -> list[str]:
    """Return the names of the tools that a message calls; BadAnswer for a call without shape."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadAnswer("the tool calls of the provider's answer are no list")
    if message.get("function_call"):
        calls = [*calls, {"function": message["function_call"]}]
    names = []
    for call in calls:
        inner = (call.get("function") or call.get("custom")) if isinstance(call, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            raise BadAnswer("a tool call of the provider's answer has no name")
        names.append(inner["name"])
    return names
