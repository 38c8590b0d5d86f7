"""The links in a text, and where they lead to. Pure.

Found is what a reader, a browser or a Markdown renderer may take for a link, in whatever form it
stands (inline, reference, autolink, image, an attribute, `srcset`, CSS, bare): an address with a
scheme, one that begins with slashes, and a bare www. name. A text is read as it is, without its
disguise, and as Markdown and HTML read it: character references and backslash escapes undone, and
line ends and tabs, which browsers drop from addresses, taken out of tags. What is taken for a link
and is none is no loss; what is one must not be missed.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, cast
from unicodedata import normalize
from urllib.parse import unquote

from policies.detectors import normalise
from policies.detectors.finding import Finding

KIND: Final = "LINK"
HOSTS_MAX: Final = 100
"""Hosts of one answer that become facts."""

OTHER: Final = "other"
"""Stands for hosts that are not told."""

# Backslashes are slashes to a browser, and behind a scheme of the web one or none will do. Another
# scheme is any word before a colon and two slashes.
_LINK: Final = re.compile(
    r"(?:(?<![a-z0-9+.-])[a-z0-9+.-]*:[/\\]{2}"
    r"|(?<![/\\:\w])[/\\]{2,}(?=\[[0-9a-f:]|[^\s/\\<>\"'`]{1,250}?[.%\u3002]\w)"
    r"|\bwww\.|\b(?:mailto|tel|sms|data|blob|javascript|vbscript|https?|ftp|wss?):)"
    r"(?:[/\\]*\[[0-9a-f:.%]{2,60}\][^\s<>\"'`\]\[{}|^]{0,4096}|[^\s<>\"'`\]\[{}|^]{1,4096})",
    re.IGNORECASE,
)
_HOSTLESS: Final = re.compile(r"(?:mailto|tel|sms|data|javascript|vbscript):", re.IGNORECASE)
_PREFIX: Final = re.compile(r"(?:[a-z0-9+.-]*:)*[/\\]*", re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"[^/\\?#]*")
_WIDER: Final = re.compile(r"[^\s/\\?#<>]*")
_TRAILING: Final = ".,;:!?)*_~"
_DOTS: Final = str.maketrans("\u3002\uff0e\uff61", "...")

_ESCAPE: Final = re.compile(
    r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?|\\[!-/:-@\[-`{-~]"
)
_TAG: Final = re.compile(r"<[A-Za-z/!][^>]*")
_DROPPED: Final = re.compile(r"[\t\r\n]")


class Link(NamedTuple):
    """A link, by its place in the text; `host` is in lower case, in Punycode where it is not ASCII,
    and "" where it leads to no host."""

    start: int
    end: int
    host: str


def find(text: str) -> list[Link]:
    """Return the links of a text, in each of its readings; more than one where its readers may
    differ on where it leads. One that is too large to be read without its disguise is, besides, as
    a whole a link to `OTHER`."""
    found = dict.fromkeys(_links(text))
    raw = list(found)
    starts = [link.start for link in raw]
    try:
        views = list(_readings(text))
    except normalise.ViewTooLargeError:
        return [*raw, Link(0, len(text), OTHER)]
    for view in views:
        for link in _links(view.text):
            start, end = view.span(link.start, link.end)
            before = bisect_right(starts, start)
            known = (one for one in raw[max(0, before - 2) : before] if end <= one.end)
            if not any(one.host == link.host for one in known):
                found[Link(start, end, link.host)] = None
    return list(found)


def _readings(text: str) -> Iterator[normalise.View]:
    plain = normalise.plain(text)
    if plain is not None:
        yield plain
    read = _as_markup(text)
    if read is not None:
        yield read
    twice = None if plain is None else _as_markup(plain.text)
    if plain is not None and twice is not None:
        places = range(len(twice.text))
        spans = [plain.span(twice.starts[at], twice.ends[at]) for at in places]
        yield twice.__class__(
            "markup", twice.text, [first for first, _ in spans], [last for _, last in spans]
        )


def _as_markup(text: str) -> normalise.View | None:
    """Return a text as Markdown and HTML read it; None where that is no other."""
    broken = "<" in text and any(_DROPPED.search(tag.group()) for tag in _TAG.finditer(text))
    if not broken and _ESCAPE.search(text) is None:
        return None
    letters: list[tuple[str, int, int]] = []
    done = 0
    for escape in _ESCAPE.finditer(text):
        letters += ((text[at], at, at + 1) for at in range(done, escape.start()))
        raw = escape.group()
        decoded = raw[1:] if raw[0] == "\\" else _DROPPED.sub("", html.unescape(raw))
        letters += ((letter, *escape.span()) for letter in decoded)
        done = escape.end()
    letters += ((text[at], at, at + 1) for at in range(done, len(text)))
    read = "".join(letter for letter, _, _ in letters)
    gone = {
        tag.start() + found.start()
        for tag in _TAG.finditer(read)
        for found in _DROPPED.finditer(tag.group())
    }
    kept = [letter for at, letter in enumerate(letters) if at not in gone]
    return normalise.View(
        "markup",
        "".join(letter for letter, _, _ in kept),
        [start for _, start, _ in kept],
        [end for _, _, end in kept],
    )


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
    return told(all_hosts(texts))


def all_hosts(texts: Iterable[str]) -> set[str]:
    """Return every host that links lead to."""
    return {link.host for text in texts for link in find(text) if link.host}


def told(hosts: Iterable[str]) -> tuple[str, ...]:
    """Return hosts as facts tell them; the empty one is none."""
    found = sorted({host for host in hosts if host})
    return tuple(found[:HOSTS_MAX]) + ((OTHER,) if len(found) > HOSTS_MAX else ())


def _links(text: str) -> Iterator[Link]:
    for match in _LINK.finditer(text):
        address = match.group().rstrip(_TRAILING)
        start = match.start()
        yield Link(start, start + len(address), _host(address))
        if _HOSTLESS.match(address):
            continue
        prefix = cast("re.Match[str]", _PREFIX.match(address)).end()  # nothing is needed
        wider = cast("re.Match[str]", _WIDER.match(text, start + prefix))
        at = wider.group().rfind("@") + wider.start()
        if at >= start + len(address):  # what a renderer takes into the name of a user
            yield Link(start, wider.end(), host_of(wider.group()))


def _host(address: str) -> str:
    if _HOSTLESS.match(address):
        return ""
    prefix = cast("re.Match[str]", _PREFIX.match(address)).end()
    return host_of(cast("re.Match[str]", _AUTHORITY.match(address, prefix)).group())


def host_of(authority: str) -> str:
    """Return the host of an authority, as a browser reads it."""
    host = unquote(authority.rpartition("@")[2])
    name, _, port = host.rpartition(":")
    host = name if name and port.isdigit() and not name.endswith(":") else host
    host = normalize("NFKC", host).lower().translate(_DOTS)
    host = "".join(char for char in host if char.isprintable())[:253].rstrip(".")
    return ".".join(map(_label, host.split(".")))


def _label(label: str) -> str:
    if label.isascii():
        return label
    return "xn--" + label.encode("punycode", errors="replace").decode()
