"""A provider that is a function: for first use, demonstrations and tests, in the OpenAI form. Pure.

What it answers depends on the request alone; how it behaves, on the name of the model:
`simulated` answers at once, `simulated-slow` takes its time, `simulated-echo` says what the user
said, `simulated-no-usage` does not tell what it used, `simulated-cut` breaks off in the middle,
`simulated-garbage` sends what is no JSON, `simulated-error-429` and `simulated-error-500` refuse,
`simulated-hang` never answers. Any other name behaves as `simulated`. Beside chats it makes
vectors, small pictures and tones, flags texts that name what they are flagged for, and says of a
recording how large it is.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from gateway.exchange import Body, Endpoint
from gateway.providers import sse
from gateway.providers.simulated.moderation import moderations
from gateway.providers.simulated.pictures import images
from gateway.providers.simulated.sound import NotSpoken, spoken, transcription
from gateway.providers.simulated.speech import Speech, input_tokens, speech
from gateway.providers.simulated.vectors import TooMany, vectors

CREATED = 1767225600
"""The instant of every answer, in seconds since 1970: a function has no clock."""

_WORD_MS = 10
_SLOW_FIRST_MS, _SLOW_WORD_MS = 1500, 150
_REFUSALS = {
    "simulated-error-429": (429, "rate_limit_error", "This model refuses: too many requests."),
    "simulated-error-500": (500, "server_error", "This model refuses: it fails by its name."),
}
_GARBAGE = b"<html><body>This is no JSON.</body></html>"


class Simulation(NamedTuple):
    """An answer: its status, its bytes, each piece after a pause; `hang` means it never comes."""

    status: int
    chunks: tuple[tuple[int, bytes], ...]
    hang: bool = False
    content_type: str = "application/json"


def simulate(endpoint: Endpoint, body: Body, model: str, file: bytes = b"") -> Simulation:
    """Return what the simulated provider answers to a body of one of its APIs; `file` is what came
    beside it."""
    if model == "simulated-hang":
        return Simulation(200, (), hang=True)
    if model in _REFUSALS:
        return _refusal(*_REFUSALS[model])
    if endpoint is not Endpoint.CHAT:
        return _beside(endpoint, body, model, file)
    choices = [speech(body, model, index) for index in range(body.get("n") or 1)]
    head = {
        "id": f"chatcmpl-sim{_fingerprint(body, model)}",
        "created": CREATED,
        "model": model,
        "system_fingerprint": "fp_simulated",
    }
    usage = _usage(body, choices) if model != "simulated-no-usage" else {}
    if body.get("stream"):
        options = body.get("stream_options") or {}
        told = usage if options.get("include_usage") else {}
        return _streamed(list(_events(head, choices, told)), model)
    completion = {**head, "object": "chat.completion", "choices": _whole_choices(head, choices)}
    return _whole({**completion, **usage}, model)


def _beside(endpoint: Endpoint, body: Body, model: str, file: bytes) -> Simulation:
    """Return the answer to what is no chat."""
    try:
        if endpoint is Endpoint.SPEECH:
            kind, sound = spoken(body)
            return _plain(sound, model, kind)
        if endpoint is Endpoint.EMBEDDINGS:
            answer: Body | str = _embeddings(body, model)
        elif endpoint is Endpoint.MODERATIONS:
            answer = moderations(body, _fingerprint(body, model), model)
        elif endpoint is Endpoint.IMAGES:
            answer = images(body, CREATED)
        else:
            answer = transcription(body, file)
    except (TooMany, NotSpoken) as error:
        return _refusal(400, "invalid_request_error", str(error))
    if isinstance(answer, str):
        return _plain(answer.encode(), model, "text/plain")
    if model == "simulated-no-usage":
        answer.pop("usage", None)
    return _whole(answer, model)


def _whole(answer: Body, model: str) -> Simulation:
    return _plain(_GARBAGE if model == "simulated-garbage" else orjson.dumps(answer), model)


def _plain(data: bytes, model: str, content_type: str = "application/json") -> Simulation:
    if model == "simulated-cut":
        data = data[: len(data) // 2]
    pause_ms = _SLOW_FIRST_MS if model == "simulated-slow" else 0
    return Simulation(200, ((pause_ms, data),), content_type=content_type)


def _streamed(events: list[bytes], model: str) -> Simulation:
    if model == "simulated-garbage":
        events = [events[0], sse.encode(_GARBAGE), events[-1]]
    if model == "simulated-cut":
        events = events[: len(events) // 2]
    slow = model == "simulated-slow"
    first, later = (_SLOW_FIRST_MS, _SLOW_WORD_MS) if slow else (0, _WORD_MS)
    pauses = [first, *[later] * (len(events) - 1)]
    return Simulation(200, tuple(zip(pauses, events, strict=False)))


def _refusal(status: int, kind: str, message: str) -> Simulation:
    error = {"message": message, "type": kind, "param": None, "code": "simulated"}
    return Simulation(status, ((0, orjson.dumps({"error": error})),))


def _usage(body: Body, choices: list[Speech]) -> Body:
    taken = input_tokens(body, Endpoint.CHAT)
    given = sum(choice.length for choice in choices)
    return {
        "usage": {
            "prompt_tokens": taken,
            "completion_tokens": given,
            "total_tokens": taken + given,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }
    }


def _fingerprint(body: Body, model: str) -> str:
    """Return a name for what is asked, streamed or not."""
    asked = {name: body[name] for name in body if name not in {"stream", "stream_options"}}
    return hashlib.sha256(model.encode() + orjson.dumps(asked)).hexdigest()[:20]


def _finish(choice: Speech) -> str:
    return "length" if choice.cut else "tool_calls" if choice.calls else "stop"


def _call_id(head: Body, index: int, position: int) -> str:
    return f"call_{head['id'][-20:]}{index}x{position}"


def _whole_choices(head: Body, choices: list[Speech]) -> list[Body]:
    whole: list[Body] = []
    for index, choice in enumerate(choices):
        message: Body = {"role": "assistant", "content": None, "refusal": None}
        if choice.calls:
            message["tool_calls"] = [
                {
                    "id": _call_id(head, index, position),
                    "type": "function",
                    "function": {"name": call.name, "arguments": "".join(call.arguments)},
                }
                for position, call in enumerate(choice.calls)
            ]
        else:
            message["content"] = "".join(choice.text)
        finish = _finish(choice)
        whole.append(
            {"index": index, "message": message, "logprobs": None, "finish_reason": finish}
        )
    return whole


def _events(head: Body, choices: list[Speech], usage: Body) -> Iterator[bytes]:
    """Yield the events of a stream, a word each; with usage, as where it is asked for."""
    head = {**head, "object": "chat.completion.chunk"}
    for index, choice in enumerate(choices):
        for delta in _deltas(head, index, choice):
            yield _event(head, [{"index": index, "delta": delta, "finish_reason": None}])
        yield _event(head, [{"index": index, "delta": {}, "finish_reason": _finish(choice)}])
    if usage:
        yield _event({**head, **usage}, [])
    yield sse.encode(b"[DONE]")


def _deltas(head: Body, index: int, choice: Speech) -> Iterator[Body]:
    yield {"role": "assistant", "content": None if choice.calls else "", "refusal": None}
    for word in choice.text:
        yield {"content": word}
    for position, call in enumerate(choice.calls):
        first = {"name": call.name, "arguments": ""}
        identity = {"id": _call_id(head, index, position), "type": "function"}
        yield {"tool_calls": [{"index": position, **identity, "function": first}]}
        for word in call.arguments:
            yield {"tool_calls": [{"index": position, "function": {"arguments": word}}]}


def _event(head: Body, choices: list[Body]) -> bytes:
    return sse.encode(orjson.dumps({**head, "choices": choices}))


def _embeddings(body: Body, model: str) -> Body:
    found = vectors(body["input"], body.get("dimensions"), body.get("encoding_format"))
    taken = input_tokens(body, Endpoint.EMBEDDINGS)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(found)
        ],
        "model": model,
        "usage": {"prompt_tokens": taken, "total_tokens": taken},
    }
