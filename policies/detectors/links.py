"""The links in a text, and where they lead to. Pure.

Found is what a reader, a browser or a Markdown renderer may take for a link: an address with a
scheme, one that begins with //, and a bare www. name. What is taken for a link and is none is no
loss; what is one must not be missed.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, cast

from policies.detectors import normalise
from policies.detectors.finding import Finding

KIND: Final = "LINK"
HOSTS_MAX: Final = 100
"""Hosts of one answer that become facts."""

# Backslashes are slashes to a browser, and behind a scheme of the web one or none will do. Another
# scheme is any word before a colon and two slashes.
_LINK: Final = re.compile(
    r"(?:(?<![a-z0-9+.-])[a-z0-9+.-]*:[/\\]{2}|(?<![/\\:\w])[/\\]{2}(?=[\w.-]{1,250}\.\w)"
    r"|\bwww\.|\b(?:mailto|tel|data|javascript|https?|ftp|wss?):)[^\s<>\"'`\]\[{}|^]{1,4096}",
    re.IGNORECASE,
)
_AUTHORITY: Final = re.compile(r"(?:[a-z0-9+.-]*:)?[/\\]*(?P<authority>[^/\\?#]*)", re.IGNORECASE)
_TRAILING: Final = ".,;:!?)*_~"


class Link(NamedTuple):
    """A link, by its place in the text; `host` is in lower case, "" where it leads to no host."""

    start: int
    end: int
    host: str


def find(text: str) -> list[Link]:
    """Return the links of a text, and of what remains of it without its disguise."""
    found = list(_links(text))
    plain = normalise.plain(text)
    if plain is not None:
        for link in _links(plain.text):
            start, end = plain.span(link.start, link.end)
            if not any(other.start <= start and end <= other.end for other in found):
                found.append(Link(start, end, link.host))
    return found


def findings(texts: list[str]) -> list[Finding]:
    """Return the links of texts as findings, each in the leaf of that index."""
    return [
        Finding(KIND, "link", 1.0, index, link.start, link.end, normalise.RAW)
        for index, text in enumerate(texts)
        for link in find(text)
    ]


def hosts(texts: list[str]) -> tuple[str, ...]:
    """Return the hosts that links lead to, each once, sorted.

    Beyond the most that are told stands "other", so that a list of allowed hosts is not met.
    """
    return told(link.host for text in texts for link in find(text))


def told(hosts: Iterable[str]) -> tuple[str, ...]:
    """Return hosts as facts tell them; the empty one is none."""
    found = sorted({host for host in hosts if host})
    return tuple(found[:HOSTS_MAX]) + (("other",) if len(found) > HOSTS_MAX else ())


def _links(text: str) -> Iterator[Link]:
    for match in _LINK.finditer(text):
        address = match.group().rstrip(_TRAILING)
        yield Link(match.start(), match.start() + len(address), _host(address))


def _host(address: str) -> str:
    if re.match(r"(?:mailto|tel|data|javascript):", address, re.IGNORECASE):
        return ""
    authority = cast("re.Match[str]", _AUTHORITY.match(address))["authority"]  # nothing is needed
    host = authority.rpartition("@")[2].lower()
    name, _, port = host.rpartition(":")
    host = name if name and port.isdigit() else host
    return "".join(char for char in host if char.isprintable())[:253].rstrip(".")
