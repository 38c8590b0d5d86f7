"""How the fields of the Anthropic dialect are read: texts, blocks, what is opaque. Pure.

A reader leaves out a string only where it names in `uninspected` what stands there: the bytes of
an image or a document, what the provider has encrypted. Everything else it does not know is read
as any other JSON. What a tool returned is read in the role "tool", whoever's message it stands in.
"""

import re
from collections.abc import Callable
from typing import Any

from gateway.exchange import Body, Path
from gateway.providers.anthropic import vocabulary
from gateway.providers.openai.readers import FREE, SCHEMA
from gateway.providers.walk import Grammar, Sheet, Walk, place

TOOL_ROLE = "tool"

_TYPE_AND_TEXT = 2
_SEALED = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
"""Base64 as long as a cipher's output; what is shorter, or other, is read as a text."""


def _content(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read a text, a list of blocks, or the one block that some answers of tools are."""
    if isinstance(value, list):
        _blocks(walk, value, path, sheet)
    elif isinstance(value, dict):
        _block(walk, value, path, sheet)
    else:
        _text(walk, value, path, sheet)


def _text(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read a text that is a leaf of its own."""
    if isinstance(value, str):
        walk.text(value, path, sheet.role)
    else:
        walk.value(API, value, path, sheet, field=str(path[-1]))


def _blocks(walk: Walk, blocks: list[Any], path: Path, sheet: Sheet) -> None:
    """Read a list of blocks; texts that follow each other are one leaf, whatever the seams."""
    run = Sheet(sheet.role, place(path))
    for index, block in enumerate(blocks):
        here = (*path, index)
        if isinstance(block, str):
            run.add(block, here)
        elif _type(block) == "text" and isinstance(block.get("text"), str):
            run.add(block["text"], (*here, "text"))
            if len(block) > _TYPE_AND_TEXT:
                walk.members(API, block, here, sheet, skip=("type", "text"))
        else:
            walk.close(run)
            run = Sheet(sheet.role, place(here))
            _block(walk, block, here, sheet)
    walk.close(run)


def _block(walk: Walk, block: Any, path: Path, sheet: Sheet) -> None:
    kind = _type(block)
    if kind not in vocabulary.KNOWN_BLOCKS:
        walk.uninspected.append("other")
    read = _READ.get(kind)
    if read is not None:
        read(walk, block, path, sheet)
    else:
        walk.value(API, block, path, sheet, field="content")


def _media(walk: Walk, block: Body, path: Path, sheet: Sheet) -> None:
    """Read an image or a document: what is said about it, and its text where it is one."""
    source = block.get("source")
    if not isinstance(source, dict):
        walk.uninspected.append("other")
        walk.members(API, block, path, sheet)
        return
    form, here = _type(source), (*path, "source")
    skip: tuple[str, ...] = ()
    if form == "text" and isinstance(source.get("data"), str):
        walk.text(source["data"], (*here, "data"), sheet.role)
        skip = ("data",)
    elif form in _OPAQUE:
        walk.uninspected.append("image" if block["type"] == "image" else "file")
        walk.uninspected += ["reference"] * (form == "url")
        skip = ("data",) if form == "base64" and isinstance(source.get("data"), str) else ()
    elif form != "content":
        walk.uninspected.append("other")
    walk.members(API, source, here, sheet, skip=skip)
    walk.members(API, block, path, sheet, skip=("source",))


def _result(walk: Walk, block: Body, path: Path, sheet: Sheet) -> None:
    """Read what a tool returned; its role is its own."""
    own = Sheet(TOOL_ROLE, place(path))
    walk.members(API, block, path, own)
    walk.close(own)


def _redacted(walk: Walk, block: Body, path: Path, sheet: Sheet) -> None:
    if "data" in block:
        _sealed(walk, block["data"], (*path, "data"), sheet)
    walk.members(API, block, path, sheet, skip=("data",))


def _sealed(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Name what only the provider can read; what does not look so is read as a text."""
    if isinstance(value, str) and _SEALED.fullmatch(value):
        walk.uninspected.append("encrypted")
    else:
        walk.value(API, value, path, sheet, field=str(path[-1]))


def _file_id(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read a file's id; what it holds is with the provider."""
    walk.uninspected += ["reference"] * bool(value)
    walk.value(API, value, path, sheet, field="file_id")


def _input(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read what a tool is called with: JSON of the model's own, a leaf of its own."""
    own = Sheet(sheet.role, place(path))
    walk.value(FREE, value, path, own)
    walk.close(own)


def _schema(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    walk.value(SCHEMA, value, path, sheet)


def _free(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    walk.value(FREE, value, path, sheet)


def _type(block: object) -> str:
    name = block.get("type") if isinstance(block, dict) else None
    return name if isinstance(name, str) else ""


_OPAQUE = frozenset({"base64", "url", "file"})
"""The forms of a source that holds no text."""

_READ: dict[str, Callable[[Walk, Body, Path, Sheet], None]] = {
    "image": _media,
    "document": _media,
    "redacted_thinking": _redacted,
    **dict.fromkeys(vocabulary.RESULTS, _result),
}

API = Grammar(
    vocabulary.FIELDS,
    vocabulary.VALUES,
    vocabulary.NUMBERS,
    {
        "content": _content,
        "system": _content,
        "text": _text,
        "thinking": _text,
        "context": _text,
        "stdout": _text,
        "stderr": _text,
        "input": _input,
        "input_schema": _schema,
        "schema": _schema,
        "input_examples": _free,
        "signature": _sealed,
        "encrypted_content": _sealed,
        "encrypted_index": _sealed,
        "encrypted_stdout": _sealed,
        "file_id": _file_id,
    },
    FREE,
)
"""The bodies of the API."""
