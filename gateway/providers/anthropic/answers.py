"""The answers of the messages API: what policy needs of them, lifted out. Pure."""

import orjson

from gateway.exchange import Answer, Body, Usage
from gateway.providers.anthropic import leaves
from gateway.providers.fault import BadAnswer
from gateway.providers.walk import shown

FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Why an answer ended: the API's words, and those of all dialects."""

_SAID = ("text", "thinking", "name")


def answer(body: Body, usage: Usage | None, *, viewed: bool = True) -> Answer:
    """Return an answer with what policy needs of it lifted out; BadAnswer for a malformed one.

    `finish` is in the words of all dialects, or the provider's own where they have none. The tools
    that are called are named, those that the provider runs itself too. Without `viewed` its strings
    are not gathered: for when no rule looks at answers.
    """
    names = []
    for block in _blocks(body):
        if str(block.get("type")).endswith("tool_use"):
            if not isinstance(block.get("name"), str):
                raise BadAnswer("a tool call of the provider's answer has no name")
            names.append(block["name"])
    view = shown(leaves.answer_view, body, viewed=viewed)
    size = answer_bytes(body) if viewed else 0
    return Answer(body, usage, finish(body.get("stop_reason")), tuple(names), view, size)


def finish(reason: object) -> str:
    """Return a stop reason in the words of all dialects, "" for none."""
    return FINISHES.get(reason, reason) if isinstance(reason, str) else ""


def answer_bytes(body: Body) -> int:
    """Return the bytes of text that the model said: texts, thinking, the names and inputs of tools.

    What the provider's own tools brought in is not counted.
    """
    total = 0
    for block in _blocks(body):
        total += sum(
            len(block[name].encode()) for name in _SAID if isinstance(block.get(name), str)
        )
        total += len(orjson.dumps(block["input"])) if "input" in block else 0
    return total


def _blocks(body: Body) -> list[Body]:
    """Return the content of a message; none of what is no message, as a count of tokens."""
    content = body.get("content")
    blocks = [] if content is None else content
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise BadAnswer("the content of the provider's answer is no list of blocks")
    return blocks
