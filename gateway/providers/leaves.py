"""The inspection view: every string of a body, and how it is replaced there. Pure.

Long texts (a message's content, a refusal, reasoning) are leaves of their own, their adjacent
parts joined. The short strings of one thing (a message's names and ids, the arguments of one tool
call, one tool's definition, one other field) are one leaf with a line each, `key: value`, so that
a value is read beside its name. Keys that a client chose are segments like the values: an integer
step into an object is the key at that position. Places name no key that a client chose.

Numbers of seven digits and more count as strings, except where the API has a number: a card's
number is one without its quotes too.
"""

from collections.abc import Sequence
from typing import Any

from gateway.exchange import NESTED, Body, Edit, Endpoint, Path, View
from gateway.providers import document, openai_fields, vocabulary
from gateway.providers.readers import API
from gateway.providers.walk import Sheet, Walk, is_silent, spelled

REQUEST_ROLE = "request"
TOOLS_ROLE = "tools"
ANSWER_ROLE = "assistant"
"""Who says what no message holds: the caller, the definitions of tools, the model."""

_ROLE_AND_CONTENT = 2
_RESERVED = vocabulary.FIELDS | openai_fields.CHAT.keys() | openai_fields.EMBEDDINGS.keys()
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
            _tools(walk, key, value)
        elif key == "input" and endpoint is Endpoint.EMBEDDINGS:
            _inputs(walk, value)
        else:
            sheet = Sheet(REQUEST_ROLE, key if key in vocabulary.FIELDS else "unknown")
            walk.member(API, (position, key, value), (), sheet)
            walk.close(sheet)
    walk.uninspected += ["reference"] * len(openai_fields.references(body, endpoint))
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


def _tools(walk: Walk, key: str, tools: list[Body]) -> None:
    for index, tool in enumerate(tools):
        sheet = Sheet(TOOLS_ROLE, f"{key}/{index}")
        walk.members(API, tool, (key, index), sheet)
        walk.close(sheet)
        if key == "tools" and tool.get("type") not in openai_fields.CLIENT_TOOLS:
            walk.uninspected.append("reference")


def _inputs(walk: Walk, value: str | list[object]) -> None:
    """Read the texts to embed; the numbers of tokens cannot be read."""
    if isinstance(value, str):
        walk.text(value, ("input",), "user")
        return
    for index, item in enumerate(value):
        if isinstance(item, str):
            walk.text(item, ("input", index), "user")
        elif isinstance(item, list) or index == 0:
            walk.uninspected.append("tokens")


def apply(body: Body, view: View, edits: Sequence[Edit]) -> Body:
    """Return the body with these edits made; what no edit touches is shared with the original.

    A replacement goes to the segment that holds its start; what the edit covers of later segments
    is removed. ValueError for edits that are empty, overlap or lie outside. An edited number
    becomes a string; a key that becomes another or a field of the API gets a number.
    """
    spans: dict[Path, list[_Span]] = {}
    last = (-1, 0)
    for edit in sorted(edits, key=lambda edit: (edit.leaf, edit.start, edit.end)):
        begin, end = (edit.leaf, edit.start), (edit.leaf, edit.end)
        if not last <= begin < end or edit.start < 0 or edit.end > len(view.leaves[edit.leaf].text):
            raise ValueError("edits are empty, overlap or lie outside of their leaf")
        last = end
        _spread(edit, view, spans)
    changes: _Changes = {}
    for path, found in spans.items():
        node = changes
        for step in path[:-1]:
            node = node.setdefault(step, {})
        node[path[-1]] = found
    return _rebuild_object(body, changes)


_Span = tuple[int, int, str]
_Changes = dict[str | int, Any]
"""What changes below a node: the same again for each step, or the spans of the string there."""


def _spread(edit: Edit, view: View, spans: dict[Path, list[_Span]]) -> None:
    """Note an edit at the segments that it covers."""
    text = edit.text
    for segment in view.segments[edit.leaf]:
        if segment.start < edit.end and edit.start < segment.end:
            start = max(edit.start, segment.start) - segment.start
            end = min(edit.end, segment.end) - segment.start
            spans.setdefault(segment.path, []).append((start, end, text))
            text = ""


def _rebuild(node: object, changes: _Changes | list[_Span]) -> object:
    if isinstance(changes, list):
        return _splice(spelled(node), changes)
    if isinstance(node, dict):
        return _rebuild_object(node, changes)
    if isinstance(node, list):
        copy = list(node)
        for index, change in changes.items():
            copy[int(index)] = _rebuild(copy[int(index)], change)
        return copy
    return document.dump(_rebuild(document.load(spelled(node)), changes[NESTED]))


def _rebuild_object(node: Body, changes: _Changes) -> Body:
    copy: Body = {}
    for position, (key, child) in enumerate(node.items()):
        free = name = _splice(key, changes[position]) if position in changes else key
        number = 2
        while free in copy or (free in _RESERVED and position in changes):
            free, number = f"{name}_{number}", number + 1
        copy[free] = _rebuild(child, changes[key]) if key in changes else child
    if "token" in changes and "logprob" in copy:
        copy["bytes"] = None  # they spell what was just taken out of the token
    return copy


def _splice(text: str, spans: list[_Span]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, replacement in spans:
        pieces += (text[done:start], replacement)
        done = end
    return "".join((*pieces, text[done:]))
