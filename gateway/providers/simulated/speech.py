"""What the simulated provider has to say: words, calls of tools, objects of a schema. Pure.

A token is a word of at most eight letters with the space before it, or eight letters of a longer
one: never less than a byte, so that every bound that holds for real tokens holds for these.
"""

import re
from typing import Any, NamedTuple

from gateway.exchange import Body, Endpoint
from gateway.providers import document
from gateway.providers.openai import leaves

_TOKEN = re.compile(r"\s*\S{1,8}|\s+")
_MESSAGE_TOKENS = 4
_QUOTED = 200
_DEEPEST = 8


class Called(NamedTuple):
    """A tool that is called: its name, and its arguments in tokens."""

    name: str
    arguments: tuple[str, ...]


class Speech(NamedTuple):
    """One choice: its text in tokens, or the tools that it calls instead; `cut` when capped."""

    text: tuple[str, ...]
    calls: tuple[Called, ...] = ()
    cut: bool = False

    @property
    def length(self) -> int:
        """How many tokens it counts; a call counts one for its name."""
        return len(self.text) + sum(1 + len(call.arguments) for call in self.calls)


def tokens(text: str) -> tuple[str, ...]:
    """Return a text cut into what this provider counts; joined they are the text again."""
    return tuple(_TOKEN.findall(text))


def input_tokens(body: Body, endpoint: Endpoint) -> int:
    """Return what the request counts: its words, and four for each message."""
    view = leaves.view(body, endpoint)
    words = sum(len(tokens(leaf.text)) for leaf in view.leaves)
    return max(1, words + _MESSAGE_TOKENS * len(body.get("messages", ())))


def speech(body: Body, model: str, index: int) -> Speech:
    """Return what the choice of that index says, of at most as many tokens as are asked for."""
    cap = body.get("max_completion_tokens") or body.get("max_tokens")
    if model == "simulated-echo":
        whole = Speech(tokens(last_text(body, "user")))
    else:
        calls = tuple(_call(function, body) for function in _called(body))
        whole = Speech(() if calls else tokens(_text(body, model, index)), calls)
    return whole if cap is None or whole.length <= cap else _capped(whole, cap)


def _capped(whole: Speech, cap: int) -> Speech:
    calls: list[Called] = []
    left = cap
    for call in whole.calls:
        if left > 0:
            calls.append(Called(call.name, call.arguments[: left - 1]))
            left -= 1 + len(call.arguments)
    return Speech(whole.text[:cap], tuple(calls), cut=True)


def last_text(body: Body, *roles: str) -> str:
    """Return the text of the last message of these roles, its parts joined, or ""."""
    for message in reversed(body["messages"]):
        if message["role"] in roles:
            content = message.get("content") or ""
            parts = [content] if isinstance(content, str) else [_part(part) for part in content]
            return "".join(parts)
    return ""


def example(schema: object, word: str, depth: int = 0) -> Any:
    """Return a value that a JSON schema allows, as plain as it can be; strings are `word`."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return word
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    for name in ("enum", "examples"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list) and schema[name]:
            return example(schema[name][0], word, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _example_of(kind[0] if isinstance(kind, list) and kind else kind, schema, word, depth)


def _example_of(kind: object, schema: Body, word: str, depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties")
        given = properties if isinstance(properties, dict) else {}
        return {name: example(one, word, depth + 1) for name, one in given.items()}
    if kind == "array":
        return [example(schema["items"], word, depth + 1)] if "items" in schema else []
    plain = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(kind, word) if isinstance(kind, str) else word


def _text(body: Body, model: str, index: int) -> str:
    asked = last_text(body, "user")
    shape = _object(body, "response_format")
    if shape.get("type") == "json_object":
        return document.dump({"answer": _quote(asked), "model": model, "characters": len(asked)})
    if shape.get("type") == "json_schema":
        schema = _object(shape, "json_schema").get("schema")
        return document.dump(example(schema, _quote(asked) or "simulated"))
    if body["messages"][-1]["role"] in {"tool", "function"}:
        result = last_text(body, "tool", "function")
        return f'The tool answered: "{_quote(result)}". That should help with "{_quote(asked)}".'
    once_more = f" This is choice {index + 1}." if index else ""
    return (
        f'Hello! You wrote "{_quote(asked)}", which is {len(asked)} characters long. '
        f"I am {model}, a model that is only simulated.{once_more}"
    )


def _object(body: Body, name: str) -> Body:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _quote(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _QUOTED else plain[: _QUOTED - 1] + "…"


def _part(part: Body) -> str:
    text = part.get("text", "")
    return text if isinstance(text, str) else ""


def _called(body: Body) -> list[Body]:
    """Return the functions to call: the named one, the first if one must be, those asked for.

    After a tool has answered, none: a conversation would never end.
    """
    functions = [tool["function"] for tool in body.get("tools") or () if tool.get("function")]
    choice = body.get("tool_choice")
    if not functions or choice == "none" or body["messages"][-1]["role"] == "tool":
        return []
    if isinstance(choice, dict):
        named = _object(choice, "function").get("name")
        return [function for function in functions if function["name"] == named]
    asked = last_text(body, "user")
    mentioned = [function for function in functions if function["name"] in asked]
    return mentioned or (functions[:1] if choice == "required" else [])


def _call(function: Body, body: Body) -> Called:
    word = _quote(last_text(body, "user")) or "simulated"
    arguments = example(function.get("parameters") or {"type": "object"}, word)
    return Called(function["name"], tokens(document.dump(arguments)))
