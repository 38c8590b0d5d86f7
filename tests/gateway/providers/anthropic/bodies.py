"""Bodies with a string in every place that the dialect knows."""

from gateway.exchange import Body

SEALED = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds0+/" + "A" * 40

CITATIONS: list[Body] = [
    {
        "type": "char_location",
        "cited_text": "cited",
        "document_index": 0,
        "document_title": "a report",
        "start_char_index": 12345678,
        "end_char_index": 12345699,
    },
    {
        "type": "web_search_result_location",
        "cited_text": "found",
        "encrypted_index": SEALED,
        "title": "a page",
        "url": "https://h/p",
    },
    {"type": "search_result_location", "cited_text": "own", "source": "wiki", "title": "a note"},
]

BROWSER: Body = {
    "type": "browser_state",
    "tabs": [{"tab_id": "t1", "title": "home", "url": "https://h", "active": True}],
    "state_changes": [
        {"type": "download_failed", "download_id": "d", "url": "https://h/d", "error": "late"},
        {"type": "download_completed", "download_id": "e", "url": "https://h/e", "path": "e.txt"},
    ],
}

SERVED: list[Body] = [
    {
        "type": "server_tool_use",
        "id": "srv_1",
        "name": "web_search",
        "input": {"query": "weather"},
        "caller": {"type": "code_execution_20250825", "tool_id": "srv_0"},
    },
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srv_1",
        "content": [
            {
                "type": "web_search_result",
                "title": "a page",
                "url": "https://h/p",
                "page_age": "a day",
                "encrypted_content": SEALED,
            }
        ],
    },
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srv_1",
        "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
    },
    {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srv_2",
        "content": {
            "type": "web_fetch_result",
            "url": "https://h/q",
            "retrieved_at": "today",
            "content": {
                "type": "document",
                "title": "q",
                "source": {"type": "text", "media_type": "text/plain", "data": "fetched"},
            },
        },
    },
    {
        "type": "code_execution_tool_result",
        "tool_use_id": "srv_3",
        "content": {
            "type": "encrypted_code_execution_result",
            "encrypted_stdout": SEALED,
            "stderr": "warned",
            "return_code": 0,
            "content": [{"type": "code_execution_output", "file_id": "file_9"}],
        },
    },
    {
        "type": "bash_code_execution_tool_result",
        "tool_use_id": "srv_4",
        "content": {"type": "bash_code_execution_result", "stdout": "out", "stderr": "err"},
    },
    {
        "type": "text_editor_code_execution_tool_result",
        "tool_use_id": "srv_5",
        "content": {
            "type": "text_editor_code_execution_str_replace_result",
            "lines": ["-old", "+new"],
        },
    },
    {
        "type": "tool_search_tool_result",
        "tool_use_id": "srv_6",
        "content": {
            "type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "f"}],
        },
    },
]

