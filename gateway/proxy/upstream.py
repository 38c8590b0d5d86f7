"""The connections to providers that a worker keeps: one pool for public addresses, one for others.

An address that a name resolves to is checked where the connection is made, so that no name can
point a provider's secret inside.

aiohttp's connector (pool, resolver, TLS) and its parser are used without its session: a session
builds every request anew from URLs, headers, cookies and timeouts that never change here, and that
costs more than the rest of the leg.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.resolver import ThreadedResolver
from aiohttp.streams import StreamReader
from yarl import URL

from gateway import bundle
from gateway.exchange import UpstreamRequest
from gateway.origins import is_public

CONTINUE, SWITCHING_PROTOCOLS, OK = 100, 101, 200
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


class Broken(Exception):
    """What came back is no HTTP, or the connection ended too soon; the request was sent."""


class ReadTimeout(Broken):
    """The provider stopped sending."""


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

    async def post(
        self, request: UpstreamRequest, timeouts: Timeouts, *, private: bool
    ) -> "Response":
        """Send a request and return its answer once the head is here.

        `private` tells whether the address may be one that is not public. NotConnected: nothing was
        sent. Broken: it may have been.
        """
        named = request.method, request.url
        target = self._targets.get(named) or self._target(*named)
        if target.is_private_literal and not private:  # a literal address skips the resolver
            raise Unsendable("the address is not public")
        data = _rendered(target.head, request)
        connection = await self._connect(target, timeouts.connect_s, private=private)
        try:
            return await _exchange(connection, data, timeouts)
        except (HttpProcessingError, aiohttp.ClientError, OSError) as error:
            connection.close()
            raise _broken(error) from error
        except BaseException:
            connection.close()
            raise

    async def close(self) -> None:
        """Close every connection."""
        for connector in self._connectors.values():
            await connector.close()

    async def _connect(self, target: _Target, connect_s: float, *, private: bool) -> Connection:
        connector = self._connectors.get(private) or self._open(private=private)
        try:
            return await connector.connect(
                target.connector_request, [], _connect_timeout(connect_s)
            )
        except TimeoutError as error:
            raise ConnectTimeout("the connection took too long") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NotConnected("nobody could be reached") from error

    def _open(self, *, private: bool) -> aiohttp.TCPConnector:
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


class Response:
    """An answer whose head is here; its connection goes back when its last byte is read."""

    __slots__ = ("_connection", "_payload", "headers", "status")

    def __init__(
        self,
        connection: Connection,
        payload: StreamReader,
        status: int,
        headers: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._payload = payload
        self.status = status
        self.headers = headers
        payload.on_eof(connection.release)

    def allow_pauses(self, idle_s: float) -> None:
        """From here on the time between two reads counts, no longer the one to the first byte."""
        protocol = self._connection.protocol
        if protocol is not None:
            protocol.read_timeout = idle_s
            protocol.start_timeout()

    async def read(self, most: int) -> bytes:
        """Return what is here of the body, at least a byte of it, and at most `most`."""
        try:
            return await self._payload.read(most)
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise _broken(error) from error

    def whole(self) -> bytes | None:
        """Return the body if it is all here, as small ones are; the connection buffers no more than
        a few hundred kilobytes."""
        return self._payload.read_nowait() if self._payload.is_eof() else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        try:
            async for chunk in self._payload.iter_any():
                yield chunk
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise _broken(error) from error

    def release(self) -> None:
        """Give the connection back; one with an unread rest is closed."""
        self._connection.release()

    def close(self) -> None:
        """Close the connection, whatever it still brings."""
        self._connection.close()


async def _exchange(connection: Connection, data: bytes, timeouts: Timeouts) -> Response:
    protocol = connection.protocol
    if not isinstance(protocol, ResponseHandler) or protocol.transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(
        read_until_eof=True, auto_decompress=False, read_timeout=timeouts.first_byte_s
    )
    protocol.transport.write(data)
    protocol.start_timeout()
    message, payload = await protocol.read()
    while CONTINUE <= message.code < OK and message.code != SWITCHING_PROTOCOLS:
        message, payload = await protocol.read()
    return Response(connection, payload, message.code, message.headers)


def _rendered(head: str, request: UpstreamRequest) -> bytes:
    """Return the bytes of a request. Its headers are made by us of checked parts; still, none may
    begin another."""
    lines = [head]
    for name, value in request.headers.items():
        if not CONTROLS.isdisjoint(value):
            raise Unsendable(f"the header {name} holds a line break")
        lines.append(f"{name}: {value}\r\n")
    lines.append(f"content-length: {len(request.body)}\r\n\r\n")
    return "".join(lines).encode() + request.body


def _broken(error: BaseException) -> Broken:
    if isinstance(error, TimeoutError):
        return ReadTimeout("the provider stopped sending")
    return Broken("the connection broke, or what it brought is no HTTP")


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
