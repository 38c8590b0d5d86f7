"""What models answer, told as the clouds tell it; and the scenes of all."""

from collections.abc import Iterator

import orjson

from gateway.exchange import Usage
from gateway.providers.conversation import Reasoning, Text, ToolUse
from tests.gateway.providers.scenes import (
    BOTH,
    PARIS,
    ROME,
    Told,
    anthropic_scenes,
    openai_scenes,
    reply,
    sse,
)
from tests.mock_bedrock import frame


def _azure_scenes() -> Iterator[tuple[str, Told]]:
    """What OpenAI tells, and what Azure's filter thinks of it."""
    found = {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    prompt = {"prompt_filter_results": [{"prompt_index": 0, **found}]}
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], **prompt}
    for name, told in openai_scenes():
        whole = orjson.loads(told.whole) | prompt
        whole["choices"][0] |= found
        yield name, Told(told.reply, orjson.dumps(whole), sse(first) + told.stream, told.stream)


def _gemini(
    parts: list[dict], pieces: list[list[dict]], reason: str | None, thought: int = 0
) -> tuple[bytes, bytes]:
    """Return a response of these parts, whole and in pieces; without a reason, a blocked prompt."""
    usage = {
        "promptTokenCount": 120,
        "cachedContentTokenCount": 100,
        "candidatesTokenCount": 30 - thought,
        "totalTokenCount": 150,
        **({"thoughtsTokenCount": thought} if thought else {}),
    }
    head = {"modelVersion": "gemini-x", "responseId": "resp_1"}
    if reason is None:
        usage = {"promptTokenCount": 120, "totalTokenCount": 120}
        feedback = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage}
        return orjson.dumps({**feedback, **head}), sse({**feedback, **head})

    def response(parts, **more):
        return {"content": {"parts": parts, "role": "model"}, "index": 0, **more}

    ended = {"finishReason": reason}
    whole = {"candidates": [response(parts, **ended)], "usageMetadata": usage, **head}
    events: list[dict] = [
        {
            "candidates": [response(piece, **(ended if last == len(pieces) else {}))],
            "usageMetadata": {**usage, "candidatesTokenCount": last} if last > 1 else {},
            **head,
        }
        for last, piece in enumerate(pieces, 1)
    ]
    events[-1]["usageMetadata"] = usage
    crlf = sse(*events).replace(b"\n", b"\r\n")  # as Google ends its lines
    return orjson.dumps(whole), crlf


def _gemini_scenes() -> Iterator[tuple[str, Told]]:
    def told(*parts, **more):
        return reply(*parts, dialect="gemini", **more)

    def text(words, **more):
        return {"text": words, **more}

    def call(name, args, **more):
        return {"functionCall": {"name": name, "args": args, **more}}

    yield (
        "words",
        Told(
            told(Text("Good day, Zoë.")),
            *_gemini(
                [text("Good day, Zoë.")],
                [[text("Good ")], [text("day, Zoë.")], [text("")]],
                "STOP",
            ),
        ),
    )
    yield (
        "cut",
        Told(
            told(Text("Good"), finish="length"),
            *_gemini([text("Good")], [[text("Good")]], "MAX_TOKENS"),
        ),
    )
    paris = call("weather", {"city": "Paris"}, id="call_1")
    rome = call("weather", {"city": "Rome", "unit": "°C"}, id="call_2")
    yield (
        "tools",
        Told(
            told(Text("Let me look."), *BOTH, finish="tool_calls"),
            *_gemini(
                [text("Let me look."), paris, rome],
                [[text("Let me look.")], [paris], [rome], []],
                "STOP",
            ),
        ),
    )
    signed = {**call("weather", {"city": "Paris"}), "thoughtSignature": "c2lnbmVk"}
    unnamed = ToolUse("call_resp_1_0", "weather", PARIS)
    yield (
        "signed",
        Told(
            told(
                Reasoning("Hm.", "gemini:c2lnbmVk"),
                unnamed,
                unnamed._replace(id="call_resp_1_1", arguments="{}"),
                finish="tool_calls",
                usage=Usage(120, 30, 100, 0, 20),
            ),
            *_gemini(
                [text("Hm.", thought=True), signed, call("weather", {})],
                [[text("Hm.", thought=True)], [signed], [call("weather", {})]],
                "STOP",
                20,
            ),
        ),
    )
    yield (
        "thought",
        Told(
            told(
                Reasoning("Hm. Four."),
                Text("4"),
                Reasoning("", "gemini:c2lnbmVk"),
                usage=Usage(120, 30, 100, 0, 20),
            ),
            *_gemini(
                [text("Hm. Four.", thought=True), text("4"), text("", thoughtSignature="c2lnbmVk")],
                [
                    [text("Hm. ", thought=True)],
                    [text("Four.", thought=True)],
                    [text("4")],
                    [text("", thoughtSignature="c2lnbmVk")],
                ],
                "STOP",
                20,
            ),
        ),
    )
    yield (
        "declined",
        Told(
            told(Text("I"), finish="content_filter"),
            *_gemini([text("I")], [[text("I")]], "SAFETY"),
        ),
    )
    blocked = told(finish="content_filter", usage=Usage(120, 0))
    yield "blocked", Told(blocked, *_gemini([], [], None))


