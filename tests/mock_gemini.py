"""What the mock provider answers in Gemini's words, with the same books and the same behaviours."""

from typing import Any

import orjson
from aiohttp import web

from tests.mock_dialect import Behaviour, Production, produce
from tests.mock_server import Entry, misbehave, received, refusal, streamed, whole

REASONS = {"stop": "STOP", "length": "MAX_TOKENS"}


async def gemini(request: web.Request) -> web.StreamResponse:
    """Answer generateContent or streamGenerateContent."""
    model, _, method = request.match_info["target"].rpartition(":")
    if method == "batchEmbedContents":
        return await _embeddings(request, model)
    stream = method == "streamGenerateContent"
    entry, behaviour = await received(request, model, stream=stream)
    if behaviour.status != 200:
        return refusal(behaviour, _error(behaviour))
    if "x-goog-api-key" not in entry.headers or (stream and request.query.get("alt") != "sse"):
        entry.status = 403
        return refusal(Behaviour(status=403), _error(Behaviour(status=403)))
    config = entry.body["generationConfig"]
    asked = {
        "messages": [{"role": "user", "content": _words(entry.body["contents"])}],
        "max_tokens": config["maxOutputTokens"],
        "n": config.get("candidateCount"),
    }
    production = produce(asked, behaviour, entry.bytes)
    if behaviour.billed:
        entry.input = production.usage["prompt_tokens"]
        entry.output = production.usage["completion_tokens"]
    await misbehave(request, behaviour)
    calls = _calls(entry.body) if behaviour.tools else []
    if not stream:
        return whole(entry, _response(entry, production, behaviour, calls), behaviour)
    pieces = _events(entry, production, behaviour, calls)
    return await streamed(request, entry, pieces, behaviour)


async def _embeddings(request: web.Request, model: str) -> web.StreamResponse:
    entry, behaviour = await received(request, model, stream=False)
    if behaviour.status != 200:
        return refusal(behaviour, _error(behaviour))
    requests = entry.body["requests"]
    assert all(one["model"] == f"models/{model}" for one in requests)
    entry.input = sum(len(_words([one["content"]])) for one in requests)
    await misbehave(request, behaviour)
    sizes = [one.get("outputDimensionality", 4) for one in requests]
    answer: dict[str, Any] = {
        "embeddings": [{"values": [1.0, 0.5] + [0.0] * (size - 2)} for size in sizes]
    }
    if behaviour.usage != "absent":
        answer["usageMetadata"] = {"promptTokenCount": entry.input}
    return whole(entry, answer, behaviour)


def _error(behaviour: Behaviour) -> bytes:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": behaviour.code}
    error = {"code": behaviour.status, "message": behaviour.message, "status": "MOCK"}
    return orjson.dumps({"error": {**error, "details": [info]}})


def _words(contents: list[dict[str, Any]]) -> str:
    """Return the words of the last content."""
    return "".join(part.get("text", "") for part in contents[-1]["parts"])


def _calls(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a call of the first tool, unless the last content is the result of one."""
    if any("functionResponse" in part for part in body["contents"][-1]["parts"]):
        return []
    (tools,) = body["tools"]
    call = {"name": tools["functionDeclarations"][0]["name"], "args": {"town": "Oslo"}}
    return [{"functionCall": call, "thoughtSignature": "c2lnbmVk"}]


def _candidate(index: int, parts: list[dict[str, Any]], reason: str = "") -> dict[str, Any]:
    ended = {"finishReason": REASONS[reason]} if reason else {}
    return {"index": index, "content": {"role": "model", "parts": parts}, **ended}


def _head(entry: Entry, production: Production, usage: str) -> dict[str, Any]:
    counts = production.usage if usage != "zero" else dict.fromkeys(production.usage, 0)
    told = {
        "promptTokenCount": counts["prompt_tokens"],
        "candidatesTokenCount": counts["completion_tokens"],
        "totalTokenCount": counts["total_tokens"],
    }
    head = {"modelVersion": entry.model, "responseId": "mock-response"}
    return head if usage == "absent" else {**head, "usageMetadata": told}


def _response(
    entry: Entry, production: Production, behaviour: Behaviour, calls: list[dict[str, Any]]
) -> dict[str, Any]:
    candidates = [
        _candidate(index, [{"text": "".join(words)}, *calls], production.finish)
        for index, words in enumerate(production.choices)
    ]
    return {"candidates": candidates, **_head(entry, production, behaviour.usage)}


def _events(
    entry: Entry, production: Production, behaviour: Behaviour, calls: list[dict[str, Any]]
) -> list[bytes]:
    last = _head(entry, production, behaviour.usage)
    head = _head(entry, production, "absent")
    told = [
        {"candidates": [_candidate(index, [{"text": word}])], **head}
        for index, words in enumerate(production.choices)
        for word in words
    ]
    told += [
        {"candidates": [_candidate(index, calls, production.finish)], **last}
        for index in range(len(production.choices))
    ]
    return [b"data: " + orjson.dumps(one) + b"\r\n\r\n" for one in told]


async def gemini_models(request: web.Request) -> web.StreamResponse:
    """List one model, for who has a key."""
    status = 200 if "x-goog-api-key" in request.headers else 403
    return web.json_response({"models": [{"name": "models/mock"}]}, status=status)
