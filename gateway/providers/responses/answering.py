"""A reply as a response: whole, as its items, one after the other. Pure."""

from collections.abc import Sequence

from gateway.exchange import Body, Usage
from gateway.providers.conversation import Declined, Part, Reasoning, Text, ToolUse
from gateway.providers.dialect import Source
from gateway.providers.fault import BadAnswer
from gateway.providers.reply import Reply
from gateway.providers.responses import echo

TRANSLATED = "rs_via_"
"""What the id of reasoning begins with that another dialect's model wrote: its sealed content is of
no use to a provider of this dialect, and it is not sent there."""

_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response(reply: Reply, source: Source) -> Body:
    """Return a whole response, which is the first choice of a reply; it has the reply's name."""
    if not reply.choices:
        raise BadAnswer("the provider's answer holds no choice")
    spoken = reply.choices[0]
    source = source._replace(id=reply.id, model=reply.model)
    output = items(spoken.parts, source)
    return ended(source, output, spoken.finish, reply.usage)


def ended(source: Source, output: list[Body], finish: str, usage: Usage | None) -> Body:
    """Return a response that is over; one cut off is incomplete, and so is its last item."""
    reason = _REASONS.get(finish)
    status = "incomplete" if reason else "completed"
    if reason and output:
        output = [*output[:-1], {**output[-1], "status": status}]
    return {
        **head(source, status),
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "usage": usage_body(usage) if usage is not None else None,
    }


def head(source: Source, status: str) -> Body:
    """Return a response without output, and what was asked for, as this API tells it again."""
    return {
        "id": f"resp_{stem(source)}",
        "object": "response",
        "created_at": source.created_s,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": source.model,
        "output": [],
        "usage": None,
        **echo.told_again(source.asked),
    }


def stem(source: Source) -> str:
    """Return what the ids of a response and of its items have in common."""
    return source.id.removeprefix("resp_")


def usage_body(usage: Usage) -> Body:
    """Return usage as this API tells it."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def items(parts: Sequence[Part], source: Source) -> list[Body]:
    """Return the items that parts make: texts that follow each other are one message."""
    found: list[Body] = []
    for part in parts:
        match part:
            case Text() | Declined():
                if not found or found[-1]["type"] != "message":
                    found.append(opened("message", source, len(found)))
                found[-1]["content"].append(content(part))
            case Reasoning():
                found.append(_reasoning(part, source, len(found)))
            case ToolUse():
                found.append(call(part, source, len(found)))
            case _:
                raise BadAnswer("the provider's answer holds what no response can")
    return [{**item, "status": "completed"} for item in found]


def opened(kind: str, source: Source, index: int) -> Body:
    """Return an item with nothing in it yet."""
    if kind == "message":
        identity = f"msg_{stem(source)}_{index}"
        return {
            "id": identity,
            "type": kind,
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
    identity = f"{TRANSLATED}{stem(source)}_{index}"
    return {"id": identity, "type": "reasoning", "status": "in_progress", "summary": []}


def content(part: Text | Declined) -> Body:
    """Return a part of a message."""
    if isinstance(part, Declined):
        return {"type": "refusal", "refusal": part.text}
    return {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}


def call(part: ToolUse, source: Source, index: int) -> Body:
    """Return the call of a function; no arguments are an empty object where it is whole."""
    return {
        "id": f"fc_{stem(source)}_{index}",
        "type": "function_call",
        "status": "in_progress",
        "call_id": part.id,
        "name": part.name,
        "arguments": part.arguments or "{}",
    }


def _reasoning(part: Reasoning, source: Source, index: int) -> Body:
    item = opened("reasoning", source, index)
    if part.text:
        item["summary"] = [{"type": "summary_text", "text": part.text}]
    if part.signature or part.sealed:
        item["encrypted_content"] = part.signature or part.sealed
    return item
