"""Leases that ended: an admitted attempt is posted in full, every other is released."""

import asyncio

from gateway.proxy.evidence.sweeping import Sweep
from gateway.proxy.store.connection import Connection
from gateway.proxy.store.counters import Counters

MOST = 500
CONNECT_S = 5.0


async def sweep(database_url: str, redis_url: str, timeout_s: float) -> tuple[int, int]:
    """Sweep once; return how many attempts were lost and how many holds were released in Redis."""
    database = await Sweep.connect(database_url)
    redis = Connection(redis_url, timeout_s)
    keeper = asyncio.get_running_loop().create_task(redis.keep())
    try:
        lost = await database.post_lost(MOST)
        await _until_up(redis)
        counters, released = Counters(redis), 0
        for tenant_id in await database.tenants():
            released += await _release(database, counters, tenant_id)
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await database.close()
    return lost, released


async def _release(database: Sweep, counters: Counters, tenant_id: str) -> int:
    released = 0
    for lapsed in await counters.lapsed(tenant_id, MOST):
        state, micros = await database.void(tenant_id, lapsed.operation, lapsed.epoch, lapsed.seq)
        if state == "open":  # its lease in PostgreSQL ends later: the next sweep posts it
            continue
        await counters.settle_lapsed(tenant_id, lapsed, 0 if state == "void" else micros)
        released += 1
    return released


async def _until_up(redis: Connection) -> None:
    async with asyncio.timeout(CONNECT_S):
        await redis.up.wait()