REQUEST: Body = {
    "model": "m",
    "max_tokens": 1000,
    "system": [
        {"type": "text", "text": "be kind"},
        {"type": "text", "text": " always", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ],
    "messages": [
        {"role": "user", "content": "plain"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "first"},
                {"type": "text", "text": "second", "citations": CITATIONS},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                    "transformations": {"oversized_image": "error"},
                },
                {"type": "image", "source": {"type": "url", "url": "https://h/i.png"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {
                    "type": "document",
                    "title": "a report",
                    "context": "of last year",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                    "citations": {"enabled": True},
                },
                {"type": "document", "source": {"type": "url", "url": "https://h/d.pdf"}},
                {"type": "document", "source": {"type": "file", "file_id": "file_2"}},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "written"},
                },
                {
                    "type": "document",
                    "source": {
                        "type": "content",
                        "content": [
                            {"type": "text", "text": "part"},
                            {"type": "image", "source": {"type": "url", "url": "https://h/k.png"}},
                        ],
                    },
                },
                {"type": "document", "source": {"type": "content", "content": "whole"}},
                {"type": "document", "source": {"type": "tape", "tape": "reel"}},
                {
                    "type": "search_result",
                    "source": "wiki",
                    "title": "a note",
                    "content": [{"type": "text", "text": "noted"}],
                },
                {"type": "container_upload", "file_id": "file_3"},
                {"type": "hologram", "shape": {"of": "theirs"}},
                {"type": "text", "text": "third"},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": SEALED},
                {"type": "redacted_thinking", "data": SEALED},
                {"type": "text", "text": "let me see"},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "f",
                    "input": {"city": "Paris", "n": [1, "two"]},
                    "caller": {"type": "direct"},
                },
                {
                    "type": "tool_use",
                    "id": "toolu_2",
                    "name": "zoom",
                    "toolset_name": "browser",
                    "input": {},
                },
                *SERVED,
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "toolset_name": "browser",
                    "is_error": False,
                    "content": [
                        {"type": "text", "text": "wet"},
                        {"type": "text", "text": " and cold"},
                        {"type": "image", "source": {"type": "url", "url": "https://h/l.png"}},
                        {"type": "tool_reference", "tool_name": "g"},
                        BROWSER,
                    ],
                },
            ],
        },
        {"role": "system", "content": [{"type": "text", "text": "from now on"}]},
        {"role": "user", "content": "done?", "extra": {"deep": ["x"]}},
    ],
    "tools": [
        {
            "name": "f",
            "description": "says the weather",
            "input_schema": {
                "type": "object",
                "description": "all of it",
                "properties": {"city": {"type": "string", "description": "a town", "enum": ["a"]}},
                "required": ["city"],
            },
            "input_examples": [{"city": "Rome"}],
            "allowed_callers": ["direct", "code_execution_20250825"],
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "custom", "name": "g", "input_schema": {"type": "object"}},
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "allowed_domains": ["example.com"],
            "user_location": {"type": "approximate", "city": "Bonn"},
        },
        {"type": "computer_toolset_20260801", "configs": {"zoom": {"enabled": True, "odd": "y"}}},
    ],
    "tool_choice": {"type": "tool", "name": "f"},
    "metadata": {"user_id": "alice"},
    "output_config": {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {"type": "object", "properties": {"a": {"const": "q"}}, "$comment": "c"},
        },
    },
    "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
    "stop_sequences": ["END", "FIN"],
    "service_tier": "auto",
    "speed": "fast",
    "inference_geo": "us",
    "container": {
        "id": "container_1",
        "skills": [{"skill_id": "s", "type": "custom", "version": "1"}],
    },
    "mcp_servers": [{"type": "url", "name": "hub", "url": "https://h", "authorization_token": "t"}],
    "diagnostics": {"previous_message_id": "msg_0"},
    "temperature": 0.5,
    "stream": True,
    "strange": {"new": ["field", {"of": "theirs"}]},
}

ANSWER: Body = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-2",
    "content": [
        {"type": "thinking", "thinking": "why", "signature": SEALED},
        {"type": "redacted_thinking", "data": SEALED},
        {"type": "text", "text": "Hello", "citations": None},
        {"type": "text", "text": " you", "citations": CITATIONS},
        *SERVED,
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "f",
            "input": {"to": "bob", "n": 1, "list": [{"deep": "er"}]},
        },
        {"type": "container_upload", "file_id": "file_4"},
        {"type": "oracle", "said": "maybe"},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": "END",
    "stop_details": {"type": "refusal", "category": "bio", "explanation": "no"},
    "container": {"id": "container_1", "expires_at": "soon", "skills": None},
    "diagnostics": {
        "cache_miss_reason": {"type": "model_changed", "cache_missed_input_tokens": 12345678}
    },
    "usage": {
        "input_tokens": 12345678,
        "output_tokens": 7,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "server_tool_use": {"web_search_requests": 1},
        "service_tier": "standard",
        "inference_geo": "eu",
    },
    "new": {"in": "answers"},
}
