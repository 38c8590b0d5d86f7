"""The connections to providers that a worker keeps: one pool for public addresses, one for others.

An address that a name resolves to is checked where the connection is made, so that no name can
point a provider's secret inside.
"""

import socket
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from gateway.origins import is_public

POOL_PER_ORIGIN = 256
KEEP_ALIVE_S = 15.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, to the first byte, between chunks, for the whole answer."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    total_s: float


class Pools:
    """The HTTP clients of one worker; each is opened when it is first needed."""

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def session(self, *, private: bool) -> aiohttp.ClientSession:
        """Return the client for providers that may, or may not, be at a private address."""
        session = self._sessions.get(private)
        if session is None:
            resolver = ThreadedResolver() if private else PublicResolver(ThreadedResolver())
            session = self._sessions[private] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    limit_per_host=POOL_PER_ORIGIN,
                    keepalive_timeout=KEEP_ALIVE_S,
                    ttl_dns_cache=30,
                    resolver=resolver,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=self.timeouts.connect_s,
                    sock_read=self.timeouts.first_byte_s,
                ),
                skip_auto_headers=("Accept-Encoding", "Accept", "User-Agent", "Content-Type"),
            )
        return session

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()


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
