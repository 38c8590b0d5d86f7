"""Forms with a file (multipart/form-data, RFC 7578), read strictly and written anew. Pure.

What two readers could understand differently is refused: text before the first part or after the
last, folded or unknown headers, a name given twice, a file's name in two spellings.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from gateway.providers.fault import BadRequest

PARTS_MAX = 64
HEAD_MAX = 2048
FIELD_MAX = 64 * 1024

_TYPE = re.compile(
    r"\Amultipart/form-data;\s*boundary=(?:\"([0-9A-Za-z'()+_,./:=? -]{1,70})\""
    r"|([0-9A-Za-z'()+_,./:=?-]{1,70}))\s*\Z",
    re.IGNORECASE,
)
_DISPOSITION = re.compile(
    r'\Aform-data\s*;\s*name="([^"\\\x00-\x1f\x7f]{1,100})"'
    r'(?:\s*;\s*filename="([^"\\\x00-\x1f\x7f]{1,255})")?\s*\Z',
    re.IGNORECASE,
)
_QUOTABLE = re.compile(r'\A[^"\\\x00-\x1f\x7f]+\Z')
_MEDIA_TYPE = re.compile(r"\A[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}\Z")
_HEADERS = frozenset({"content-disposition", "content-type", "content-length"})


class Part(NamedTuple):
    """A field, or a file where it has a `filename`."""

    name: str
    filename: str
    content_type: str
    data: bytes


def is_form(content_type: str) -> bool:
    """Tell whether a content type is that of a form whose boundary can be read."""
    return _TYPE.match(content_type) is not None


def read(raw: bytes, content_type: str) -> list[Part]:
    """Return the parts of a form; BadRequest for anything but one plain meaning."""
    boundary = _TYPE.match(content_type)
    if boundary is None:
        raise BadRequest("the content type names no boundary of a form")
    delimiter = b"\r\n--" + (boundary[1] or boundary[2]).encode()
    first, *parts = (b"\r\n" + raw).split(delimiter, PARTS_MAX + 2)
    last = parts.pop() if parts else b""
    if first or last not in (b"--", b"--\r\n") or not 0 < len(parts) <= PARTS_MAX:
        raise BadRequest(f"the body is not a form of 1 to {PARTS_MAX} parts and nothing else")
    found = [_part(part) for part in parts]
    names = [part.name for part in found if not part.name.endswith("[]")]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadRequest(f"{twice} is given twice", twice)
    return found


def write(parts: Iterable[Part], seed: str) -> tuple[str, bytes]:
    """Return the content type and the bytes of a form; `seed` is what no part foresees."""
    parts = list(parts)
    boundary = f"gatehouse-{seed}"
    while any(boundary.encode() in part.data for part in parts):
        boundary += "-"
    chunks: list[bytes] = []
    for part in parts:
        if not _QUOTABLE.match(part.name + part.filename + part.content_type):
            raise BadRequest("a name in the form cannot be written", part.name)
        named = f'form-data; name="{part.name}"'
        if part.filename:
            named += f'; filename="{part.filename}"'
        head = f"--{boundary}\r\nContent-Disposition: {named}\r\n"
        if part.content_type:
            head += f"Content-Type: {part.content_type}\r\n"
        chunks += (head.encode(), b"\r\n", part.data, b"\r\n")
    chunks.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(chunks)


def _part(part: bytes) -> Part:
    head, blank, data = part.partition(b"\r\n\r\n")
    if not head.startswith(b"\r\n") or not blank or len(head) > HEAD_MAX:
        raise BadRequest("a part of the form has no head of its own")
    headers = _headers(head[2:])
    told = _DISPOSITION.match(headers.get("content-disposition", ""))
    if told is None:
        raise BadRequest("a part of the form has no plain name")
    name, filename = told[1], told[2] or ""
    content_type = headers.get("content-type", "")
    if filename and content_type and not _MEDIA_TYPE.match(content_type):
        raise BadRequest(f"the content type of {name} is none", name)
    if not filename and len(data) > FIELD_MAX:
        raise BadRequest(f"{name} is longer than {FIELD_MAX} bytes", name)
    return Part(name, filename, content_type if filename else "", data)


def _headers(head: bytes) -> dict[str, str]:
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError as error:
        raise BadRequest("the head of a part is not UTF-8") from error
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        key = name.lower()
        if not colon or key not in _HEADERS or key in found:
            raise BadRequest("the head of a part holds what is no header of a form's, or one twice")
        found[key] = value.strip()
    return found
