"""What the mock provider says in the form of Anthropic's messages API."""

from typing import Any

import orjson

from tests.mock_dialect import Production

FINISHES = {"stop": "end_turn", "length": "max_tokens"}


def message(model: str, production: Production, where: str) -> dict[str, Any]:
    """Return a whole message."""
    text = "".join(production.choices[0])
    told = {"usage": _usage(production, where)} if where != "absent" else {}
    return {
        **_head(model),
        "content": [{"type": "text", "text": text}],
        "stop_reason": FINISHES[production.finish],
        "stop_sequence": None,
        **told,
    }


def message_events(model: str, production: Production, where: str) -> list[bytes]:
    """Return the events of a stream: a delta for each word, usage first and last."""
    usage = _usage(production, where)
    first = {**_head(model), "content": [], "stop_reason": None, "stop_sequence": None}
    first["usage"] = {**usage, "output_tokens": 1}
    events = [_event("message_start", message=first), _event("ping")]
    block = {"type": "text", "text": ""}
    events.append(_event("content_block_start", index=0, content_block=block))
    for word in production.choices[0]:
        delta = {"type": "text_delta", "text": word}
        events.append(_event("content_block_delta", index=0, delta=delta))
    ending = {"stop_reason": FINISHES[production.finish], "stop_sequence": None}
    told = {"usage": {"output_tokens": usage["output_tokens"]}} if where != "absent" else {}
    return [
        *events,
        _event("content_block_stop", index=0),
        _event("message_delta", delta=ending, **told),
        _event("message_stop"),
    ]


def message_error(text: str, status: int) -> bytes:
    """Return an error as Anthropic writes it."""
    kinds = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
    kind = kinds.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": text}})


def _head(model: str) -> dict[str, Any]:
    return {"id": "msg_mock", "type": "message", "role": "assistant", "model": model}


def _usage(production: Production, where: str) -> dict[str, int]:
    if where == "zero":
        return {"input_tokens": 0, "output_tokens": 0}
    told = production.usage
    return {"input_tokens": told["prompt_tokens"], "output_tokens": told["completion_tokens"]}


def _event(kind: str, **more: Any) -> bytes:
    data = orjson.dumps({"type": kind, **more})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
