"""Bodies of the responses API with a string in every place that it knows."""

from gateway.exchange import Body

SEALED = "c2VhbGVk" * 8
FERNET = "gAAAAABo" + "x_-9" * 20
DATA = "data:image/png;base64,iVBORw0KGgo="

REQUEST: Body = {
    "model": "m",
    "instructions": "be kind",
    "input": [
        {"role": "developer", "content": "from now on"},
        {
            "type": "message",
            "id": "msg_0",
            "status": "completed",
            "role": "user",
            "phase": "commentary",
            "content": [
                {"type": "input_text", "text": "first"},
                {"type": "input_text", "text": "second"},
                {"type": "input_image", "image_url": "https://h/i.png", "detail": "low"},
                {"type": "input_image", "file_id": "file-1"},
                {"type": "input_file", "file_data": "JVBERi0=", "filename": "f.pdf"},
                {"type": "input_file", "file_url": "https://h/f.pdf"},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "input_video", "video": {"url": "https://h/v.mp4"}},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "content": [{"type": "reasoning_text", "text": "so"}],
            "encrypted_content": "open",
        },
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "content": [
                {
                    "type": "output_text",
                    "text": "said",
                    "annotations": [
                        {"type": "url_citation", "title": "t", "url": "https://h", "start_index": 0}
                    ],
                    "logprobs": [{"token": "sa", "logprob": -1, "bytes": [1], "top_logprobs": []}],
                },
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "weather",
            "namespace": "sky",
            "arguments": '{"city": "Paris", "n": ["two"]}',
            "caller": {"type": "program", "caller_id": "p_1"},
        },
        {"type": "custom_tool_call", "call_id": "call_2", "name": "shout", "input": "free"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        {
            "type": "custom_tool_call_output",
            "call_id": "call_2",
            "output": [{"type": "input_text", "text": "loud"}],
        },
        {
            "type": "mcp_call",
            "id": "mcp_1",
            "server_label": "s",
            "name": "look",
            "arguments": '{"q": "w"}',
            "output": "found",
            "error": "e",
        },
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "short"},
        {"type": "compaction", "encrypted_content": "clear"},
    ],
    "tools": [
        {
            "type": "function",
            "name": "weather",
            "description": "The weather.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "A town."}},
                "required": ["city"],
            },
            "output_schema": {"type": "object", "properties": {"sky": {"type": "string"}}},
            "strict": True,
        },
        {
            "type": "custom",
            "name": "shout",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: WORD"},
        },
        {"type": "mcp", "server_label": "s", "server_url": "https://m", "headers": {"a": "b"}},
    ],
    "tool_choice": {"type": "function", "name": "weather"},
    "parallel_tool_calls": False,
    "text": {
        "format": {
            "type": "json_schema",
            "name": "answer",
            "description": "An answer.",
            "schema": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
        "verbosity": "low",
    },
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content", "elsewhere"],
    "max_output_tokens": 9_000_000,
    "max_tool_calls": 3,
    "temperature": 0.5,
    "top_p": 0.9,
    "truncation": "auto",
    "metadata": {"ticket": "T-1"},
    "user": "alice",
    "prompt_cache_key": "k",
    "service_tier": "auto",
    "store": False,
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "strange": {"new": "field", "of": "theirs"},
}

USAGE: Body = {
    "input_tokens": 120,
    "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 150,
}

ANSWER: Body = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1767225600,
    "completed_at": 1767225601,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": "be kind",
    "model": "gpt",
    "metadata": {"ticket": "T-1"},
    "output": [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "open",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {
                    "type": "output_text",
                    "text": "Good day.",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "title": "t",
                            "url": "https://h",
                            "start_index": 0,
                            "end_index": 4,
                        }
                    ],
                    "logprobs": [
                        {
                            "token": "Good",
                            "logprob": -0.1,
                            "bytes": [71],
                            "top_logprobs": [{"token": "Bad", "logprob": -2.0, "bytes": [66]}],
                        },
                        {"token": " day.", "logprob": -0.1, "bytes": [32], "top_logprobs": []},
                    ],
                },
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city":"Paris"}',
            "status": "completed",
        },
        {
            "type": "custom_tool_call",
            "id": "ctc_1",
            "call_id": "call_2",
            "name": "shout",
            "input": "free",
            "status": "completed",
        },
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search", "query": "sky", "queries": ["sky"]},
        },
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [
        {
            "type": "function",
            "name": "weather",
            "description": "The weather.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            "strict": True,
        }
    ],
    "text": {"format": {"type": "text"}},
    "reasoning": {"effort": "low", "summary": "auto"},
    "usage": USAGE,
}
