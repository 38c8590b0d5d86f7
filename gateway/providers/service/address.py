"""Addresses below /services, each read in one way: what another reader could take for another place
is refused. Pure."""

import re
from urllib.parse import unquote

from gateway.exchange import Asked
from gateway.providers.fault import BadRequest

PREFIX = "/services/"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
STEP = re.compile(r"[A-Za-z0-9_~@:+=,-][A-Za-z0-9._~@:+=,-]{0,199}")
"""What stands between two slashes, decoded. No slash, backslash, percent sign, question mark or
semicolon, whose meaning depends on who decodes; and no step of dots, which leads elsewhere."""

PARAMETERS_MAX = 32
VALUE_LENGTH_MAX = 1000
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


def asked(raw_path: bytes, query: bytes, method: str) -> Asked:
    """Return what an address says, by its bytes as they came; BadRequest where it is not plain."""
    text = raw_path.decode("latin-1")
    name, *steps = text.removeprefix(PREFIX).split("/")
    if not text.startswith(PREFIX) or not NAME.fullmatch(name):
        raise BadRequest("the address of a service is /services/ and its name, as they are", "path")
    return Asked(name, method, tuple(_step(step) for step in steps), _query(query))


def _step(raw: str) -> str:
    step = _decoded(raw)
    if not STEP.fullmatch(step):
        raise BadRequest(
            "between two slashes of the path stand 1 to 200 letters, digits and . _ ~ @ : + = , -"
            " (no dot first), which may be encoded once",
            "path",
        )
    return step


def _query(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Return the parameters of a query, each named once."""
    if not raw:
        return ()
    parts = raw.decode("latin-1").split("&")
    if len(parts) > PARAMETERS_MAX:
        raise BadRequest(f"the query has more than {PARAMETERS_MAX} parameters", "query")
    found: dict[str, str] = {}
    for part in parts:
        name, _, value = (_decoded(each.replace("+", " ")) for each in part.partition("="))
        if name in found:
            raise BadRequest(f"the query names {name[:64]!r} twice", "query")
        if len(value) > VALUE_LENGTH_MAX or not (name + value).isprintable():
            raise BadRequest(
                f"a parameter of the query is at most {VALUE_LENGTH_MAX} printable characters",
                "query",
            )
        found[name] = value
    return tuple(found.items())


def _decoded(text: str) -> str:
    """Return a text without its percent encoding, of which there is one layer."""
    if not text.isascii() or _BROKEN.search(text):
        raise BadRequest("the address is not percent-encoded", "path")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("the address is not percent-encoded UTF-8", "path") from None
