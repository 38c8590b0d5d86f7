"""Bodies with a string in every place that the dialect knows, and ways to reach each of them."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from gateway.exchange import NESTED, Body, Path

REQUEST: Body = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "be kind", "name": "operator"},
        {"role": "developer", "content": [{"type": "text", "text": "dev"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "first"},
                {"type": "text", "text": "second", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://h/i.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": "https://h/j.png"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:x;base64,AA"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "video_url", "video_url": {"url": "https://h/v.mp4"}},
                {"type": "text", "text": "third"},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "refusal": "no",
            "reasoning_content": "hm",
            "audio": {"id": "audio_1"},
            "function_call": {"name": "old", "arguments": '{"q": ["deep", {"key": "value"}]}'},
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"city": "Paris", "n": [1, "two"]}'},
                },
                {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{x"}},
                {"id": "call_3", "type": "custom", "custom": {"name": "c", "input": "free"}},
            ],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "never"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "wet"}]},
        {"role": "function", "name": "old", "content": "done", "extra": {"deep": ["x"]}},
        {"role": "user", "content": "plain"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "says the weather",
                "parameters": {
                    "type": "object",
                    "description": "all of it",
                    "properties": {
                        "city": {"type": "string", "description": "a town", "enum": ["a", "b"]},
                        "n": {"type": "array", "items": {"type": "string", "default": "z"}},
                    },
                    "required": ["city"],
                    "additionalProperties": False,
                },
                "strict": True,
            },
        },
        {
            "type": "custom",
            "custom": {
                "name": "c",
                "description": "d",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "s: x"}},
            },
        },
        {"type": "web_search", "filters": {"domains": ["example.com"]}},
    ],
    "functions": [{"name": "old", "description": "older", "parameters": {"type": "object"}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "shape",
            "description": "of it",
            "schema": {"type": "object", "properties": {"a": {"const": "q"}}, "$comment": "c"},
        },
    },
    "prediction": {"type": "content", "content": [{"type": "text", "text": "guess"}]},
    "metadata": {"ticket": "T-1"},
    "stop": ["END", "FIN"],
    "user": "alice",
    "safety_identifier": "s-1",
    "prompt_cache_key": "k",
    "service_tier": "auto",
    "reasoning_effort": "low",
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Bonn"}},
    },
    "logit_bias": {"50256": -100},
    "seed": 12345678901,
    "temperature": 0.5,
    "stream": True,
    "previous_response_id": "resp_1",
    "strange": {"new": ["field", {"of": "theirs"}]},
}

ANSWER: Body = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "m-2",
    "system_fingerprint": "fp_1",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello you",
                "refusal": "no",
                "reasoning": "why",
                "reasoning_content": "because",
                "annotations": [
                    {"type": "url_citation", "url_citation": {"title": "t", "url": "https://h"}}
                ],
                "audio": {"id": "audio_1", "data": "AAAA", "transcript": "said"},
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"to": "bob", "n": 1}'},
                    }
                ],
                "function_call": {"name": "old", "arguments": '["a"]'},
            },
            "logprobs": {
                "content": [
                    {
                        "token": "Hel",
                        "logprob": -0.1,
                        "bytes": [72],
                        "top_logprobs": [
                            {"token": "Hel", "logprob": -0.1, "bytes": [72]},
                            {"token": "Hey", "logprob": -2.0, "bytes": None},
                        ],
                    },
                    {"token": "lo", "logprob": -0.2, "bytes": None, "odd": "x"},
                ],
                "refusal": None,
                "other": "y",
            },
            "finish_reason": "stop",
        },
        {
            "index": 1,
            "message": {
                "role": "assistant",
                "content": [
                    "loose",
                    {"type": "thinking", "thinking": [{"type": "text", "text": "th"}]},
                ],
            },
            "finish_reason": "length",
        },
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "note": "n"},
}

EMBEDDED: Body = {
    "object": "list",
    "model": "e",
    "data": [
        {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]},
        {"object": "embedding", "index": 1, "embedding": "zczMPQ=="},
        {"object": "embedding", "index": 2, "embedding": ["text", 1]},
    ],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}


def strings(node: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string of a body and, in JSON within a string, every string of that."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from strings(child, (*path, key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from strings(child, (*path, index))
    elif isinstance(node, str):
        inner = nested(node) if path[-1] == "arguments" else None
        if inner is None:
            yield path, node
        else:
            yield from strings(inner, (*path, NESTED))


def nested(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def planted(node: Any, path: Path, value: object) -> Any:
    """The same body with another value at a path; an independent, slower `apply`."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if step == NESTED and isinstance(node, str):
        return json.dumps(planted(json.loads(node), rest, value))
    changed = copy.copy(node)
    changed[step] = planted(changed[step], rest, value)
    return changed


def get(node: Any, path: Path) -> Any:
    for step in path:
        node = json.loads(node) if step == NESTED and isinstance(node, str) else node[step]
    return node
