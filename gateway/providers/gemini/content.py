"""The turns of a conversation as the contents of a request to Gemini. Pure."""

import re
from collections.abc import Sequence

from gateway.exchange import Body
from gateway.providers.conversation import (
    Declined,
    Media,
    Part,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
    Turn,
    arguments,
)
from gateway.providers.fault import BadRequest
from gateway.providers.gemini.signed import SIGNED

_UNSIGNED = "skip_thought_signature_validator"
"""What the API takes in place of a signature, for a call whose own is not known any more."""

_GENERATION = re.compile(r"gemini-(\d+)")
_SIGNING = 3


def contents(turns: Sequence[Turn], model: str) -> list[Body]:
    """Return the contents; what one side says in a row is one, as the API wants it of results."""
    found: list[Body] = []
    names: dict[str, str] = {}
    for turn in turns:
        if turn.role == "system":
            continue
        role = "model" if turn.role == "assistant" else "user"
        parts = _parts(turn.parts, names)
        if found and found[-1]["role"] == role:
            found[-1]["parts"] += parts
        elif parts:
            found.append({"role": role, "parts": parts})
    if not found:
        raise BadRequest("this provider needs a message of the user", "messages")
    if _signs(model):
        _sign(found)
    return found


def generation(model: str) -> int | None:
    """Return the first number of a model's name, such as 3 for gemini-3-pro; None for no number."""
    match = _GENERATION.search(model)
    return int(match[1]) if match else None


def _signs(model: str) -> bool:
    """Tell whether a model refuses calls that it did not sign."""
    number = generation(model)
    return number >= _SIGNING if number is not None else "gemini" in model


def _sign(found: list[Body]) -> None:
    """Sign the first call of each turn that has lost its signature on the way to the client."""
    for content in found:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and not any("thoughtSignature" in part for part in calls):
            calls[0]["thoughtSignature"] = _UNSIGNED


def _parts(parts: Sequence[Part], names: dict[str, str]) -> list[Body]:
    """Return the parts of a turn. Of earlier thoughts only the signature travels, on the part that
    came after it; `names` are those of the tools called so far, by the id of the call."""
    found: list[Body] = []
    signature = ""
    for part in parts:
        if isinstance(part, Reasoning):
            if part.signature.startswith(SIGNED):
                signature = part.signature.removeprefix(SIGNED)
            continue
        told = _part(part, names)
        if told is not None:
            if signature:
                told["thoughtSignature"], signature = signature, ""
            found.append(told)
    if signature:
        found.append({"text": "", "thoughtSignature": signature})
    return found


def _part(
    part: Text | Declined | Media | ToolUse | ToolResult, names: dict[str, str]
) -> Body | None:
    """Return a part; None for empty words."""
    match part:
        case Text(text) | Declined(text):
            return {"text": text} if text else None
        case Media():
            return _media(part)
        case ToolUse(identity, name, text):
            names[identity] = name
            return {"functionCall": {"id": identity, "name": name, "args": _args(text)}}
        case ToolResult():
            return {"functionResponse": _result(part, names)}


def _args(text: str) -> Body:
    try:
        return arguments(text)
    except ValueError as error:
        raise BadRequest(str(error), "messages") from error


def _result(result: ToolResult, names: dict[str, str]) -> Body:
    if result.id not in names:
        raise BadRequest("the result of a tool answers none of the calls before it", "messages")
    text = "".join(part.text for part in result.parts if isinstance(part, Text))
    told: Body = {
        "id": result.id,
        "name": names[result.id],
        "response": {"error" if result.failed else "result": text},
    }
    if media := [_media(part) for part in result.parts if isinstance(part, Media)]:
        told["parts"] = media
    return told


def _media(media: Media) -> Body:
    if media.url:
        kind = {"mimeType": media.media_type} if media.media_type else {}
        return {"fileData": {"fileUri": media.url, **kind}}
    return {"inlineData": {"mimeType": media.media_type, "data": media.data}}
