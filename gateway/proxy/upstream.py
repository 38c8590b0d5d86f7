"""The connections to providers that a worker keeps: one pool for public addresses, one for others.

An address that a name resolves to is checked where the connection is made, so that no name can
point a provider's secret inside.

aiohttp's connector opens connections (resolver, TLS); what goes over them is read by `http1`. An
aiohttp session builds every request anew from URLs, headers, cookies and timeouts that never change
here, and that costs more than the rest of the leg.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection as Opened
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from gateway import bundle
from gateway.exchange import UpstreamRequest
from gateway.origins import is_public
from gateway.proxy.http1 import Connection, Response

KEEP_ALIVE_S = 15.0
MOST_TARGETS = 1024
CONTROLS = frozenset("\r\n\0")
SENDABLE = re.compile("[!-~]+")


class NotConnected(Exception):
    """Nobody could be reached at the address: nothing was sent."""


class ConnectTimeout(NotConnected):
    """The connection took too long: nothing was sent."""


class Unsendable(NotConnected):
    """The request cannot be written as HTTP, or must not go where its URL points."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, to the first byte, between chunks, for the whole answer."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    total_s: float

    def unless(self, own: bundle.Timeouts | None) -> "Timeouts":
        """Return these but for what a deployment has of its own; in all, it has no more."""
        if own is None:
            return self
        return Timeouts(
            own.connect_s or self.connect_s,
            own.first_byte_s or self.first_byte_s,
            own.idle_s or self.idle_s,
            min(own.total_s or self.total_s, self.total_s),
        )


@dataclass(frozen=True, slots=True)
class _Target:
    """What a URL means for a connection, worked out once. `head` is what every request begins with.

    `connector_request` tells aiohttp's connector where to connect; it is never sent.
    """

    connector_request: aiohttp.ClientRequest
    head: str
    is_private_literal: bool


class Pools:
    """The HTTP connections of one worker; each pool is opened when it is first needed."""

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self._connectors: dict[bool, aiohttp.TCPConnector] = {}
        self._targets: dict[tuple[str, str], _Target] = {}
        self._open: set[Connection] = set()
        self._free: dict[_Place, list[Connection]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def post(
        self, request: UpstreamRequest, timeouts: Timeouts, *, private: bool
    ) -> Response:
        """Send a request and return its answer once the head is here.

        `private` tells whether the address may be one that is not public. NotConnected: nothing was
        sent. Broken: it may have been.
        """
        named = request.method, request.url
        target = self._targets.get(named) or self._target(*named)
        if target.is_private_literal and not private:  # a literal address skips the resolver
            raise Unsendable("the address is not public")
        data = _rendered(target.head, request)
        place = private, target.connector_request.connection_key
        connection = self._taken(place) or await self._connect(place, target, timeouts.connect_s)
        return await connection.exchange(data, timeouts.first_byte_s)

    async def close(self) -> None:
        """Close every connection."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in tuple(self._open):
            connection.abort()
        self._free.clear()
        for connector in self._connectors.values():
            await connector.close()

    def _taken(self, place: "_Place") -> Connection | None:
        """Take the connection that was used last; the others may fall idle."""
        free = self._free.get(place)
        while free:
            connection = free.pop()
            if connection.loop.time() - connection.free_since_s > KEEP_ALIVE_S:
                connection.close()
            elif connection.is_open:
                return connection
        return None

    def _keep(self, place: "_Place", connection: Connection) -> None:
        """Keep a connection for the next exchange with the same place."""
        if self._is_closed:
            connection.close()
            return
        connection.free_since_s = connection.loop.time()
        self._free.setdefault(place, []).append(connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(KEEP_ALIVE_S / 2, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody has used for long."""
        loop = asyncio.get_running_loop()
        oldest_s, left = loop.time() - KEEP_ALIVE_S, {}
        for place, free in self._free.items():
            for connection in free:
                if connection.free_since_s < oldest_s:
                    connection.close()
            if young := [one for one in free if one.is_open]:
                left[place] = young
        self._free = left
        self._sweeper = loop.call_later(KEEP_ALIVE_S / 2, self._sweep) if left else None

    async def _connect(self, place: "_Place", target: _Target, connect_s: float) -> Connection:
        private, _ = place
        if self._is_closed:
            raise NotConnected("the gateway is being stopped")
        connector = self._connectors.get(private) or self._connector(private=private)
        try:
            opened = await connector.connect(
                target.connector_request, [], _connect_timeout(connect_s)
            )
        except TimeoutError as error:
            raise ConnectTimeout("the connection took too long") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NotConnected("nobody could be reached") from error
        transport = opened.transport
        if transport is None or transport.is_closing():
            opened.close()
            raise NotConnected("the connection was closed at once")
        connection = Connection(transport, partial(self._keep, place), self._lost(opened))
        self._open.add(connection)
        return connection

    def _lost(self, opened: Opened) -> Callable[[Connection, Exception | None], None]:
        """Return who forgets a connection that is closed, and tells aiohttp, which waits for it."""
        protocol = opened.protocol

        def lost(connection: Connection, error: Exception | None) -> None:
            self._open.discard(connection)
            if protocol is not None:
                protocol.connection_lost(error)
            opened.close()

        return lost

    def _connector(self, *, private: bool) -> aiohttp.TCPConnector:
        resolver = ThreadedResolver() if private else PublicResolver(ThreadedResolver())
        self._connectors[private] = aiohttp.TCPConnector(
            limit=0,  # how much is under way at a provider is bounded by its gate
            keepalive_timeout=KEEP_ALIVE_S,
            ttl_dns_cache=30,
            resolver=resolver,
        )
        return self._connectors[private]

    def _target(self, method: str, url: str) -> _Target:
        try:
            found = URL(url)
            if "%" in url and SENDABLE.fullmatch(url):  # as it was signed, or quoted by us
                found = URL(url, encoded=True)
            request = aiohttp.ClientRequest("POST", found, loop=asyncio.get_running_loop())
        except ValueError as error:
            raise Unsendable("the URL is none") from error
        if len(self._targets) >= MOST_TARGETS:
            self._targets.clear()
        head = f"{method} {request.url.raw_path_qs} HTTP/1.1\r\nhost: {request.headers['Host']}\r\n"
        target = _Target(request, head, _is_private_literal(request.url.host or ""))
        self._targets[method, url] = target
        return target


_Place = tuple[bool, ConnectionKey]
"""Where connections lead: whether the address may be private, and what aiohttp tells apart."""


def _rendered(head: str, request: UpstreamRequest) -> bytes:
    """Return the bytes of a request. Its headers are made by us of checked parts; still, none may
    begin another."""
    headers = request.headers
    if not CONTROLS.isdisjoint("".join(headers.values())):
        name = next(name for name, value in headers.items() if not CONTROLS.isdisjoint(value))
        raise Unsendable(f"the header {name} holds a line break")
    told = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    length = len(request.body)
    return f"{head}{told}content-length: {length}\r\n\r\n".encode() + request.body


@lru_cache(64)
def _connect_timeout(connect_s: float) -> aiohttp.ClientTimeout:
    """Return what bounds a connection: the wait for a free one, the socket and TLS together."""
    return aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s)


def _is_private_literal(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        return False  # a name: whatever it resolves to is checked where the connection is made


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those that point to an address that is not public."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the public addresses of a name; an OSError when one of them is not public."""
        found = await self._inner.resolve(host, port, family)
        for address in found:
            if not is_public(address["host"]):
                raise OSError(None, f"{host} resolves to an address that is not public")
        return found

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
