"""Where a declared system prompt stands in a body of each endpoint that takes one. Pure."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from gateway.exchange import Body, Endpoint

JOINT = "\n\n"
_SYSTEM_ROLES = ("system", "developer")


class Place(StrEnum):
    """Where a prompt stands: before or after the client's own, or instead of it."""

    BEFORE = "before"
    AFTER = "after"
    INSTEAD = "instead"


class Prompt(NamedTuple):
    """A system prompt and its place."""

    text: str
    place: Place = Place.BEFORE

    def applied(self, endpoint: Endpoint, body: Body) -> Body:
        """Return a body with the prompt; as it was where it is none that has a place for it."""
        return PROMPTED[endpoint](body, self)


def _in_messages(body: Body, prompt: Prompt) -> Body:
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    ours = {"role": "system", "content": prompt.text}
    if prompt.place is Place.INSTEAD:
        messages = [message for message in messages if not _is_system(message)]
    at = 0
    while prompt.place is Place.AFTER and at < len(messages) and _is_system(messages[at]):
        at += 1
    return {**body, "messages": [*messages[:at], ours, *messages[at:]]}


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in _SYSTEM_ROLES


def _in_system(body: Body, prompt: Prompt) -> Body:
    own = body.get("system")
    if isinstance(own, list) and prompt.place is not Place.INSTEAD:
        ours = [{"type": "text", "text": prompt.text}]
        both = [*ours, *own] if prompt.place is Place.BEFORE else [*own, *ours]
        return {**body, "system": both}
    return _in_text(body, "system", prompt)


def _in_instructions(body: Body, prompt: Prompt) -> Body:
    return _in_text(body, "instructions", prompt)


def _in_text(body: Body, name: str, prompt: Prompt) -> Body:
    own = body.get(name)
    if not own or prompt.place is Place.INSTEAD:
        return {**body, name: prompt.text}
    if not isinstance(own, str):
        return body
    both = (prompt.text, own) if prompt.place is Place.BEFORE else (own, prompt.text)
    return {**body, name: JOINT.join(both)}


PROMPTED: Mapping[Endpoint, Callable[[Body, Prompt], Body]] = {
    Endpoint.CHAT: _in_messages,
    Endpoint.RESPONSES: _in_instructions,
    Endpoint.MESSAGES: _in_system,
    Endpoint.COUNT_TOKENS: _in_system,
}
"""The endpoints whose bodies have a place for a system prompt."""
