"""Step 9: the only place that calls providers. It takes nothing but a permitted call.

The secret lives beside the one origin that it belongs to, and redirects are not followed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from types import TracebackType
from typing import Protocol, cast
from urllib.parse import urlsplit

import aiohttp
import orjson

from gateway.exchange import Permitted, UpstreamRequest
from gateway.origins import is_public
from gateway.providers import openai_upstream, simulated
from gateway.proxy.attempt import MOST_ANSWER_BYTES, AttemptFailed, unreadable
from gateway.proxy.errors import Refusal, UpstreamFailed, UpstreamTimeout
from gateway.proxy.upstream import Pools, Timeouts

MOST_ERROR_BYTES = 64 * 1024


def forward(
    permitted: Permitted, secret: str | None, request_id: str, pools: Pools
) -> AbstractAsyncContextManager["UpstreamResponse"]:
    """Send a permitted call to its deployment; the context holds the connection.

    Entering it raises AttemptFailed unless the provider began a good answer.
    """
    if permitted.deployment.dialect == "simulated":
        return _Simulated(permitted, pools.timeouts)
    session = pools.session(private=permitted.deployment.allow_private)
    return _Exchange(session, permitted, secret, request_id, pools.timeouts.idle_s)


class UpstreamResponse(Protocol):
    """An answer with a good status, whose bytes are still to be read."""

    async def read(self) -> bytes:
        """Return the whole body, bounded."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the body as it comes."""


class _Exchange:
    """One HTTP exchange with a provider."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        permitted: Permitted,
        secret: str | None,
        request_id: str,
        idle_s: float,
    ) -> None:
        self._session = session
        self._deployment = permitted.deployment
        self._secret = secret
        self._idle_s = idle_s
        self._request = _request(permitted, secret, request_id)
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> UpstreamResponse:
        self._refuse_private_literal()
        response = await self._send()
        self._response = response
        if response.status == HTTPStatus.OK:  # a redirect is no answer, whatever its body says
            if response.headers.get("content-encoding", "identity") != "identity":
                await self._fail()
                raise unreadable("is compressed, which was not asked for")
            self._allow_pauses(response)
            return self
        failure = await self._bad_status(response)
        await self._fail()
        raise failure

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._response is not None:
            if kind is None:
                self._response.release()
            else:
                self._response.close()

    async def read(self) -> bytes:
        """Return the whole body."""
        response = cast("aiohttp.ClientResponse", self._response)  # entered before it is read
        if response.content_length is not None and response.content_length <= MOST_ANSWER_BYTES:
            try:
                return await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise _broken(error) from error
        parts, size = [], 0
        async for chunk in self.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > MOST_ANSWER_BYTES:
                raise unreadable(f"is larger than {MOST_ANSWER_BYTES} bytes")
        return b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        response = cast("aiohttp.ClientResponse", self._response)  # entered before it is read
        try:
            async for chunk in response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _broken(error) from error

    async def _send(self) -> aiohttp.ClientResponse:
        try:
            try:
                return await self._post()
            except aiohttp.ClientConnectorError:
                return await self._post()  # nothing was sent: the same attempt, once more
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise AttemptFailed(
                UpstreamFailed("upstream_error", "The provider could not be reached."),
                sent=False,
                billed=False,
                again=True,
            ) from error
        except (aiohttp.ConnectionTimeoutError, aiohttp.SocketTimeoutError) as error:
            connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
            raise AttemptFailed(
                UpstreamTimeout("upstream_timeout", "The provider did not answer in time."),
                sent=not connecting,
                billed=not connecting,
                again=True,
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error) from error

    async def _post(self) -> aiohttp.ClientResponse:
        return await self._session.post(
            self._request.url,
            data=self._request.body,
            headers=self._request.headers,
            allow_redirects=False,
        )

    async def _bad_status(self, response: aiohttp.ClientResponse) -> AttemptFailed:
        try:
            raw = await response.content.read(MOST_ERROR_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError):
            raw = b""
        message = openai_upstream.error_message(raw)
        if self._secret:
            message = message.replace(self._secret, "***")
        return status_failure(response.status, response.headers, message)

    def _allow_pauses(self, response: aiohttp.ClientResponse) -> None:
        """From here on the time between two reads counts, no longer the one to the first byte."""
        protocol = response.connection.protocol if response.connection else None
        if protocol is not None:
            protocol.read_timeout = self._idle_s
            protocol.start_timeout()

    async def _fail(self) -> None:
        if self._response is not None:
            self._response.close()

    def _refuse_private_literal(self) -> None:
        """A literal address skips the resolver, so it is checked here."""
        if self._deployment.allow_private:
            return
        host = urlsplit(self._request.url).hostname or ""
        try:
            public = is_public(host)
        except ValueError:
            return
        if not public:
            raise AttemptFailed(
                UpstreamFailed("upstream_error", "The provider's address is not public."),
                sent=False,
                billed=False,
                again=True,
            )


def _request(permitted: Permitted, secret: str | None, request_id: str) -> UpstreamRequest:
    """Return what goes to the deployment: made of the judged value and nothing else."""
    return openai_upstream.request(
        base_url=permitted.deployment.base_url,
        secret=secret,
        call_body=permitted.body,
        model=permitted.deployment.model,
        endpoint=permitted.call.endpoint,
        max_output_tokens=permitted.cap,
        stream=permitted.call.stream,
        request_id=request_id,
    )


class _Simulated:
    """The built-in provider: no network, the same path."""

    def __init__(self, permitted: Permitted, timeouts: Timeouts) -> None:
        body = orjson.loads(_request(permitted, None, "").body)
        self._plan = simulated.simulate(permitted.call.endpoint, body, permitted.deployment.model)
        self._timeouts = timeouts

    async def __aenter__(self) -> UpstreamResponse:
        if self._plan.hang:
            await asyncio.sleep(self._timeouts.first_byte_s)
            raise AttemptFailed(
                UpstreamTimeout("upstream_timeout", "The provider did not answer in time."),
                sent=True,
                billed=True,
                again=True,
            )
        if self._plan.status != HTTPStatus.OK:
            raw = b"".join(chunk for _, chunk in self._plan.chunks)
            raise status_failure(self._plan.status, {}, openai_upstream.error_message(raw))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held."""

    async def read(self) -> bytes:
        """Return the whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body at the pace of the plan."""
        for delay_ms, chunk in self._plan.chunks:
            if delay_ms:
                await asyncio.sleep(delay_ms / 1000)
            yield chunk


