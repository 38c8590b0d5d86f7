"""The Idempotency-Keys whose requests are under way in this worker.

Each is leased for a short time, and its lease renewed while the request lives: a worker that dies
leaves its keys taken for `LEASE_S` at most, however long a call may take.
"""

import asyncio

from gateway.proxy.store.answers import Answers

LEASE_S = 15.0
RENEWALS = 3
"""How often a lease is renewed before it could end: a late renewal or two do no harm."""


class Leases:
    """The keys that one worker holds."""

    def __init__(self, answers: Answers, lease_s: float = LEASE_S) -> None:
        self._answers = answers
        self._lease_ms = int(lease_s * 1000)
        self._every_s = lease_s / RENEWALS
        self._held: dict[tuple[str, str], bytes] = {}

    async def claim(self, tenant_id: str, name: str, mark: bytes) -> bytes | None:
        """Take a name for a request; return what stands there if it is taken. Raises StoreDown or
        StoreError: then nobody knows, and what may have been taken lapses."""
        found = await self._answers.claim(tenant_id, name, mark, self._lease_ms)
        if found is None:
            self._held[tenant_id, name] = mark
        return found

    def answered(self, tenant_id: str, name: str, data: bytes, keep_ms: int) -> None:
        """Lay down what the request got, in place of the lease."""
        self._held.pop((tenant_id, name), None)
        self._answers.keep_soon(tenant_id, "once", name, data, keep_ms)

    def release(self, tenant_id: str, name: str) -> None:
        """Give a name free: its request got no answer."""
        mark = self._held.pop((tenant_id, name), None)
        if mark is not None:
            self._answers.release_soon(tenant_id, name, mark)

    async def keep(self) -> None:
        """Renew what is held; runs until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            for (tenant_id, name), mark in self._held.items():
                self._answers.renew_soon(tenant_id, name, mark, self._lease_ms)
