"""Operations as a person writes them, one a line. Pure.

    search POST /collections/{collection}/points/search?wait,timeout json idempotent

is the operation's name, its method, its path with the parameters that may stand in its query, and
then words in any order: `json` where it takes a body, `text` or `nothing` where it does not answer
with JSON, `idempotent` where it may be asked for again.
"""

from collections.abc import Iterable

from gateway.bundle import Operation
from gateway.providers.fault import BadSetting

_WORDS = ("json", "text", "nothing", "idempotent")


def read(text: str) -> tuple[Operation, ...]:
    """Return the operations that a text lists; BadSetting names the line that is none."""
    lines = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
    return tuple(_read(number, words) for number, words in lines if words)


def write(operations: Iterable[Operation]) -> str:
    """Return the text that lists operations."""
    return "\n".join(_line(one) for one in operations)


def _read(number: int, words: list[str]) -> Operation:
    if len(words) < 3:  # noqa: PLR2004  (a name, a method, a path)
        raise BadSetting(f"line {number}: an operation has a name, a method and a path")
    name, method, address, *said = words
    path, _, query = address.partition("?")
    if unknown := [word for word in said if word not in _WORDS]:
        raise BadSetting(f"line {number}: {unknown[0][:40]!r} is none of {', '.join(_WORDS)}")
    if {"text", "nothing"} <= set(said):
        raise BadSetting(f"line {number}: it answers text or nothing, not both")
    return Operation(
        name=name,
        method=method,
        path=path,
        query=tuple(query.split(",")) if query else (),
        body="json" if "json" in said else "none",
        answer="text" if "text" in said else "none" if "nothing" in said else "json",
        idempotent="idempotent" in said,
    )


def _line(one: Operation) -> str:
    query = "?" + ",".join(one.query) if one.query else ""
    said = {
        "json": one.body == "json",
        "text": one.answer == "text",
        "nothing": one.answer == "none",
        "idempotent": one.idempotent,
    }
    words = (word for word, holds in said.items() if holds)
    return " ".join((one.name, one.method, one.path + query, *words))