REJECTED = frozenset(range(400, 500)) - {408}
UNBILLED = frozenset(range(400, 500)) | {500, 501, 502, 503}
"""Statuses for which providers do not charge. A 504, like silence, may have been charged for."""


def status_failure(status: int, headers: Mapping[str, str], message: str) -> AttemptFailed:
    """Return what a provider's bad status means for the client and for the money."""
    refusal: Refusal
    again = True
    if status in (401, 403):
        refusal = UpstreamFailed(
            "upstream_credential_rejected",
            "The provider refused our credential.",
            "Tell the operator: the credential of this provider must be replaced.",
        )
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        refusal = UpstreamLimited(
            "upstream_rate_limited",
            f"The provider's own rate limit is used up: {message}",
            "Try again later.",
            retry_after_s=_retry_after_s(headers),
        )
    elif status in REJECTED:
        refusal = UpstreamRejected("upstream_rejected", f"The provider refused: {message}")
        again = False
    else:
        refusal = UpstreamFailed("upstream_error", f"The provider failed with status {status}.")
    return AttemptFailed(refusal, sent=True, billed=status not in UNBILLED, again=again)


class UpstreamLimited(UpstreamFailed):
    """The provider limits us."""

    status = 429
    type = "rate_limit_error"


class UpstreamRejected(UpstreamFailed):
    """The provider says that the request itself is wrong."""

    status = 400
    type = "invalid_request_error"


def _retry_after_s(headers: Mapping[str, str]) -> float:
    given = headers.get("retry-after", "")
    return min(3600.0, float(given)) if given.isdigit() else 1.0


def _broken(error: BaseException) -> AttemptFailed:
    timed_out = isinstance(error, TimeoutError)
    refusal: Refusal = (
        UpstreamTimeout("upstream_timeout", "The provider stopped answering.")
        if timed_out
        else UpstreamFailed("upstream_error", "The connection to the provider broke.")
    )
    return AttemptFailed(refusal, sent=True, billed=True, again=True)
