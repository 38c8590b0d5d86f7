"""The inspection view of requests and answers of the responses API. Pure.

Leaves, places and keys are as in the chat API, whose grammar is the same. Instructions are read in
the role "system", what a tool put out in the role "tool". An item of a type that is none of a
message, of a client's tools or of reasoning is read as JSON, and named "other".
"""

from typing import Any

from gateway.exchange import Body, Endpoint, Path, View
from gateway.providers.openai import vocabulary
from gateway.providers.openai.leaves import ANSWER_ROLE, REQUEST_ROLE, read_tools
from gateway.providers.openai.readers import API
from gateway.providers.responses import inside
from gateway.providers.walk import Sheet, Walk, is_silent, words

SYSTEM_ROLE = "system"
TOOL_ROLE = "tool"

KNOWN_ITEMS = words(
    "message reasoning function_call function_call_output custom_tool_call custom_tool_call_output"
)
_ROLES = vocabulary.VALUES["role"]


def view(body: Body, endpoint: Endpoint) -> View:
    """Return every string of a parsed request; TooDeep for one nested beyond what is walked.

    `model` is left out: it is looked up in the catalogue, and never travels.
    """
    walk = Walk()
    for position, (key, value) in enumerate(body.items()):
        if key == "model" or (key in vocabulary.FIELDS and is_silent(value)):
            continue
        if key == "input" and isinstance(value, str):
            walk.text(value, ("input",), "user")
        elif key == "input" and isinstance(value, list):
            _items(walk, value, ("input",))
        elif key == "tools" and isinstance(value, list):
            read_tools(walk, key, value)
        else:
            sheet = Sheet(_top_role(key), key if key in vocabulary.FIELDS else "unknown")
            walk.member(API, (position, key, value), (), sheet)
            walk.close(sheet)
    return walk.view()


def answer_view(body: Body) -> View:
    """Return every string of an answer; TooDeep as in `view`."""
    walk = Walk()
    sheet = Sheet(ANSWER_ROLE, "answer")
    listed = isinstance(body.get("output"), list)
    walk.members(API, body, (), sheet, skip=("output",) if listed else ())
    walk.close(sheet)
    if listed:
        _items(walk, body["output"], ("output",), answered=True)
    return walk.view()


def role(item: Body) -> str:
    """Return in whose role an item of the input is read."""
    kind = inside.kind(item)
    if kind == "message":
        said_by = item.get("role")
        return said_by if isinstance(said_by, str) and said_by in _ROLES else "user"
    return TOOL_ROLE if kind.endswith("_output") else ANSWER_ROLE


def _top_role(key: str) -> str:
    return SYSTEM_ROLE if key == "instructions" else REQUEST_ROLE


def _items(walk: Walk, items: list[Any], path: Path, *, answered: bool = False) -> None:
    for index, item in enumerate(items):
        place = f"{path[0]}/{index}"
        if not isinstance(item, dict):
            sheet = Sheet(ANSWER_ROLE, place)
            walk.value(API, item, (*path, index), sheet, field="output")
        else:
            if inside.kind(item) not in KNOWN_ITEMS:
                walk.uninspected.append("other")
            sheet = Sheet(ANSWER_ROLE if answered else role(item), place)
            walk.members(API, item, (*path, index), sheet)
        walk.close(sheet)
