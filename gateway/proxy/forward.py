"""Step 9: the only place that calls providers. It takes nothing but a permitted call.

The secret lives beside the one origin that it belongs to, and redirects are not followed.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Protocol

from gateway.bundle import Deployment
from gateway.exchange import Permitted, UpstreamRequest
from gateway.providers.credential import concealed
from gateway.providers.dialect import Errand
from gateway.providers.dialects import SERVICE, WIRES, wire
from gateway.providers.simulated import answer as simulated
from gateway.proxy.attempt import MOST_ANSWER_BYTES, AttemptFailed, unreadable
from gateway.proxy.coding import BadCoding, UnfoldsTooFar
from gateway.proxy.errors import Refusal, UpstreamFailed, UpstreamLimited, UpstreamTimeout
from gateway.proxy.http1 import Broken, ReadTimeout, Response, TooLong
from gateway.proxy.keyring import credential_refused
from gateway.proxy.unfolding import Unfolding, beginning, unfolding
from gateway.proxy.upstream import ConnectTimeout, NotConnected, Pools, Timeouts, Unsendable
from gateway.routing.quota import retry_after_s

MOST_ERROR_BYTES = 64 * 1024
ANSWERED = frozenset({HTTPStatus.OK})
GOOD = {SERVICE: frozenset({200, 201, 202, 204})}
"""The statuses of an answer, where others than 200 are."""


class Sending(NamedTuple):
    """What goes along with a call and is none of it: our secret at the provider, our name for the
    attempt, the instant, the trace that the client says the call is part of, and the headers that
    are declared for providers."""

    secret: str | None
    request_id: str
    now_s: float
    traceparent: str = ""
    headers: Mapping[str, str] | None = None


def forward(
    permitted: Permitted, sending: Sending, pools: Pools
) -> AbstractAsyncContextManager["UpstreamResponse"]:
    """Send a permitted call to its deployment; the context holds the connection.

    Entering it raises AttemptFailed unless the provider began a good answer.
    """
    if permitted.deployment.dialect == "simulated":
        return _Simulated(permitted, pools.timeouts.unless(permitted.deployment.timeouts))
    request = _request(permitted, sending)
    return _Exchange(request, permitted.deployment, sending.secret, pools)


class UpstreamResponse(Protocol):
    """An answer with a good status, whose bytes are still to be read."""

    @property
    def status(self) -> int:
        """The status of the answer."""

    @property
    def content_type(self) -> str:
        """What the provider says its bytes are, in lower case, without parameters."""

    async def read(self) -> bytes:
        """Return the whole body, bounded."""

    async def more(self) -> bytes:
        """Return what is here of the body, at least a byte of it; b"" behind its end."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What the provider says beside its answer, such as what is left of its limits."""


class _Exchange:
    """One HTTP exchange with a provider."""

    def __init__(
        self, request: UpstreamRequest, deployment: Deployment, secret: str | None, pools: Pools
    ) -> None:
        self._private = deployment.allow_private
        self._wire = wire(deployment.dialect)
        self._good = GOOD.get(deployment.dialect, ANSWERED)
        self._secret = secret
        self._pools = pools
        self._timeouts = pools.timeouts.unless(deployment.timeouts)
        self._request = request
        self._response: Response  # there once it was entered
        self._unfolding: Unfolding | None = None

    async def __aenter__(self) -> UpstreamResponse:
        response = self._response = await self._send()
        if response.status in self._good:  # a redirect is no answer, whatever its body says
            try:
                self._unfolding = unfolding(_coding(response), MOST_ANSWER_BYTES)
            except BadCoding:
                response.close()
                raise unreadable("is in a content coding that is not known") from None
            response.allow_pauses(self._timeouts.idle_s)
            return self
        try:
            raise await self._bad_status(response)
        finally:
            response.close()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._response.close()

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer."""
        return self._response.headers

    @property
    def content_type(self) -> str:
        """What the provider says its bytes are."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def read(self) -> bytes:
        """Return the whole body."""
        if self._unfolding is not None:
            return await _all(self)
        try:
            return await self._response.read(MOST_ANSWER_BYTES)
        except TooLong:
            raise unreadable(f"is larger than {MOST_ANSWER_BYTES} bytes") from None
        except Broken as error:
            raise _broken(error) from error

    async def more(self) -> bytes:
        """Return what is here of the body, unfolded; b"" behind its end."""
        try:
            data = await self._response.more()
            folded = self._unfolding
            if folded is None:
                return data
            while data:
                if unfolded := b"".join(folded.feed(data)):
                    return unfolded
                data = await self._response.more()
            folded.close()
        except Broken as error:
            raise _broken(error) from error
        except (BadCoding, UnfoldsTooFar) as error:
            raise unreadable(f"could not be unfolded: {error}") from error
        return b""

    async def _send(self) -> Response:
        pools, request, timeouts = self._pools, self._request, self._timeouts
        try:
            try:
                return await pools.post(request, timeouts, private=self._private)
            except (ConnectTimeout, Unsendable):
                raise
            except NotConnected:  # nothing was sent: the same attempt, once more
                return await pools.post(request, timeouts, private=self._private)
        except NotConnected as error:
            refusal: Refusal = UpstreamFailed("upstream_error", _not_reached(error))
            if isinstance(error, ConnectTimeout):
                refusal = UpstreamTimeout(
                    "upstream_timeout", "The provider did not answer in time."
                )
            raise AttemptFailed(refusal, sent=False, billed=False, again=True) from error
        except ReadTimeout as error:
            raise AttemptFailed(
                UpstreamTimeout("upstream_timeout", "The provider did not answer in time."),
                sent=True,
                billed=True,
                again=True,
            ) from error
        except Broken as error:
            raise _broken(error) from error

    async def _bad_status(self, response: Response) -> AttemptFailed:
        try:
            raw = (await response.more())[:MOST_ERROR_BYTES]
        except Broken:
            raw = b""
        raw = beginning(_coding(response), raw, MOST_ERROR_BYTES)
        message = self._wire.error_message(raw) or f"status {response.status}"
        meant = self._wire.meaning(response.status, raw)
        failure = status_failure(meant.status, response.headers, concealed(message, self._secret))
        failure.billed = failure.billed or meant.charged
        return failure


