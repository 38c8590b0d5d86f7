"""A bound on how much is under way at once, and a short queue before it, shared fairly by tenants.

What is beyond both is refused at once, so that many times the load that a worker can carry costs it
little more than reading heads, and who is let in does not wait for long. Whose turn it is goes by
who has the fewest in, and among equals by turns; and who has the fewest waiting finds a place in a
full queue, in front of whom the one with the most gives way. So the flood of one is its own.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from gateway.proxy.errors import Unavailable

RETRY_AFTER_S = 1.0


class Gate:
    """Lets `most` in at once and as many wait as `queue`, for `wait_s` at most. Each comes for a
    `group`, a tenant; those of one are let in in their order."""

    __slots__ = ("_in", "_inside", "_most", "_queue", "_shed", "_wait_s", "_waiting")

    def __init__(self, most: int, queue: int, wait_s: float, shed: Callable[[], None]) -> None:
        self._most = most
        self._queue = queue
        self._wait_s = wait_s
        self._shed = shed
        self._in = 0
        self._inside: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def inside(self) -> int:
        """How many are in."""
        return self._in

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def try_enter(self, group: str = "") -> bool:
        """Enter if there is room now."""
        if self._in >= self._most:
            return False
        self._in += 1
        self._inside[group] += 1
        return True

    def enters_at_once(self, group: str = "") -> bool:
        """Enter if there is room now and nobody waits for it."""
        return not self._waiting and self.try_enter(group)

    async def enter(self, group: str = "") -> None:
        """Enter, when there is room; raise Unavailable where that would take too long."""
        if self.enters_at_once(group):
            return
        if self.waiting >= self._queue and not self._gives_way_to(group):
            raise self._overloaded()
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(self._wait_s, self._give_up, group, turn)
        self._waiting.setdefault(group, deque()).append(turn)
        try:
            await turn
        except TimeoutError:
            raise self._overloaded() from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(group)  # the turn came, and nobody is there to take it
            else:
                self._forget(group, turn)
            raise
        finally:
            timer.cancel()

    def leave(self, group: str = "") -> None:
        """Make room for one: of those who wait, whose group has the fewest in."""
        self._inside[group] -= 1
        if self._inside[group] <= 0:
            del self._inside[group]
        while self._waiting:
            group = min(self._waiting, key=self._inside.__getitem__)
            turn = self._waiting[group][0]
            self._forget(group, turn)
            if group in self._waiting:  # among equals it comes last from now on
                self._waiting[group] = self._waiting.pop(group)
            if not turn.done():
                self._inside[group] += 1
                turn.set_result(None)
                return
        self._in -= 1

    def _gives_way_to(self, group: str) -> bool:
        """Make a place in a full queue for a group that has fewer there than another, whose newest
        is refused; False where it has not."""
        longest = max(self._waiting, key=lambda name: len(self._waiting[name]), default=group)
        if len(self._waiting.get(longest, ())) <= len(self._waiting.get(group, ())) + 1:
            return False
        self._give_up(longest, self._waiting[longest][-1])
        return True

    def _give_up(self, group: str, turn: "asyncio.Future[None]") -> None:
        if not turn.done():
            self._forget(group, turn)
            turn.set_exception(TimeoutError())

    def _forget(self, group: str, turn: "asyncio.Future[None]") -> None:
        """Take one out of the queue, if it is still there."""
        waiting = self._waiting.get(group, ())
        if waiting and turn in waiting:
            waiting.remove(turn)
        if not waiting:
            self._waiting.pop(group, None)

    def _overloaded(self) -> Unavailable:
        self._shed()
        return Unavailable(
            "overloaded",
            "The gateway has more calls under way than it can carry.",
            "Try again shortly; SDKs do so by themselves.",
            retry_after_s=RETRY_AFTER_S,
        )
