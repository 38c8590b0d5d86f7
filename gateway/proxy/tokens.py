"""Bearer tokens that stand in for a credential: fetched once, kept until shortly before they end.

A call with a warm token waits for nothing. Of those that come without one, one asks and the others
wait for it; a failure holds for a moment, so that they do not ask one after the other.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from gateway.bundle import Deployment
from gateway.exchange import UpstreamRequest
from gateway.providers.azure import entra
from gateway.providers.azure.wire import BEARER
from gateway.providers.fault import BadAnswer, BadSetting
from gateway.proxy.attempt import AttemptFailed
from gateway.proxy.errors import Refusal, UpstreamFailed, UpstreamTimeout
from gateway.proxy.http1 import Broken, ReadTimeout
from gateway.proxy.upstream import ConnectTimeout, NotConnected, Pools

MARGIN_S = 120.0
"""How long before its end a token is no longer used: longer than a call takes to begin."""

FAILURE_S = 1.0
MOST_BYTES = 64 * 1024
MOST_TOKENS = 1024


class _Kept(NamedTuple):
    """A token, or why there is none; good until `until_s`."""

    text: str
    failure: Refusal | None
    until_s: float


class Tokens:
    """The tokens of one worker, by the credential that they were given for."""

    def __init__(self, pools: Pools, clock: Callable[[], float]) -> None:
        self._pools = pools
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def usable(self, deployment: Deployment, secret: str | None) -> str | None:
        """Return what to send for a secret: itself, or the token that it is good for.

        AttemptFailed, with nothing sent to the provider, where no token is given.
        """
        if secret is None or deployment.dialect != "azure-openai" or not secret.startswith("{"):
            return secret
        kept = self._warm(secret)
        if kept is None:
            async with self._asking.setdefault(secret, asyncio.Lock()):
                kept = self._warm(secret) or await self._ask(deployment, secret)
            self._asking.pop(secret, None)
        if kept.failure is not None:
            refusal = dataclasses.replace(kept.failure)  # each call writes its own id into it
            raise AttemptFailed(refusal, sent=False, billed=False, again=True)
        return kept.text

    def _warm(self, secret: str) -> _Kept | None:
        kept = self._kept.get(secret)
        return kept if kept is not None and self._clock() < kept.until_s else None

    async def _ask(self, deployment: Deployment, secret: str) -> _Kept:
        now_s = self._clock()
        try:
            asked = entra.read(secret)
            assert asked is not None  # noqa: S101  (it is JSON)
            request = entra.token_request(asked)
            token = await self._fetched(request, now_s, private=deployment.allow_private)
        except BadSetting as fault:
            kept = _Kept("", _rejected(str(fault)), now_s + FAILURE_S)
        except UpstreamFailed as failure:
            kept = _Kept("", failure, self._clock() + FAILURE_S)
        else:
            lasts_s = token.ends_s - now_s
            kept = _Kept(BEARER + token.text, None, token.ends_s - min(MARGIN_S, lasts_s / 2))
        if len(self._kept) >= MOST_TOKENS:
            self._kept.clear()
        self._kept[secret] = kept
        return kept

    async def _fetched(
        self, request: UpstreamRequest, now_s: float, *, private: bool
    ) -> entra.Token:
        """Return a new token; UpstreamFailed where none is given."""
        try:
            status, raw = await self._answer(request, private=private)
        except (ConnectTimeout, ReadTimeout):
            raise UpstreamTimeout(
                "upstream_timeout", "The provider's identity service did not answer in time."
            ) from None
        except (NotConnected, Broken):
            raise UpstreamFailed(
                "upstream_error", "The provider's identity service could not be reached."
            ) from None
        if status in range(400, 500) and status != HTTPStatus.TOO_MANY_REQUESTS:
            raise _rejected(f"its identity service answered {status}")
        if status != HTTPStatus.OK:
            raise UpstreamFailed(
                "upstream_error", f"The provider's identity service failed with status {status}."
            )
        try:
            return entra.read_token(raw, now_s)
        except BadAnswer as fault:
            raise UpstreamFailed(
                "upstream_error", f"The provider's identity service gave no token: {fault}."
            ) from None

    async def _answer(self, request: UpstreamRequest, *, private: bool) -> tuple[int, bytes]:
        response = await self._pools.post(request, self._pools.timeouts, private=private)
        try:
            return response.status, await response.read(MOST_BYTES)
        finally:
            response.close()


def _rejected(why: str) -> UpstreamFailed:
    return UpstreamFailed(
        "upstream_credential_rejected",
        f"The provider refused our credential: {why}.",
        "Tell the operator: the credential of this provider must be replaced.",
    )
