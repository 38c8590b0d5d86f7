"""The turns of a conversation as the messages of a Converse request. Pure."""

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

_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_SOUNDS = {"audio/wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3", "audio/flac": "flac"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_FORMATS = {"image": _IMAGES, "audio": _SOUNDS, "document": _DOCUMENTS}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_LONGEST_NAME = 200


def messages(turns: Sequence[Turn]) -> list[Body]:
    """Return the messages; what one side says in a row is one message, results of tools first."""
    found: list[Body] = []
    for turn in turns:
        if turn.role == "system":
            continue
        blocks = [block for part in turn.parts if (block := _block(part)) is not None]
        if found and found[-1]["role"] == turn.role:
            found[-1]["content"] += blocks
        elif blocks:
            found.append({"role": turn.role, "content": blocks})
    for message in found:
        message["content"].sort(key=lambda block: "toolResult" not in block)
    if not found:
        raise BadRequest("this provider needs a message of the user", "messages")
    return found


def _block(part: Part) -> Body | None:
    """Return a block; None for empty words, and for thoughts that another vendor signed."""
    match part:
        case Text(text) | Declined(text):
            return {"text": text} if text else None
        case Reasoning():
            return _thought(part)
        case ToolUse(identity, name, text):
            return {"toolUse": {"toolUseId": identity, "name": name, "input": _input(text)}}
        case ToolResult(identity, parts, failed):
            return _result(identity, parts, failed=failed)
        case Media():
            return _media(part)


def _thought(part: Reasoning) -> Body | None:
    if part.sealed:
        return {"reasoningContent": {"redactedContent": part.sealed}}
    if part.signature and not part.signature.startswith(SIGNED):
        signed = {"text": part.text, "signature": part.signature}
        return {"reasoningContent": {"reasoningText": signed}}
    return None


def _input(text: str) -> Body:
    try:
        return arguments(text)
    except ValueError as error:
        raise BadRequest(str(error), "messages") from error


def _result(identity: str, parts: Sequence[Text | Media], *, failed: bool) -> Body:
    blocks = [block for part in parts if (block := _block(part)) is not None]
    told: Body = {"toolUseId": identity, "content": blocks}
    return {"toolResult": {**told, "status": "error"} if failed else told}


def _media(media: Media) -> Body:
    if media.url:
        raise BadRequest("this provider does not fetch what is at an address", "messages")
    form = _FORMATS[media.kind].get(media.media_type)
    if form is None:
        raise BadRequest(
            f"this provider cannot take content of type {media.media_type[:60]}", "messages"
        )
    told: Body = {"format": form, "source": {"bytes": media.data}}
    if media.kind == "document":
        told["name"] = _name(media.name)
    return {media.kind: told}


def _name(given: str) -> str:
    """Return a name that the API takes: a file's ending and its dots are none of it."""
    plain = _NOT_IN_NAMES.sub(" ", given.rpartition(".")[0] or given).strip()
    return plain[:_LONGEST_NAME].strip() or "document"
