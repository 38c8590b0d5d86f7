"""The Idempotency-Keys whose requests are under way in this worker.

Each is leased for a short time, and its lease renewed while the request lives: a worker that dies
leaves its keys taken for `LEASE_S` at most, however long a call may take.
"""

import asyncio
import logging
from typing import NamedTuple

from gateway.proxy.store.answers import Answers
from gateway.proxy.store.connection import StoreDown, StoreError

log = logging.getLogger(__name__)

LEASE_S = 15.0
RENEWALS = 3
"""How often a lease is renewed before it could end: a late renewal or two do no harm."""


UNKEPT_MOST = 64
"""Answers that wait for Redis; beyond that the oldest is given up, and its key is free soon."""

Place = tuple[str, str]


class _Unkept(NamedTuple):
    """An answer that is to be laid down, in the name of the request of this mark."""

    mark: bytes
    data: bytes
    keep_ms: int


class Leases:
    """The keys that one worker holds. An answer counts as laid down once Redis says so: until then
    its key stays taken, lest the request be sent, and charged, once more."""

    def __init__(self, answers: Answers, lease_s: float = LEASE_S) -> None:
        self._answers = answers
        self._lease_ms = int(lease_s * 1000)
        self._every_s = lease_s / RENEWALS
        self._held: dict[Place, bytes] = {}
        self._unkept: dict[Place, _Unkept] = {}
        self._laying: set[asyncio.Task[None]] = set()

    async def claim(self, tenant_id: str, name: str, mark: bytes) -> bytes | None:
        """Take a name for a request; return what stands there if it is taken. Raises StoreDown or
        StoreError: then nobody knows, and what may have been taken lapses."""
        found = await self._answers.claim(tenant_id, name, mark, self._lease_ms)
        if found is None:
            self._held[tenant_id, name] = mark
        return found

    def answered(self, tenant_id: str, name: str, mark: bytes, data: bytes, keep_ms: int) -> None:
        """Lay down what the request of this mark got, in place of its lease."""
        self._unkept.pop((tenant_id, name), None)
        if len(self._unkept) >= UNKEPT_MOST:
            (tenant, other), given_up = next(iter(self._unkept.items()))
            del self._unkept[tenant, other]
            self._forget(tenant, other, given_up.mark)
        self._unkept[tenant_id, name] = _Unkept(mark, data, keep_ms)
        self._lay_soon((tenant_id, name))

    def release(self, tenant_id: str, name: str, mark: bytes) -> None:
        """Give a name free: the request of this mark got no answer."""
        self._forget(tenant_id, name, mark)
        self._answers.release_soon(tenant_id, name, mark)

    def _forget(self, tenant_id: str, name: str, mark: bytes) -> None:
        """Renew no more, unless another request has the name by now: its lease had ended."""
        if self._held.get((tenant_id, name)) == mark:
            del self._held[tenant_id, name]

    async def keep(self) -> None:
        """Renew what is held; runs until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            for (tenant_id, name), mark in self._held.items():
                self._answers.renew_soon(tenant_id, name, mark, self._lease_ms)
            for place in self._unkept:
                self._lay_soon(place)

    def _lay_soon(self, place: Place) -> None:
        task = asyncio.get_running_loop().create_task(self._lay(place))
        self._laying.add(task)
        task.add_done_callback(self._laying.discard)

    async def _lay(self, place: Place) -> None:
        unkept = self._unkept.get(place)
        if unkept is None:
            return
        try:
            await self._answers.keep(place[0], "once", place[1], unkept.data, unkept.keep_ms)
        except (StoreDown, StoreError) as error:
            log.warning("answer_not_kept_yet", extra={"error": str(error)})
            return
        if self._unkept.get(place) is unkept:
            del self._unkept[place]
        self._forget(*place, unkept.mark)
