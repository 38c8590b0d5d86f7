"""A form with a file as a body, and back: each field a text, those in lists a list of texts. Pure.

The file is known in the body by its name and its type alone; its bytes stand beside it.
"""

from gateway.exchange import Body
from gateway.providers import multipart
from gateway.providers.fault import BadRequest
from gateway.providers.multipart import Part

FILE = "file"


def read(raw: bytes, content_type: str) -> tuple[Body, bytes]:
    """Return the body that a form stands for, and the bytes of its one file."""
    body: Body = {}
    file = b""
    for part in multipart.read(raw, content_type):
        if part.filename:
            if part.name != FILE:
                raise BadRequest(f"{part.name} is no file of this endpoint", part.name)
            body[FILE], file = _described(part), part.data
        elif part.name.endswith("[]"):
            body.setdefault(part.name, []).append(_text(part))
        else:
            body[part.name] = _text(part)
    return body, file


def written(body: Body, file: bytes, seed: str) -> tuple[str, bytes]:
    """Return the content type and the bytes of the form that a body stands for."""
    parts = []
    for name, value in body.items():
        if name == FILE:
            parts.append(Part(name, value["filename"], value["content_type"], file))
        else:
            texts = value if isinstance(value, list) else [value]
            parts += [Part(name, "", "", text.encode()) for text in texts]
    return multipart.write(parts, seed)


def plain(name: str) -> str:
    """Return the name of a field without what makes it one of a list, or of an object."""
    return name.partition("[")[0]


def _described(part: Part) -> Body:
    content_type = part.content_type or "application/octet-stream"
    return {"filename": part.filename, "content_type": content_type}


def _text(part: Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{part.name} is not UTF-8", part.name) from error
