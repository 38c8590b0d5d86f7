"""The inspection view: every string of a body of the Anthropic dialect. Pure.

Leaves, places and keys are as in the OpenAI dialect. The system prompt is read in the role
"system". An image or a document is named by its kind, one that the provider fetches or keeps is a
reference besides; what the provider has encrypted (thinking, what its tools found) is "encrypted".
"""

from gateway.exchange import Body, Endpoint, View
from gateway.providers.anthropic import fields, vocabulary
from gateway.providers.anthropic.readers import API
from gateway.providers.openai.leaves import ANSWER_ROLE, REQUEST_ROLE, TOOLS_ROLE
from gateway.providers.walk import Sheet, Walk, is_silent

SYSTEM_ROLE = "system"

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
        elif key == "tools":
            _tools(walk, value)
        else:
            role = SYSTEM_ROLE if key == "system" else REQUEST_ROLE
            sheet = Sheet(role, key if key in vocabulary.FIELDS else "unknown")
            walk.member(API, (position, key, value), (), sheet)
            walk.close(sheet)
    walk.uninspected += ["reference"] * len(fields.references(body, endpoint))
    return walk.view()


def answer_view(body: Body) -> View:
    """Return every string of an answer; TooDeep as in `view`."""
    walk = Walk()
    sheet = Sheet(ANSWER_ROLE, "answer")
    walk.members(API, body, (), sheet)
    walk.close(sheet)
    return walk.view()


def _messages(walk: Walk, messages: list[Body]) -> None:
    for index, message in enumerate(messages):
        role, content = message["role"], message.get("content")
        plain = len(message) == _ROLE_AND_CONTENT and role in _ROLES
        if plain and isinstance(content, str):  # as most are
            path = ("messages", index, "content")
            walk.text(content, path, role, at=f"messages/{index}/content")
            continue
        sheet = Sheet(role, f"messages/{index}")
        walk.members(API, message, ("messages", index), sheet)
        walk.close(sheet)


def _tools(walk: Walk, tools: list[Body]) -> None:
    for index, tool in enumerate(tools):
        sheet = Sheet(TOOLS_ROLE, f"tools/{index}")
        walk.members(API, tool, ("tools", index), sheet)
        walk.close(sheet)
        if tool.get("type") not in fields.CLIENT_TOOLS:
            walk.uninspected.append("reference")
