"""/readyz: whether this worker can serve governed calls now."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.proxy.loader import DatabaseDown
from gateway.proxy.runtime import Worker
from gateway.proxy.store.connection import StoreDown, StoreError

CHECK_S = 2.0


async def readiness(worker: Worker) -> tuple[int, dict[str, Any]]:
    """Return 200 or 503, and what each check says."""
    names = {
        "database": lambda: _database(worker),
        "migrations": lambda: _migrations(worker),
        "redis": lambda: _redis(worker),
        "keys": lambda: _keys(worker),
    }
    found = await asyncio.gather(*(_checked(check) for check in names.values()))
    checks = {
        name: {"ok": not fault, "detail": fault or "ok"}
        for name, fault in zip(names, found, strict=True)
    }
    ready = not any(found)
    return (200 if ready else 503), {"status": "ready" if ready else "not ready", "checks": checks}


async def _checked(check: Callable[[], Awaitable[str]]) -> str:
    try:
        async with asyncio.timeout(CHECK_S):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_S:.0f} s"
    except (DatabaseDown, StoreDown, StoreError) as error:
        return f"{type(error).__name__}: {error}"


async def _database(worker: Worker) -> str:
    await worker.loader.ping()
    return ""


async def _migrations(worker: Worker) -> str:
    return await worker.loader.schema_fault()


async def _redis(worker: Worker) -> str:
    info = (await worker.redis.execute("INFO", "memory")).decode()
    policy = next(
        (
            line.partition(":")[2]
            for line in info.splitlines()
            if line.startswith("maxmemory_policy")
        ),
        "unknown",
    )
    if policy != "noeviction":
        return f"maxmemory-policy is {policy}; counters need noeviction"
    return ""


async def _keys(worker: Worker) -> str:
    foreign = await worker.loader.foreign_credentials(worker.key_ids)
    return f"{foreign} credentials are sealed with a master key that is not here" if foreign else ""