def _bedrock(
    blocks: list[dict], deltas: list[list[dict]], reason: str, *, cached: int = 100
) -> tuple[bytes, bytes]:
    """Return a message of these blocks, whole and as a stream."""
    usage = {
        "inputTokens": 120 - cached,
        "outputTokens": 30,
        "totalTokens": 150,
        "cacheReadInputTokens": cached,
        "cacheWriteInputTokens": 0,
    }
    metrics = {"metrics": {"latencyMs": 5}}
    message = {"role": "assistant", "content": blocks}
    whole = {"output": {"message": message}, "stopReason": reason, "usage": usage, **metrics}
    frames = [frame("messageStart", {"role": "assistant", "p": "abcd"})]
    for index, (block, told) in enumerate(zip(blocks, deltas, strict=True)):
        at = {"contentBlockIndex": index}
        if "toolUse" in block:
            call = {name: block["toolUse"][name] for name in ("toolUseId", "name")}
            frames.append(frame("contentBlockStart", {"start": {"toolUse": call}, **at}))
        frames += [frame("contentBlockDelta", {"delta": delta, **at}) for delta in told]
        frames.append(frame("contentBlockStop", at))
    frames.append(frame("messageStop", {"stopReason": reason}))
    frames.append(frame("metadata", {"usage": usage, **metrics}))
    return orjson.dumps(whole), b"".join(frames)


def _bedrock_scenes() -> Iterator[tuple[str, Told]]:
    def told(*parts, **more):
        return reply(*parts, dialect="bedrock", **more)

    def argued(text):
        return {"toolUse": {"input": text}}

    def thought(**more):
        return {"reasoningContent": more}

    yield (
        "words",
        Told(
            told(Text("Good day, Zoë.")),
            *_bedrock(
                [{"text": "Good day, Zoë."}],
                [[{"text": "Good "}, {"text": "day, Zoë."}]],
                "end_turn",
            ),
        ),
    )
    for name, reason, finish in (
        ("cut", "max_tokens", "length"),
        ("stopped", "stop_sequence", "stop"),
        ("declined", "guardrail_intervened", "content_filter"),
    ):
        yield (
            name,
            Told(
                told(Text("Good"), finish=finish),
                *_bedrock([{"text": "Good"}], [[{"text": "Good"}]], reason),
            ),
        )
    calls = [
        {
            "toolUse": {
                "toolUseId": call.id,
                "name": call.name,
                "input": orjson.loads(call.arguments),
            }
        }
        for call in BOTH
    ]
    yield (
        "tools",
        Told(
            told(Text("Let me look."), *BOTH, finish="tool_calls"),
            *_bedrock(
                [{"text": "Let me look."}, *calls],
                [
                    [{"text": "Let me look."}],
                    [argued(PARIS[:5]), argued(""), argued(PARIS[5:])],
                    [argued(ROME)],
                ],
                "tool_use",
            ),
        ),
    )
    signed = {"reasoningText": {"text": "Hm. Four.", "signature": "c2lnbmVk"}}
    yield (
        "thought",
        Told(
            told(Reasoning("Hm. Four.", "c2lnbmVk"), Reasoning("", "", "c2VhbGVk"), Text("4")),
            *_bedrock(
                [thought(**signed), thought(redactedContent="c2VhbGVk"), {"text": "4"}],
                [
                    [
                        thought(text="Hm. "),
                        thought(text="Four."),
                        thought(signature="c2lnbmVk"),
                    ],
                    [thought(redactedContent="c2VhbGVk")],
                    [{"text": "4"}],
                ],
                "end_turn",
            ),
        ),
    )


SCENES: dict[tuple[str, str], Told] = {
    (dialect, name): told
    for dialect, scenes in (
        ("openai", openai_scenes),
        ("anthropic", anthropic_scenes),
        ("azure-openai", _azure_scenes),
        ("gemini", _gemini_scenes),
        ("bedrock", _bedrock_scenes),
    )
    for name, told in scenes()
}
