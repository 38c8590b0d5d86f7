"""The answers of the responses API: what policy needs of them, and what they say. Pure."""

from typing import Any

from gateway.exchange import Answer, Body, Usage
from gateway.providers.conversation import Declined, Part, Reasoning, Text, ToolUse, thought
from gateway.providers.fault import BadAnswer
from gateway.providers.openai import vocabulary
from gateway.providers.openai.usage import read_usage
from gateway.providers.reply import Reply, Spoken
from gateway.providers.responses import inside, leaves
from gateway.providers.walk import shown

_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
_CALLS = ("function_call", "custom_tool_call")
_SAID = ("text", "refusal", "arguments", "name", "input")


def answer(body: Body, usage: Usage | None, *, viewed: bool = True) -> Answer:
    """Return an answer with what policy needs of it lifted out; BadAnswer for a malformed one.

    `finish` is in the words of all dialects. The tools that are called are named, those that the
    provider runs itself by the type of their item. Without `viewed` its strings are not gathered.
    """
    names = []
    for item in output(body):
        kind = inside.kind(item)
        _check(kind, item)
        if kind.endswith("_call"):
            names.append(item["name"] if kind in _CALLS else kind)
    view = shown(leaves.answer_view, body, viewed=viewed)
    size = answer_bytes(body) if viewed else 0
    return Answer(body, usage, finish(body), tuple(names), view, size)


def _check(kind: str, item: Body) -> None:
    """Refuse an item without what every reader of its type relies on."""
    if kind in _CALLS:
        field = "arguments" if kind == "function_call" else "input"
        if not all(isinstance(item.get(name), str) for name in ("name", field)):
            raise BadAnswer("a tool call of the provider's answer has no name or arguments")
    for name in ("content", "summary"):
        parts = item.get(name)
        for part in parts if isinstance(parts, list) else ():
            if not isinstance(part, dict) or not isinstance(part.get("type"), str):
                raise BadAnswer("a part of the provider's answer has no type")
            field = "refusal" if part["type"] == "refusal" else "text"
            if part["type"] in vocabulary.TEXT_PARTS and not isinstance(part.get(field), str):
                raise BadAnswer("a part of the provider's answer has no text")


def finish(body: Body) -> str:
    """Return why an answer ended, in the words of all dialects, "" while it has not."""
    status = body.get("status")
    if status == "incomplete":
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return _INCOMPLETE.get(reason, reason) if isinstance(reason, str) else "length"
    if status != "completed":
        return ""
    called = any(inside.kind(item) in _CALLS for item in output(body))
    return "tool_calls" if called else "stop"


def usage_of(body: Body) -> Usage | None:
    """Return what a response says that it used; None where that is unknown."""
    told = body.get("usage")
    return read_usage(told if isinstance(told, dict) else {}, wrote=bool(output(body)))


def output(body: Body) -> list[Body]:
    """Return the items of an answer; BadAnswer where it has none."""
    items = body.get("output")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadAnswer("the provider's answer holds no output")
    return items


def answer_bytes(body: Body) -> int:
    """Return the bytes of text that the model said: texts, reasoning, names and arguments."""
    return sum(_said(item) for item in output(body))


def _said(node: Body) -> int:
    total = sum(len(node[name].encode()) for name in _SAID if isinstance(node.get(name), str))
    for name in ("content", "summary"):
        parts = node.get(name)
        if isinstance(parts, list):
            total += sum(_said(part) for part in parts if isinstance(part, dict))
    return total


def response_reply(body: Body) -> Reply:
    """Return what an answer says, but for what only the provider's own tools put out."""
    parts = [part for item in output(body) for part in _parts(item)]
    return Reply(
        str(body.get("id") or ""),
        str(body.get("model") or ""),
        (Spoken(tuple(parts), finish(body)),),
        usage_of(body),
    )


def _parts(item: Body) -> list[Part]:
    match item:
        case {"type": "message", "content": list(content)}:
            return [_said_part(part) for part in content if isinstance(part, dict)]
        case {"type": "function_call", "call_id": str(identity), "name": str(name)}:
            return [ToolUse(identity, name, str(item.get("arguments") or ""))]
        case {"type": "reasoning"}:
            return [_thought(item)]
    return []


def _said_part(part: Body) -> Part:
    refusal = part.get("refusal")
    return Declined(refusal) if isinstance(refusal, str) else Text(str(part.get("text") or ""))


def _thought(item: Body) -> Reasoning:
    told: list[Any] = [*(item.get("summary") or ()), *(item.get("content") or ())]
    text = "".join(
        part["text"]
        for part in told
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    )
    sealed = str(item.get("encrypted_content") or "")
    return thought(text, sealed)
