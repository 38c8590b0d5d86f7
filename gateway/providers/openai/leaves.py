"""The inspection view: every string of a body of the OpenAI dialect. Pure.

Long texts (a message's content, a refusal, reasoning) are leaves of their own, their adjacent
parts joined. The short strings of one thing (a message's names and ids, the arguments of one tool
call, one tool's definition, one other field) are one leaf with a line each, `key: value`, so that
a value is read beside its name. Keys that a client chose are segments like the values: an integer
step into an object is the key at that position. Places name no key that a client chose.

Numbers of seven digits and more count as strings, except where the API has a number: a card's
number is one without its quotes too.
"""

from typing import Any

from gateway.exchange import Body, Endpoint, View
from gateway.providers.openai import fields, vocabulary
from gateway.providers.openai.readers import API
from gateway.providers.walk import Sheet, Walk, is_silent

REQUEST_ROLE = "request"
TOOLS_ROLE = "tools"
ANSWER_ROLE = "assistant"
"""Who says what no message holds: the caller, the definitions of tools, the model."""

_TEXTS = {
    Endpoint.EMBEDDINGS: "input",
    Endpoint.MODERATIONS: "input",
    Endpoint.COMPLETIONS: "prompt",
    Endpoint.IMAGES: "prompt",
    Endpoint.SPEECH: "input",
    Endpoint.TRANSCRIPTIONS: "prompt",
}
"""The field of each endpoint that holds texts, or the numbers of tokens."""

_ROLE_AND_CONTENT = 2
_ROLES = vocabulary.VALUES["role"]


def view(body: Body, endpoint: Endpoint) -> View:
    """Return every string of a parsed request; TooDeep for one nested beyond what is walked.

    `model` is left out: it is looked up in the catalogue, and never travels.
    """
    walk = Walk()
    for position, (key, value) in enumerate(body.items()):
        if key == "model" or (key in vocabulary.FIELDS and is_silent(value)):
            continue
        if key == "messages":
            _messages(walk, value)
        elif key in {"tools", "functions"}:
            read_tools(walk, key, value)
        elif key == _TEXTS.get(endpoint):
            _texts(walk, key, value)
        else:
            sheet = Sheet(REQUEST_ROLE, key if key in vocabulary.FIELDS else "unknown")
            walk.member(API, (position, key, value), (), sheet)
            walk.close(sheet)
    walk.uninspected += ["reference"] * len(fields.references(body, endpoint))
    return walk.view()


def answer_view(body: Body) -> View:
    """Return every string of an answer, all choices; TooDeep as in `view`."""
    walk = Walk()
    sheet = Sheet(ANSWER_ROLE, "answer")
    walk.members(API, body, (), sheet)
    walk.close(sheet)
    return walk.view()


def _messages(walk: Walk, messages: list[Body]) -> None:
    for index, message in enumerate(messages):
        role, content = message["role"], message.get("content")
        plain = len(message) == _ROLE_AND_CONTENT and role in _ROLES
        if plain and isinstance(content, str):  # as most are: a fourth of the time
            path = ("messages", index, "content")
            walk.text(content, path, role, at=f"messages/{index}/content")
            continue
        sheet = Sheet(role, f"messages/{index}")
        walk.members(API, message, ("messages", index), sheet)
        walk.close(sheet)


def read_tools(walk: Walk, key: str, tools: list[Body]) -> None:
    """Read definitions of tools; those that the provider runs bring in what nobody sees here."""
    for index, tool in enumerate(tools):
        sheet = Sheet(TOOLS_ROLE, f"{key}/{index}")
        walk.members(API, tool, (key, index), sheet)
        walk.close(sheet)
        if key == "tools" and tool.get("type") not in fields.CLIENT_TOOLS:
            walk.uninspected.append("reference")


def _texts(walk: Walk, key: str, value: Any) -> None:
    """Read texts, or parts as those of a message; the numbers of tokens cannot be read."""
    if isinstance(value, str):
        walk.text(value, (key,), "user")
        return
    if not isinstance(value, list) or any(isinstance(item, dict) for item in value):
        sheet = Sheet("user", key)
        API.readers["content"](walk, value, (key,), sheet)
        walk.close(sheet)
        return
    for index, item in enumerate(value):
        if isinstance(item, str):
            walk.text(item, (key, index), "user")
        elif isinstance(item, list) or index == 0:
            walk.uninspected.append("tokens")
