"""What the mock provider answers in Bedrock's words, with the same books and behaviours."""

import struct
import zlib
from typing import Any

import orjson
from aiohttp import web

from tests.mock_dialect import Behaviour, Production, produce
from tests.mock_server import misbehave, received, refusal, streamed, whole

STREAM_TYPE = "application/vnd.amazon.eventstream"
REASONS = {"stop": "end_turn", "length": "max_tokens"}
_STRING = 7


def frame(kind: str, payload: Any, message_type: str = "event") -> bytes:
    """Return one frame of an event stream: an event, or an exception."""
    return frame_of(
        {
            f":{message_type}-type": kind,
            ":content-type": "application/json",
            ":message-type": message_type,
        },
        orjson.dumps(payload),
    )


def frame_of(headers: dict[str, str], payload: bytes) -> bytes:
    """Return a frame of these headers, all of them strings."""
    told = b"".join(
        bytes([len(name)]) + name.encode() + struct.pack(">BH", _STRING, len(value.encode()))
        + value.encode()
        for name, value in headers.items()
    )  # fmt: skip
    return sealed(told, payload)


def sealed(headers: bytes, payload: bytes) -> bytes:
    """Return a frame of these bytes, with its lengths and its checksums."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return begun + struct.pack(">I", zlib.crc32(begun))


async def bedrock(request: web.Request) -> web.StreamResponse:
    """Answer Converse or ConverseStream."""
    stream = request.match_info["operation"] == "converse-stream"
    entry, behaviour = await received(request, request.match_info["model"], stream=stream)
    if behaviour.status != 200:
        return refusal(behaviour, orjson.dumps({"message": behaviour.message}))
    if "authorization" not in entry.headers:
        entry.status = 403
        return refusal(Behaviour(status=403), orjson.dumps({"Message": "Missing Token"}))
    asked = {
        "messages": [{"role": "user", "content": _words(entry.body["messages"])}],
        "max_tokens": entry.body["inferenceConfig"]["maxTokens"],
    }
    production = produce(asked, behaviour, entry.bytes)
    if behaviour.billed:
        entry.input = production.usage["prompt_tokens"]
        entry.output = production.usage["completion_tokens"]
    await misbehave(request, behaviour)
    blocks: list[dict[str, Any]] = [{"text": "".join(production.choices[0])}]
    calls = _calls(entry.body) if behaviour.tools else []
    reason = "tool_use" if calls else REASONS[production.finish]
    if not stream:
        message = {"role": "assistant", "content": [*blocks, *calls]}
        answer = {"output": {"message": message}, "stopReason": reason, "metrics": _METRICS}
        return whole(entry, {**answer, **_usage(production, behaviour)}, behaviour)
    pieces = _frames(production, behaviour, calls, reason)
    return await streamed(request, entry, pieces, behaviour, STREAM_TYPE)


async def bedrock_invoke(request: web.Request) -> web.StreamResponse:
    """Answer InvokeModel as the embeddings of Titan or of Cohere do."""
    entry, behaviour = await received(request, request.match_info["model"], stream=False)
    if behaviour.status != 200:
        return refusal(behaviour, orjson.dumps({"message": behaviour.message}))
    texts = entry.body.get("texts") or [entry.body["inputText"]]
    entry.input = sum(map(len, texts))
    await misbehave(request, behaviour)
    size = entry.body.get("dimensions") or entry.body.get("output_dimension") or 4
    vector = [1.0, 0.5] + [0.0] * (size - 2)
    if "inputText" in entry.body:
        answer = {"embedding": vector, "inputTextTokenCount": entry.input}
        return whole(entry, answer, behaviour)
    told = {"id": "1", "response_type": "embeddings_by_type", "texts": texts}
    answer = {**told, "embeddings": {"float": [vector for _ in texts]}}
    found = whole(entry, answer, behaviour)
    if behaviour.usage != "absent":
        found.headers["X-Amzn-Bedrock-Input-Token-Count"] = str(entry.input)
    return found


_METRICS = {"latencyMs": 5}


def _words(messages: list[dict[str, Any]]) -> str:
    return "".join(block.get("text", "") for block in messages[-1]["content"])


def _calls(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a call of the first tool, unless the last message is the result of one."""
    if any("toolResult" in block for block in body["messages"][-1]["content"]):
        return []
    name = body["toolConfig"]["tools"][0]["toolSpec"]["name"]
    return [{"toolUse": {"toolUseId": "tooluse_1", "name": name, "input": {"town": "Oslo"}}}]


def _usage(production: Production, behaviour: Behaviour) -> dict[str, Any]:
    counts = production.usage
    if behaviour.usage == "zero":
        counts = dict.fromkeys(counts, 0)
    told = {
        "inputTokens": counts["prompt_tokens"],
        "outputTokens": counts["completion_tokens"],
        "totalTokens": counts["total_tokens"],
    }
    return {} if behaviour.usage == "absent" else {"usage": told}


def _frames(
    production: Production, behaviour: Behaviour, calls: list[dict[str, Any]], reason: str
) -> list[bytes]:
    text, last = {"contentBlockIndex": 0}, {"contentBlockIndex": 1}
    frames = [frame("messageStart", {"role": "assistant"})]
    frames += [
        frame("contentBlockDelta", {"delta": {"text": word}, **text})
        for word in production.choices[0]
    ]
    frames.append(frame("contentBlockStop", text))
    for call in calls:
        begun = {name: call["toolUse"][name] for name in ("toolUseId", "name")}
        given = orjson.dumps(call["toolUse"]["input"]).decode()
        frames.append(frame("contentBlockStart", {"start": {"toolUse": begun}, **last}))
        for piece in (given[:4], given[4:]):
            delta = {"delta": {"toolUse": {"input": piece}}, **last}
            frames.append(frame("contentBlockDelta", delta))
        frames.append(frame("contentBlockStop", last))
    frames.append(frame("messageStop", {"stopReason": reason}))
    told = _usage(production, behaviour)
    frames.append(frame("metadata", {"metrics": _METRICS, **told}) if told else b"")
    if behaviour.code != "mock":  # an exception in the middle of the stream
        middle = len(frames) // 2
        thrown = frame(behaviour.code, {"message": behaviour.message}, "exception")
        frames = [*frames[:middle], thrown]
    return [one for one in frames if one]


async def bedrock_models(request: web.Request) -> web.StreamResponse:
    """List no model, for who has signed."""
    status = 200 if "authorization" in request.headers else 403
    return web.json_response({"modelSummaries": []}, status=status)
