"""How an attempt at a provider can fail: what the client hears, and what it may have cost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from gateway.bundle import Timeouts
from gateway.proxy.errors import Refusal, UpstreamFailed, UpstreamTimeout

MOST_ANSWER_BYTES = 16 * 1024 * 1024


class AttemptFailed(Exception):
    """One attempt gave no answer that can be passed on.

    `sent`: whether anything may have reached the provider. `billed`: whether it may be charged for.
    `again`: whether another deployment may be tried. `refusal` is what the client hears.
    """

    def __init__(self, refusal: Refusal, *, sent: bool, billed: bool, again: bool) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.sent = sent
        self.billed = billed
        self.again = again


_UNBOUNDED = nullcontext()


def within(timeouts: Timeouts | None) -> AbstractAsyncContextManager[None]:
    """Bound an attempt where its deployment has a time of its own; the call's is bounded anyway."""
    if timeouts is None or not timeouts.total_s:
        return _UNBOUNDED
    return _within(timeouts.total_s)


@asynccontextmanager
async def _within(total_s: float) -> AsyncIterator[None]:
    timeout = asyncio.timeout(total_s)
    try:
        async with timeout:
            yield
    except TimeoutError:
        if not timeout.expired():
            raise
        refusal = UpstreamTimeout("upstream_timeout", "The answer took longer than it may there.")
        raise AttemptFailed(refusal, sent=True, billed=True, again=True) from None


def unreadable(why: str) -> AttemptFailed:
    """Return the failure of an attempt whose answer is no answer."""
    return AttemptFailed(
        UpstreamFailed("upstream_error", f"The provider's answer {why}."),
        sent=True,
        billed=True,
        again=False,
    )
