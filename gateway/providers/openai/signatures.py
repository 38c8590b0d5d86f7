"""Signatures of thoughts in chat messages and tool calls, where Google's own endpoint for OpenAI's
clients has them: `extra_content.google.thought_signature`. Pure.

A client that sends its messages back as they came brings the signatures back; no other vendor is
shown them.
"""

from collections.abc import Sequence
from typing import Any

from gateway.exchange import Body
from gateway.providers.conversation import Reasoning
from gateway.providers.fault import BadRequest
from gateway.providers.gemini.signed import SIGNED

FIELD = "extra_content"


def told(signature: str) -> Body:
    """Return the field that tells a signature; none for another vendor's, and for no signature."""
    if not signature.startswith(SIGNED):
        return {}
    return {FIELD: {"google": {"thought_signature": signature.removeprefix(SIGNED)}}}


def read(node: Body, param: str) -> str:
    """Return the signature that a client's message or call bears, "" for none."""
    match node.get(FIELD):
        case {"google": {"thought_signature": value}} if not isinstance(value, str):
            raise BadRequest(f"{param}.{FIELD} holds no signature", f"{param}.{FIELD}")
    return heard(node)


def heard(node: Body) -> str:
    """Return the signature that a provider's message or call bears, "" for none, and for what is
    none."""
    match node.get(FIELD):
        case {"google": {"thought_signature": str(signature)}} if signature:
            return SIGNED + signature
    return ""


def thoughts(text: object, signature: str) -> list[Reasoning]:
    """Return what was thought, by its words and its signature; none where there is neither."""
    words = text if isinstance(text, str) else ""
    return [Reasoning(words, signature)] if words or signature else []


def without(messages: Sequence[Any]) -> list[Any]:
    """Return messages without signatures, for a vendor that does not know the field."""
    return [_bare(message) for message in messages]


def _bare(message: Body) -> Body:
    calls = message.get("tool_calls") or ()
    if FIELD not in message and not any(FIELD in call for call in calls):
        return message
    bare = {name: value for name, value in message.items() if name != FIELD}
    if calls:
        bare["tool_calls"] = [
            {name: value for name, value in call.items() if name != FIELD} for call in calls
        ]
    return bare
