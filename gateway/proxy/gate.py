"""A bound on how much is under way at once, and a short queue before it.

What is beyond both is refused at once, so that many times the load that a worker can carry costs it
little more than reading heads, and who is let in does not wait for long.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.proxy.errors import Unavailable

RETRY_AFTER_S = 1.0


class Gate:
    """Lets `most` in at once and as many wait as `queue`, in order, for `wait_s` at most."""

    __slots__ = ("_in", "_most", "_queue", "_shed", "_wait_s", "_waiting")

    def __init__(self, most: int, queue: int, wait_s: float, shed: Callable[[], None]) -> None:
        self._most = most
        self._queue = queue
        self._wait_s = wait_s
        self._shed = shed
        self._in = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def inside(self) -> int:
        """How many are in."""
        return self._in

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def try_enter(self) -> bool:
        """Enter if there is room now."""
        if self._in >= self._most:
            return False
        self._in += 1
        return True

    async def enter(self) -> None:
        """Enter, when there is room; raise Unavailable where that would take too long."""
        if not self._waiting and self.try_enter():
            return
        while self._waiting and self._waiting[0].done():  # it gave up
            del self._waiting[0]
        if len(self._waiting) >= self._queue:
            raise self._overloaded()
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(self._wait_s, _give_up, turn)
        self._waiting.append(turn)
        try:
            await turn
        except TimeoutError:
            raise self._overloaded() from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # the turn came, and nobody is there to take it
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Make room for one: the one who waits longest, if any does."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._in -= 1

    def _overloaded(self) -> Unavailable:
        self._shed()
        return Unavailable(
            "overloaded",
            "The gateway has more calls under way than it can carry.",
            "Try again shortly; SDKs do so by themselves.",
            retry_after_s=RETRY_AFTER_S,
        )


def _give_up(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