def _request(permitted: Permitted, sending: Sending) -> UpstreamRequest:
    """Return what goes to the deployment: made of the judged value and nothing else."""
    deployment = permitted.deployment
    errand = Errand(
        deployment.base_url,
        deployment.model,
        sending.secret,
        permitted.call.stream,
        sending.request_id,
        sending.now_s,
    )
    request = wire(deployment.dialect).request(permitted.outgoing, errand)
    if sending.headers:  # ours win, whatever was declared
        taken = {name.lower() for name in request.headers}
        more = {name: text for name, text in sending.headers.items() if name not in taken}
        request = replace(request, headers={**request.headers, **more})
    if not sending.traceparent:
        return request
    return replace(request, headers={**request.headers, "traceparent": sending.traceparent})


def _coding(response: Response) -> str:
    """Return in what content coding an answer comes: we ask for none, and some use one anyway."""
    return response.headers.get("content-encoding", "")


class _Simulated:
    """The built-in provider: no network, the same path."""

    status = int(HTTPStatus.OK)

    def __init__(self, permitted: Permitted, timeouts: Timeouts) -> None:
        sent = permitted.outgoing
        model = permitted.deployment.model
        self._plan = simulated.simulate(sent.operation, sent.body, model, sent.file)
        self._chunks = iter(self._plan.chunks)
        self._timeouts = timeouts
        self.headers: Mapping[str, str] = {}

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
            raise status_failure(self._plan.status, {}, WIRES["simulated"].error_message(raw))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held."""

    @property
    def content_type(self) -> str:
        """What the plan says: of a stream of events, nobody asks."""
        return self._plan.content_type

    async def read(self) -> bytes:
        """Return the whole body."""
        return await _all(self)

    async def more(self) -> bytes:
        """Return the next chunk at the pace of the plan."""
        for delay_ms, chunk in self._chunks:
            if delay_ms:
                await asyncio.sleep(delay_ms / 1000)
            if chunk:
                return chunk
        return b""


async def _all(response: UpstreamResponse) -> bytes:
    parts = []
    while data := await response.more():
        parts.append(data)
    return b"".join(parts)


REJECTED = frozenset(range(400, 500)) - {408}
UNBILLED = frozenset(range(400, 500)) | {500, 501, 502, 503, 529}
"""Statuses for which providers do not charge; 529 says that they are overloaded.
A 504, like silence, may have been charged for."""


def status_failure(status: int, headers: Mapping[str, str], message: str) -> AttemptFailed:
    """Return what a provider's bad status means for the client and for the money."""
    refusal: Refusal
    again = True
    if status in (401, 403):
        refusal = credential_refused()
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        refusal = UpstreamLimited(
            "upstream_rate_limited",
            f"The provider's own rate limit is used up: {message}",
            "Try again later.",
            retry_after_s=retry_after_s(headers, time.time()),
        )
    elif status in REJECTED:
        refusal = UpstreamRejected("upstream_rejected", f"The provider refused: {message}")
        again = False
    else:
        refusal = UpstreamFailed("upstream_error", f"The provider failed with status {status}.")
    return AttemptFailed(refusal, sent=True, billed=status not in UNBILLED, again=again)


class UpstreamRejected(UpstreamFailed):
    """The provider says that the request itself is wrong."""

    status = 400
    type = "invalid_request_error"


def _not_reached(error: NotConnected) -> str:
    if isinstance(error, Unsendable):
        return f"The provider cannot be called: {error}."
    return "The provider could not be reached."


def _broken(error: Broken) -> AttemptFailed:
    refusal: Refusal = (
        UpstreamTimeout("upstream_timeout", "The provider stopped answering.")
        if isinstance(error, ReadTimeout)
        else UpstreamFailed("upstream_error", "The connection to the provider broke.")
    )
    return AttemptFailed(refusal, sent=True, billed=True, again=True)
