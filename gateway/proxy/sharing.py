"""Circuits and refused credentials over workers: what one found open or refused, all leave alone
within a second; the same for what is well again.

While Redis is away each worker goes by its own circuits, and tells what is open once it is back.
"""

import asyncio
import logging

from gateway.proxy.stations import Station, Stations
from gateway.proxy.store import circuits, rests
from gateway.proxy.store.circuits import Opened
from gateway.proxy.store.connection import Connection, StoreDown, StoreError
from gateway.proxy.store.rests import Place

log = logging.getLogger(__name__)

EVERY_S = 0.4


class Sharing:
    """Keeps the circuits of one worker together with those of the others."""

    def __init__(self, stations: Stations, connection: Connection) -> None:
        self._stations = stations
        self._connection = connection
        self._untold: dict[str, Station] = {}
        self._untold_rests: set[Place] = set()
        self._wake = asyncio.Event()
        stations.changed = self._changed
        stations.keyring.changed = self._rest_changed

    async def keep(self) -> None:
        """Tell and look, several times a second; runs until cancelled."""
        while True:
            try:
                await self._tell()
                await self._tell_rests()
                await self._look()
            except (StoreDown, StoreError) as error:
                log.debug("circuits_not_shared", extra={"error": str(error)})
                await asyncio.sleep(EVERY_S)
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _changed(self, station: Station) -> None:
        self._untold[station.id] = station
        self._wake.set()

    def _rest_changed(self, place: Place) -> None:
        self._untold_rests.add(place)
        self._wake.set()

    async def _tell_rests(self) -> None:
        while self._untold_rests:
            place = self._untold_rests.pop()
            try:
                rest = self._stations.keyring.refused_at(place)
                if rest is None:
                    await rests.forget(self._connection, place)
                else:
                    await rests.tell(self._connection, place, rest)
            except BaseException:
                self._untold_rests.add(place)
                raise

    async def _tell(self) -> None:
        self._wake.clear()
        while self._untold:
            name, station = self._untold.popitem()
            try:
                await self._tell_of(station)
            except BaseException:
                self._untold.setdefault(name, station)
                raise

    async def _tell_of(self, station: Station) -> None:
        if station.circuit.trips:
            opened = Opened(station.circuit.until_s, "calls")
            await circuits.tell(self._connection, station.id, opened)
            station.is_shared = True
        else:
            await circuits.forget(self._connection, station.id)
            station.is_shared = False

    async def _look(self) -> None:
        told = await circuits.look(self._connection, self._stations.now_s())
        resting = await rests.look(self._connection, self._stations.now_s())
        if not self._untold_rests:
            self._stations.keyring.adopt(resting)
        for station in self._stations.known():
            if station.id in self._untold:
                continue
            opened = told.get(station.id)
            if opened is not None and opened.until_s > station.circuit.until_s:
                self._stations.adopt(station, opened.until_s)
            elif opened is None and station.is_shared:
                self._stations.close(station)
