"""What a response says again of the request that it answers, as the API has it. Pure."""

from collections.abc import Mapping
from typing import Any

from gateway.exchange import Body

_USUAL: Body = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "safety_identifier": None,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""The fields that come back as they were sent, and what each is where it was not."""

_FIXED: Body = {"background": False, "previous_response_id": None, "prompt": None, "store": False}
"""What may not be asked for, since nothing is left with a provider."""

_PLAIN: Body = {"type": "text"}


def told_again(asked: Mapping[str, Any]) -> Body:
    """Return the fields of a response that tell what was asked for."""
    told = {
        name: usual if asked.get(name) is None else asked[name] for name, usual in _USUAL.items()
    }
    if asked.get("prompt_cache_key") is not None:
        told["prompt_cache_key"] = asked["prompt_cache_key"]
    text, reasoning = asked.get("text") or {}, asked.get("reasoning") or {}
    return {
        **_FIXED,
        **told,
        "reasoning": {"effort": None, "summary": None, **reasoning},
        "text": {**text, "format": text.get("format") or _PLAIN},
        "tools": [_tool(tool) for tool in asked.get("tools") or ()],
    }


def _tool(tool: Body) -> Body:
    """Return a tool with the fields that its type must have, set or not."""
    if tool.get("type") != "function":
        return tool
    strict = tool.get("strict")
    return {"description": None, "parameters": None, **tool, "strict": bool(strict)}
