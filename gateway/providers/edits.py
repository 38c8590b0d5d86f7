"""Edits of an inspection view, made in the body that the view shows. Pure."""

from collections.abc import Sequence
from typing import Any

from gateway.exchange import NESTED, Body, Edit, Path, View
from gateway.providers import document
from gateway.providers.anthropic import vocabulary as anthropic
from gateway.providers.openai import fields, vocabulary
from gateway.providers.walk import spelled

_RESERVED = vocabulary.FIELDS | fields.CHAT.keys() | fields.EMBEDDINGS.keys() | anthropic.FIELDS


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
