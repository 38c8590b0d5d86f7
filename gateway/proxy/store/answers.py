"""Sealed answers in Redis: some may be given again, some were given to a request that is sent once.

Each kind has a bound on its bytes for each tenant, held here: an eviction by Redis could take
counters. All of a tenant's keys are in one slot.
"""

from pathlib import Path
from typing import Literal

from gateway.proxy.store.connection import Argument, Connection, Script

_HERE = Path(__file__).parent
KEEP = Script(_HERE / "keep.lua")
CLAIM = Script(_HERE / "claim.lua")
RENEW = Script(_HERE / "renew.lua")
RELEASE = Script(_HERE / "release.lua")
SCRIPTS = (KEEP, CLAIM, RENEW, RELEASE)

Kind = Literal["answer", "once"]


class Answers:
    """What is kept. Raises StoreDown or StoreError where somebody waits for a reply."""

    def __init__(self, connection: Connection, most_bytes: int) -> None:
        self.connection = connection
        self.most_bytes = most_bytes

    async def get(self, tenant_id: str, name: str) -> bytes | None:
        """Return the sealed answer of this name."""
        found: bytes | None = await self.connection.execute("GET", _key(tenant_id, "answer", name))
        return found

    def keep_soon(self, tenant_id: str, kind: Kind, name: str, data: bytes, keep_ms: int) -> None:
        """Keep a sealed answer for some time; nobody waits, and what fails is logged."""
        self.connection.run_soon(KEEP, *self._keeping(tenant_id, kind, name, data, keep_ms))

    async def keep(self, tenant_id: str, kind: Kind, name: str, data: bytes, keep_ms: int) -> None:
        """Keep a sealed answer for some time; raises StoreDown or StoreError."""
        await self.connection.run(KEEP, *self._keeping(tenant_id, kind, name, data, keep_ms))

    async def claim(self, tenant_id: str, name: str, mark: bytes, lease_ms: int) -> bytes | None:
        """Take a name for a request under way; return what stands there if it is taken."""
        reply = await self.connection.run(
            CLAIM, [_key(tenant_id, "once", name)], [name, mark, lease_ms]
        )
        return reply[1] if len(reply) > 1 else None

    def _keeping(
        self, tenant_id: str, kind: Kind, name: str, data: bytes, keep_ms: int
    ) -> tuple[list[str], list[Argument]]:
        prefix = _key(tenant_id, kind, "")
        keys = [prefix + name, f"{prefix}ends", f"{prefix}sizes"]
        return keys, [name, name, data, keep_ms, self.most_bytes, prefix]

    def renew_soon(self, tenant_id: str, name: str, mark: bytes, lease_ms: int) -> None:
        """Have a name taken for so long from now on, for the request that took it."""
        self.connection.run_soon(RENEW, [_key(tenant_id, "once", name)], [name, mark, lease_ms])

    def release_soon(self, tenant_id: str, name: str, mark: bytes) -> None:
        """Give a name free that a request took which got no answer."""
        self.connection.run_soon(RELEASE, [_key(tenant_id, "once", name)], [name, mark])


def _key(tenant_id: str, kind: Kind, name: str) -> str:
    return f"gatehouse:{{{tenant_id}}}:{kind}:{name}"
