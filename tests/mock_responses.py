"""What the mock provider says in the form of the responses API."""

from typing import Any

import orjson

from tests.mock_dialect import CREATED, Production

Body = dict[str, Any]


def as_chat(body: Body) -> Body:
    """Return what a chat would have been asked: the messages, and the cap."""
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    messages = [{**item, "content": _text(item["content"])} for item in items if "role" in item]
    return {"messages": messages, "max_tokens": body.get("max_output_tokens")}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def response(asked: Body, production: Production, where: str) -> Body:
    """Return the whole response to a request."""
    text, cut = "".join(production.choices[0]), production.finish == "length"
    billed = production.usage
    usage = {
        "input_tokens": billed["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": billed["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": billed["total_tokens"],
    }
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {"id": "msg_mock", "type": "message", "role": "assistant", "content": [part]}
    return {
        "id": "resp_mock",
        "object": "response",
        "created_at": CREATED,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": asked.get("instructions"),
        "model": asked["model"],
        "output": [{**message, "status": "incomplete" if cut else "completed"}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None if where == "absent" else usage,
    }


def response_events(answer: Body, production: Production) -> list[bytes]:
    """Return the events of a stream that says it word by word."""
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    (item,) = answer["output"]
    (part,) = item["content"]
    at = {"item_id": item["id"], "output_index": 0}
    inner = {**at, "content_index": 0}
    told: list[tuple[str, Body]] = [
        ("created", {"response": begun}),
        ("in_progress", {"response": begun}),
        ("output_item.added", {"output_index": 0, "item": {**item, "content": []}}),
        ("content_part.added", {**inner, "part": {**part, "text": ""}}),
    ]
    told += [
        ("output_text.delta", {**inner, "delta": word, "logprobs": []})
        for word in production.choices[0]
    ]
    told += [
        ("output_text.done", {**inner, "text": part["text"], "logprobs": []}),
        ("content_part.done", {**inner, "part": part}),
        ("output_item.done", {"output_index": 0, "item": item}),
        (answer["status"], {"response": answer}),
    ]
    return [_event(number, name, more) for number, (name, more) in enumerate(told)]


def _event(number: int, name: str, more: Body) -> bytes:
    data = {"type": f"response.{name}", "sequence_number": number, **more}
    return f"event: response.{name}\n".encode() + b"data: " + orjson.dumps(data) + b"\n\n"
