"""A second attempt beside a first one that is silent: who begins to answer first serves the call.

Each has its own hold and its own record. The one that is beaten is ended at once, and paid for in
full: it was sent, and nobody can prove that it is not billed.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.proxy.attempt import AttemptFailed
from gateway.proxy.errors import Refusal, UpstreamFailed
from gateway.proxy.passage import Outcome, Trial

Leg = asyncio.Task[Outcome]


class Race:
    """The attempts that run side by side for one call."""

    def __init__(self) -> None:
        self._legs: list[Leg] = []
        self._winner: Leg | None = None
        self.beaten: list[Trial] = []

    @property
    def is_won(self) -> bool:
        """Whether one of them has begun to answer."""
        return self._winner is not None

    def start(self, attempt: Coroutine[Any, Any, Outcome], unsent: Callable[[], None]) -> None:
        """Let one more run; `unsent` closes it where it was ended before it began."""
        leg = asyncio.get_running_loop().create_task(attempt)
        leg.add_done_callback(lambda done: unsent() if done.cancelled() else None)
        self._legs.append(leg)
        if self.is_won:  # while the attempt was admitted
            leg.cancel()

    def win(self) -> None:
        """Let the leg that calls this serve the call, and end the others."""
        own = asyncio.current_task()
        if self._winner is not None:
            raise AttemptFailed(beaten(), sent=True, billed=True, again=False)
        for leg in self._legs:
            if leg is own:
                self._winner = leg
            else:
                leg.cancel()

    def lost(self) -> Refusal | None:
        """Return why the leg that calls this was ended; None where it was not beaten."""
        is_beaten = self._winner is not None and self._winner is not asyncio.current_task()
        return beaten() if is_beaten else None

    def deferred(self, trial: Trial) -> bool:
        """Keep the attempt of a beaten leg, to be closed when it is known how the call ended."""
        if self.lost() is None:
            return False
        self.beaten.append(trial)
        return True

    async def head_start(self, seconds: float) -> bool:
        """Return whether the first leg is still silent after so many seconds."""
        done, _ = await asyncio.wait(self._legs, timeout=seconds)
        return not done and not self.is_won

    async def outcome(self) -> Outcome:
        """Return how the winner ended, or how the last leg failed; nothing runs on after it."""
        try:
            await asyncio.wait(self._legs)
        except asyncio.CancelledError:
            await self.end()
            raise
        return (self._winner or self._legs[-1]).result()

    async def end(self) -> None:
        """End every leg, and wait until each has closed its attempt."""
        for leg in self._legs:
            leg.cancel()
        await asyncio.wait(self._legs)


def beaten() -> UpstreamFailed:
    """Return why an attempt ended that another one overtook."""
    return UpstreamFailed("hedge_lost", "Another attempt at this call answered first.")
