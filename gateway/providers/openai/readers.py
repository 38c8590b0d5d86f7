"""How the fields of the OpenAI dialect are read: texts, parts, nested JSON, what is opaque. Pure.

A reader leaves out a string only where it names in `uninspected` what stands there: the bytes of
an image, of audio, of a file. Everything else it does not know is read as any other JSON.
"""

import re
from typing import Any

from gateway.exchange import NESTED, Body, Path
from gateway.providers import document
from gateway.providers.openai import vocabulary
from gateway.providers.walk import Grammar, Reader, Sheet, Walk, place

_TYPE_AND_TEXT = 2
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_SEALED = re.compile(r"gAAAA[A-Za-z0-9_-]{40,}={0,2}|[A-Za-z0-9+/]{40,}={0,2}")
"""What only the provider can read, as long as a cipher's output; all else is read as a text."""


def _content(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read a text, or a list of parts."""
    if isinstance(value, str):
        walk.text(value, path, sheet.role)
    elif isinstance(value, list):
        _parts(walk, value, path, sheet)
    else:
        walk.value(API, value, path, sheet, field="content")


def _parts(walk: Walk, parts: list[Any], path: Path, sheet: Sheet) -> None:
    """Read a list of parts; texts that follow each other are one leaf, whatever the seams."""
    run = Sheet(sheet.role, place(path))
    for index, part in enumerate(parts):
        here = (*path, index)
        field = vocabulary.TEXT_PARTS.get(_type(part))
        if isinstance(part, str):
            run.add(part, here)
        elif field and isinstance(part.get(field), str):
            run.add(part[field], (*here, field))
            if len(part) > _TYPE_AND_TEXT:
                walk.members(API, part, here, sheet, skip=("type", field))
        else:
            walk.close(run)
            run = Sheet(sheet.role, place(here))
            _opaque(walk, part, here, sheet)
    walk.close(run)


def _opaque(walk: Walk, part: object, path: Path, sheet: Sheet) -> None:
    kind = _type(part)
    if kind not in vocabulary.KNOWN_PARTS:
        walk.uninspected.append("other")
    if kind == "input_file":
        _file(walk, part, path, sheet)
        return
    if kind == "input_image" and isinstance(part, dict) and part.get("file_id"):
        walk.uninspected += ["image", "reference"]
    walk.value(API, part, path, sheet)


def _type(part: object) -> str:
    name = part.get("type") if isinstance(part, dict) else None
    return name if isinstance(name, str) else ""


def _arguments(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read the arguments of a tool call: JSON in a string, or what a model took for it.

    Where it is no JSON of one meaning, escapes may hide what the other side reads.
    """
    own = Sheet(sheet.role, place(path))
    if not isinstance(value, str):
        walk.value(FREE, value, path, own)
    else:
        try:
            inner = document.load(value)
        except ValueError:
            own.add(value, path)
            walk.uninspected += ["json"] * ("\\" in value)
        else:
            walk.value(FREE, inner, (*path, NESTED), own)
    walk.close(own)


def _schema(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    walk.value(SCHEMA, value, path, sheet)


def _metadata(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    walk.value(FREE, value, path, sheet)


def _image(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read an image's address; the image itself is not inspected, wherever it is."""
    walk.uninspected.append("image")
    url = value.get("url") if isinstance(value, dict) else value
    inline = isinstance(url, str) and url[:5].lower() == "data:"
    if not isinstance(value, dict):
        walk.value(API, None if inline else value, path, sheet, field="image_url")
    else:
        walk.members(API, value, path, sheet, skip=("url",) if inline else ())


def _audio(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read what is said about audio: sent, answered, or kept by the provider under an id."""
    if not isinstance(value, dict):
        walk.value(API, value, path, sheet, field="audio")
        return
    if "data" in value:
        walk.uninspected.append("audio")
    elif "id" in value:
        walk.uninspected.append("reference")
    walk.members(API, value, path, sheet, skip=_strings(value, "data"))


def _file(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read a file's name and id; what it holds is not inspected."""
    if not isinstance(value, dict):
        walk.value(API, value, path, sheet, field="file")
        return
    if value.get("file_id") or value.get("file_url"):
        walk.uninspected.append("reference")
    if value.get("file_data") or not value.get("file_id"):
        walk.uninspected.append("file")
    walk.members(API, value, path, sheet, skip=_strings(value, "file_data"))


def _strings(node: Body, name: str) -> tuple[str, ...]:
    """Return the field to skip: only where it is the opaque string that has been named."""
    return (name,) if isinstance(node.get(name), str) else ()


def _logprobs(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read the tokens of an answer, which spell its text once more, and their alternatives."""
    if isinstance(value, list):
        _tokens(walk, value, path, sheet)
        return
    if not isinstance(value, dict):
        walk.value(API, value, path, sheet, field="logprobs")
        return
    lists = [name for name in ("content", "refusal") if isinstance(value.get(name), list)]
    for name in lists:
        _tokens(walk, value[name], (*path, name), sheet)
    spelled = value.get("tokens")
    if isinstance(spelled, list) and all(isinstance(token, str) for token in spelled):
        lists.append("tokens")
        run = Sheet(sheet.role, place((*path, "tokens")))
        for index, token in enumerate(spelled):
            run.add(token, (*path, "tokens", index))
        walk.close(run)
    walk.members(API, value, path, sheet, skip=tuple(lists))


def _tokens(walk: Walk, entries: list[Any], path: Path, sheet: Sheet) -> None:
    """Read tokens that spell a text together, and apart from them their alternatives."""
    chosen = Sheet(sheet.role, place(path))
    others = Sheet(sheet.role, place((*path, "top_logprobs")))
    for index, entry in enumerate(entries):
        _token(walk, entry, (*path, index), chosen)
        top = entry.get("top_logprobs") if isinstance(entry, dict) else None
        for rank, other in enumerate(top if isinstance(top, list) else ()):
            _token(walk, other, (*path, index, "top_logprobs", rank), others)
    walk.close(chosen)
    walk.close(others)


def _token(walk: Walk, entry: object, path: Path, sheet: Sheet) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
        walk.value(FREE, entry, path, sheet)
        return
    sheet.add(entry["token"], (*path, "token"))
    rest = ("token", "top_logprobs") if isinstance(entry.get("top_logprobs"), list) else ("token",)
    walk.members(_TOKEN, entry, path, sheet, skip=rest)


def _summary(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read the summary of what a model thought, or how detailed one is asked for."""
    if isinstance(value, list):
        _parts(walk, value, path, sheet)
    else:
        walk.value(API, value, path, sheet, field="summary")


def _encrypted(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Name what only the provider can read; what does not look so is read as a text."""
    if isinstance(value, str) and _SEALED.fullmatch(value):
        walk.uninspected.append("encrypted")
    else:
        walk.value(API, value, path, sheet, field=str(path[-1]))


def _result(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read what a tool of the provider's made: an image in base64, or a text."""
    if isinstance(value, str) and _SEALED.fullmatch(value):
        walk.uninspected.append("image")
    else:
        walk.value(API, value, path, sheet, field="result")


def _b64_json(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Name an image in base64; what does not look so is read as a text."""
    if isinstance(value, str) and _BASE64.fullmatch(value):
        walk.uninspected.append("image")
    else:
        walk.value(API, value, path, sheet, field="b64_json")


def _spelled(field: str, gap: str) -> Reader:
    """Return the reader of a list whose items spell a text together, each in a field."""

    def read(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
        if not isinstance(value, list) or not all(
            isinstance(item, dict) and isinstance(item.get(field), str) for item in value
        ):
            walk.value(API, value, path, sheet, field=str(path[-1]))
            return
        run = Sheet(sheet.role, place(path))
        for index, item in enumerate(value):
            run.join(gap, item[field], (*path, index, field))
        walk.close(run)
        for index, item in enumerate(value):
            walk.members(API, item, (*path, index), sheet, skip=(field,))

    return read


def _embedding(walk: Walk, value: object, path: Path, sheet: Sheet) -> None:
    """Read a vector: numbers, or the same in base64. Anything else is JSON like any other."""
    numbers = isinstance(value, list) and set(map(type, value)) <= {float, int}
    if not numbers and not (isinstance(value, str) and _BASE64.fullmatch(value)):
        walk.value(API, value, path, sheet, field="embedding")


FREE = Grammar(frozenset(), {})
"""JSON of which every key and string is the client's or the model's own."""

SCHEMA = Grammar(vocabulary.SCHEMA_FIELDS, vocabulary.SCHEMA_VALUES)
"""JSON Schema: the keys that are no keywords name properties."""

_TOKEN = Grammar(frozenset({"bytes", "logprob"}), {}, frozenset({"bytes", "logprob"}), {}, FREE)

API = Grammar(
    vocabulary.FIELDS,
    vocabulary.VALUES,
    vocabulary.NUMBERS,
    {
        "content": _content,
        "refusal": _content,
        "reasoning": _content,
        "reasoning_content": _content,
        "thinking": _content,
        "transcript": _content,
        "text": _content,
        "input": _content,
        "output": _content,
        "instructions": _content,
        "summary": _summary,
        "encrypted_content": _encrypted,
        "thought_signature": _encrypted,
        "result": _result,
        "arguments": _arguments,
        "parameters": _schema,
        "output_schema": _schema,
        "schema": _schema,
        "metadata": _metadata,
        "image_url": _image,
        "input_audio": _audio,
        "audio": _audio,
        "file": _file,
        "logprobs": _logprobs,
        "b64_json": _b64_json,
        "segments": _spelled("text", ""),
        "words": _spelled("word", " "),
        "embedding": _embedding,
    },
    FREE,
)
"""The bodies of the API."""
