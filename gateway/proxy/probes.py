"""The permits to probe deployments that were left alone: one worker of all sends the one call.

While Redis is away nobody can be asked, and each worker goes by its own circuit.
"""

import asyncio
import logging

from gateway.proxy.stations import Station
from gateway.proxy.store import probes
from gateway.proxy.store.connection import Connection, StoreDown, StoreError

log = logging.getLogger(__name__)


class Probes:
    """The permits of one worker, which `owner` names among the others."""

    def __init__(self, connection: Connection, owner: str) -> None:
        self._connection = connection
        self._owner = owner
        self._held: set[str] = set()
        self._returning: set[asyncio.Task[None]] = set()

    async def permits(self, station: Station) -> bool:
        """Return whether a call may be sent; to a deployment that is well, always."""
        if not station.circuit.trips:
            return True
        try:
            taken = await probes.claim(self._connection, station.id, self._owner)
        except (StoreDown, StoreError) as error:
            log.debug("probe_not_shared", extra={"error": str(error)})
            return True
        except asyncio.CancelledError:  # nobody knows whether it was taken
            self._held.add(station.id)
            self.over(station)
            raise
        if taken:
            self._held.add(station.id)
        return taken

    def over(self, station: Station) -> None:
        """Give the permit back, if there was one; nobody waits for it."""
        if station.id not in self._held:
            return
        self._held.discard(station.id)
        task = asyncio.get_running_loop().create_task(self._give_back(station.id))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _give_back(self, deployment_id: str) -> None:
        try:
            await probes.give_back(self._connection, deployment_id, self._owner)
        except (StoreDown, StoreError) as error:
            log.debug("probe_not_given_back", extra={"error": str(error)})
