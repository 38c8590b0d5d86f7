"""Identical calls that are under way at once in one worker: one is sent, the others wait for it."""

import asyncio

from gateway.proxy.kept import Kept


class Flights:
    """The calls that others wait for, by the name of the answer."""

    def __init__(self) -> None:
        self._open: dict[str, asyncio.Future[Kept | None]] = {}

    def lead(self, name: str) -> bool:
        """Begin a flight; False where another call leads one: then `follow` it."""
        if name in self._open:
            return False
        self._open[name] = asyncio.get_running_loop().create_future()
        return True

    async def follow(self, name: str, wait_s: float) -> Kept | None:
        """Return what the leader got; None where it got nothing, or not in time."""
        flight = self._open[name]
        await asyncio.wait([flight], timeout=wait_s)
        return flight.result() if flight.done() else None

    def land(self, name: str, kept: Kept | None) -> None:
        """End a flight that was led: whoever follows goes on with this, or by itself."""
        self._open.pop(name).set_result(kept)
