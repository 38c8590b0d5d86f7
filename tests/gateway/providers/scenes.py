"""What models answer, told as OpenAI and Anthropic tell it: whole and as a stream. Each scene is
one reply, and what every dialect must make of it; `scenes_clouds` has those of the clouds."""

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
        "bedrock": ("", ""),
    }[dialect]
    return Reply(identity, model, (Spoken(parts, finish, sequence),), usage)


def sse(*events: Any, named: bool = False) -> bytes:
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
    return orjson.dumps(whole), sse(*events, last, b"[DONE]")


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
    return orjson.dumps(whole), sse(*events, named=True)


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


PARIS, ROME = '{"city":"Paris"}', '{"city":"Rome","unit":"°C"}'
BOTH = (ToolUse("call_1", "weather", PARIS), ToolUse("call_2", "weather", ROME))


def openai_scenes() -> Iterator[tuple[str, Told]]:
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
    calls = [_call("call_1", "weather", PARIS), _call("call_2", "weather", ROME)]
    yield (
        "tools",
        Told(
            reply(Text("Let me look."), *BOTH, finish="tool_calls"),
            *_openai(
                {"content": "Let me look.", "tool_calls": calls},
                [
                    {"content": "Let me look."},
                    *_calling(
                        (0, "call_1", "weather", ""),
                        (0, "", "", PARIS[:5]),
                        (0, "", "", PARIS[5:]),
                        (1, "call_2", "weather", ROME),
                    ),
                ],
                "tool_calls",
            ),
        ),
    )
    yield (
        "interleaved",
        Told(
            reply(*BOTH, finish="tool_calls"),
            *_openai(
                {"content": None, "tool_calls": calls},
                _calling(
                    (0, "call_1", "weather", PARIS[:5]),
                    (1, "call_2", "weather", ROME[:7]),
                    (0, "", "", PARIS[5:]),
                    (1, "", "", ROME[7:]),
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


def anthropic_scenes() -> Iterator[tuple[str, Told]]:
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
            told(Text("Let me look."), *BOTH, finish="tool_calls"),
            *_anthropic(
                [look, *calls],
                [[said("Let me look.")], [argued(PARIS[:5]), argued(PARIS[5:])], [argued(ROME)]],
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
