"""Hosts that nobody but the results of tools named, and that an answer leads to. Pure.

Whoever writes a page that a tool reads can write there where the model shall send things to. A host
is *named* by a link, or behind the @ of a mail address. What the client itself says (in the roles
system, developer and user, in definitions of tools) is trusted, there a bare name does too; what an
assistant said before is not: it may have been talked into it. An answer *leads* to the hosts of its
links, and to the names that stand in the arguments of a tool call, with a scheme or without.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from policies.detectors import links, normalise
from policies.detectors.finding import Leaf

TOOL_ROLES: Final = frozenset({"tool", "function"})
_SAID_BEFORE: Final = frozenset({"assistant"})
_ARGUMENTS: Final = ("/arguments", "/input")

# Begun only where a word begins: from each letter of a long one anew it would take for ever.
_NAME: Final = re.compile(r"(?<![\w-])[\w-]+(?:[.\u3002\uff0e\uff61][\w-]+)+")
_MAIL: Final = re.compile(rf"@({_NAME.pattern})")


class Named(NamedTuple):
    """The hosts that a request names: in `results` of tools, and, of these and those below them,
    which the client named too. What could not be read whole stands there as `links.OTHER`: then
    whatever the client did not name may have been named by a tool."""

    results: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()

    def tainted(self, hosts: Iterable[str]) -> set[str]:
        """Return those of some hosts that only results of tools named, or are below such a one."""
        if not self.results:
            return set()
        if links.OTHER in self.results:
            return {host for host in hosts if self.own.isdisjoint(_and_above(host))}
        suspect = self.results - self.own
        return {
            host
            for host in hosts
            if host not in self.own and not suspect.isdisjoint(_and_above(host))
        }


UNNAMED: Final = Named()


def named(leaves: Sequence[Leaf]) -> Named:
    """Return the hosts that the strings of a request name."""
    results = frozenset(host for leaf in leaves if leaf.role in TOOL_ROLES for host in _told(leaf))
    if not results:
        return UNNAMED
    trusted = (leaf for leaf in leaves if leaf.role not in TOOL_ROLES | _SAID_BEFORE)
    hosts = (host for leaf in trusted for host in (*_linked(leaf.text), *_names(leaf.text)))
    if links.OTHER in results:
        return Named(results, frozenset(hosts) - {links.OTHER})
    own = (host for host in hosts if not results.isdisjoint(_and_above(host)))
    return Named(results, frozenset(own))


def argued(leaves: Iterable[Leaf]) -> set[str]:
    """Return the names in the arguments of tool calls; their links are found as all links are."""
    return {
        host for leaf in leaves if leaf.place.endswith(_ARGUMENTS) for host in _names(leaf.text)
    }


def _told(leaf: Leaf) -> Iterator[str]:
    yield from _linked(leaf.text)
    for text in _readings(leaf.text):
        for mail in _MAIL.finditer(text):
            yield links.host_of(mail[1])


def _linked(text: str) -> Iterator[str]:
    return (link.host for link in links.find(text) if link.host)


def _names(text: str) -> Iterator[str]:
    for reading in _readings(text):
        for name in _NAME.finditer(reading):
            yield links.host_of(name.group())


def _readings(text: str) -> Iterator[str]:
    """Yield a text as it is, and without its disguise where that can be told."""
    yield text
    try:
        view = normalise.plain(text)
    except normalise.ViewTooLargeError:
        return
    if view is not None:
        yield view.text


def _and_above(host: str) -> Iterator[str]:
    """Yield a host, and the domains above it that are no top-level domain."""
    yield host
    while "." in (host := host.partition(".")[2]):
        yield host
