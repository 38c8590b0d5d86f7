"""What models answer, told as each provider tells it: whole and as a stream. Each scene is one
reply, and what every dialect must make of it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from gateway.exchange import Usage
from gateway.providers.conversation import Declined, Reasoning, Text, ToolUse
from gateway.providers.reply import Reply, Spoken

USAGE = Usage(120, 30, 100, 0, 0)


class Told(NamedTuple):
    """A reply in one provider's words; `passed` is what a client of its own dialect may see of a
    stream, where that is not all."""

    reply: Reply
    whole: bytes
    stream: bytes
    passed: bytes = b""


def reply(*parts, finish="stop", sequence="", usage=USAGE, dialect="openai"):
    identity, model = {
        "openai": ("chatcmpl-1", "gpt"),
        "anthropic": ("msg_1", "claude"),
        "gemini": ("resp_1", "gemini-x"),
    }[dialect]
    return Reply(identity, model, (Spoken(parts, finish, sequence),), usage)


def _sse(*events: Any, named: bool = False) -> bytes:
    lines = []
    for event in events:
        data = event if isinstance(event, bytes) else orjson.dumps(event)
        name = b"event: " + event["type"].encode() + b"\n" if named else b""
        lines.append(name + b"data: " + data + b"\n\n")
    return b"".join(lines)


def _openai(message: dict, deltas: list[dict], finish: str) -> tuple[bytes, bytes]:
    head = {"id": "chatcmpl-1", "created": 1767225600, "model": "gpt"}
    usage = {
        "prompt_tokens": 120,
        "completion_tokens": 30,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 100},
    }
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    chunk = {**head, "object": "chat.completion.chunk"}
    told: list[dict] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    told.insert(0, {"index": 0, "delta": {"role": "assistant", "content": ""}})
    told.append({"index": 0, "delta": {}, "finish_reason": finish})
    events = [{**chunk, "choices": [piece]} for piece in told]
    last = {**chunk, "choices": [], "usage": usage}
    return orjson.dumps(whole), _sse(*events, last, b"[DONE]")


def _anthropic(
    blocks: list[dict], deltas: list[list[dict]], reason: str, sequence: str | None = None
) -> tuple[bytes, bytes]:
    usage = {
        "input_tokens": 20,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 0,
        "output_tokens": 30,
    }
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    ending = {"stop_reason": reason, "stop_sequence": sequence}
    whole = {**head, "content": blocks, **ending, "usage": usage}
    first: dict = {**head, "content": [], "stop_reason": None, "stop_sequence": None}
    events: list[dict] = [
        {"type": "message_start", "message": {**first, "usage": {**usage, "output_tokens": 1}}},
        {"type": "ping"},
    ]
    for index, (block, told) in enumerate(zip(blocks, deltas, strict=True)):
        empty = {"text": "", "thinking": "", "signature": "", "input": {}}
        begun = {name: empty.get(name, value) for name, value in block.items()}
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += [{"type": "content_block_delta", "index": index, "delta": d} for d in told]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 30}})
    events.append({"type": "message_stop"})
    return orjson.dumps(whole), _sse(*events, named=True)


def _call(identity: str, name: str, arguments: str) -> dict:
    return {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _calling(*pieces: tuple[int, str, str, str]) -> list[dict]:
    """Return the deltas of tool calls: (index, id, name, arguments), an id once for each."""
    return [
        {
            "tool_calls": [
                {
                    "index": index,
                    **({"id": identity, "type": "function"} if identity else {}),
                    "function": {**({"name": name} if name else {}), "arguments": text},
                }
            ]
        }
        for index, identity, name, text in pieces
    ]


_PARIS, _ROME = '{"city":"Paris"}', '{"city":"Rome","unit":"°C"}'
_BOTH = (ToolUse("call_1", "weather", _PARIS), ToolUse("call_2", "weather", _ROME))


def _openai_scenes() -> Iterator[tuple[str, Told]]:
    words = {"content": "Good day, Zoë."}
    yield (
        "words",
        Told(
            reply(Text("Good day, Zoë.")),
            *_openai(words, [{"content": "Good "}, {"content": "day, Zoë."}], "stop"),
        ),
    )
    yield (
        "cut",
        Told(
            reply(Text("Good"), finish="length"),
            *_openai({"content": "Good"}, [{"content": "Good"}], "length"),
        ),
    )
    calls = [_call("call_1", "weather", _PARIS), _call("call_2", "weather", _ROME)]
    yield (
        "tools",
        Told(
            reply(Text("Let me look."), *_BOTH, finish="tool_calls"),
            *_openai(
                {"content": "Let me look.", "tool_calls": calls},
                [
                    {"content": "Let me look."},
                    *_calling(
                        (0, "call_1", "weather", ""),
                        (0, "", "", _PARIS[:5]),
                        (0, "", "", _PARIS[5:]),
                        (1, "call_2", "weather", _ROME),
                    ),
                ],
                "tool_calls",
            ),
        ),
    )
    yield (
        "interleaved",
        Told(
            reply(*_BOTH, finish="tool_calls"),
            *_openai(
                {"content": None, "tool_calls": calls},
                _calling(
                    (0, "call_1", "weather", _PARIS[:5]),
                    (1, "call_2", "weather", _ROME[:7]),
                    (0, "", "", _PARIS[5:]),
                    (1, "", "", _ROME[7:]),
                ),
                "tool_calls",
            ),
        ),
    )
    yield (
        "thought",
        Told(
            reply(Reasoning("Hm. Four."), Text("4")),
            *_openai(
                {"reasoning_content": "Hm. Four.", "content": "4"},
                [{"reasoning_content": "Hm. "}, {"reasoning_content": "Four."}, {"content": "4"}],
                "stop",
            ),
        ),
    )
    yield "declined", Told(
        reply(Declined("I will not."), finish="content_filter"),
        *_openai({"content": None, "refusal": "I will not."}, [{"refusal": "I will not."}],
                 "content_filter"),
    )  # fmt: skip


def _anthropic_scenes() -> Iterator[tuple[str, Told]]:
    def said(text):
        return {"type": "text_delta", "text": text}

    def argued(text):
        return {"type": "input_json_delta", "partial_json": text}

    def told(*parts, **more):
        return reply(*parts, dialect="anthropic", **more)

    hello = {"type": "text", "text": "Good day, Zoë."}
    yield (
        "words",
        Told(
            told(Text("Good day, Zoë.")),
            *_anthropic([hello], [[said("Good "), said("day, Zoë.")]], "end_turn"),
        ),
    )
    yield (
        "cut",
        Told(
            told(Text("Good"), finish="length"),
            *_anthropic([{"type": "text", "text": "Good"}], [[said("Good")]], "max_tokens"),
        ),
    )
    yield (
        "stopped",
        Told(
            told(Text("Good"), sequence="day"),
            *_anthropic(
                [{"type": "text", "text": "Good"}], [[said("Good")]], "stop_sequence", "day"
            ),
        ),
    )
    look = {"type": "text", "text": "Let me look."}
    calls = [
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
        {
            "type": "tool_use",
            "id": "call_2",
            "name": "weather",
            "input": {"city": "Rome", "unit": "°C"},
        },
    ]
    yield (
        "tools",
        Told(
            told(Text("Let me look."), *_BOTH, finish="tool_calls"),
            *_anthropic(
                [look, *calls],
                [[said("Let me look.")], [argued(_PARIS[:5]), argued(_PARIS[5:])], [argued(_ROME)]],
                "tool_use",
            ),
        ),
    )
    thought = {"type": "thinking", "thinking": "Hm. Four.", "signature": "c2lnbmVk"}
    yield (
        "thought",
        Told(
            told(Reasoning("Hm. Four.", "c2lnbmVk"), Reasoning("", "", "c2VhbGVk"), Text("4")),
            *_anthropic(
                [thought, {"type": "redacted_thinking", "data": "c2VhbGVk"}, {**look, "text": "4"}],
                [
                    [
                        {"type": "thinking_delta", "thinking": "Hm. "},
                        {"type": "thinking_delta", "thinking": "Four."},
                        {"type": "signature_delta", "signature": "c2lnbmVk"},
                    ],
                    [],
                    [said("4")],
                ],
                "end_turn",
            ),
        ),
    )
    yield (
        "declined",
        Told(
            told(Text("I will not."), finish="content_filter"),
            *_anthropic(
                [{"type": "text", "text": "I will not."}], [[said("I will not.")]], "refusal"
            ),
        ),
    )


def _azure_scenes() -> Iterator[tuple[str, Told]]:
    """What OpenAI tells, and what Azure's filter thinks of it."""
    found = {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    prompt = {"prompt_filter_results": [{"prompt_index": 0, **found}]}
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], **prompt}
    for name, told in _openai_scenes():
        whole = orjson.loads(told.whole) | prompt
        whole["choices"][0] |= found
        yield name, Told(told.reply, orjson.dumps(whole), _sse(first) + told.stream, told.stream)


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
        return orjson.dumps({**feedback, **head}), _sse({**feedback, **head})

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
    crlf = _sse(*events).replace(b"\n", b"\r\n")  # as Google ends its lines
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
            told(Text("Let me look."), *_BOTH, finish="tool_calls"),
            *_gemini(
                [text("Let me look."), paris, rome],
                [[text("Let me look.")], [paris], [rome], []],
                "STOP",
            ),
        ),
    )
    signed = {**call("weather", {"city": "Paris"}), "thoughtSignature": "c2lnbmVk"}
    unnamed = ToolUse("call_resp_1_0", "weather", _PARIS)
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


SCENES: dict[tuple[str, str], Told] = {
    (dialect, name): told
    for dialect, scenes in (
        ("openai", _openai_scenes),
        ("anthropic", _anthropic_scenes),
        ("azure-openai", _azure_scenes),
        ("gemini", _gemini_scenes),
    )
    for name, told in scenes()
}
