"""The circuits that are open, shared by all workers: who opened one tells, the others look.

One hash, a field for each deployment that is left alone: until when, by whose finding, and why.
What nobody has renewed for a while is stale, whoever wrote it.
"""

import json
from typing import NamedTuple, cast

import redis

from gateway.proxy.store.connection import Connection

KEY = "gatehouse:{circuits}"
STALE_S = 120.0


class Opened(NamedTuple):
    """A deployment that is left alone until an instant; `why` is `calls` or `health`."""

    until_s: float
    why: str


async def tell(connection: Connection, deployment_id: str, opened: Opened) -> None:
    """Tell the other workers that a deployment is left alone."""
    await connection.execute("HSET", KEY, deployment_id, _text(opened))


async def forget(connection: Connection, deployment_id: str) -> None:
    """Tell the other workers that a deployment is well."""
    await connection.execute("HDEL", KEY, deployment_id)


async def look(connection: Connection, now_s: float) -> dict[str, Opened]:
    """Return what any worker has told; remove what is stale."""
    flat = await connection.execute("HGETALL", KEY)
    found, stale = _read(dict(zip(flat[::2], flat[1::2], strict=True)), now_s)
    if stale:
        await connection.execute("HDEL", KEY, *stale)
    return found


def seen(redis_url: str, now_s: float) -> dict[str, Opened] | None:
    """Return the same for the control plane; None while Redis is away."""
    client = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
    try:
        found, _ = _read(cast("dict[bytes, bytes]", client.hgetall(KEY)), now_s)
    except redis.RedisError:
        return None
    finally:
        client.close()
    return found


def mark(redis_url: str, opened: dict[str, Opened], well: list[str]) -> bool:
    """Say what a health check found: who is left alone, and who no longer. False: Redis is away."""
    client = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
    try:
        if opened:
            client.hset(KEY, mapping={name: _text(one) for name, one in opened.items()})
        if well:
            client.hdel(KEY, *well)
    except redis.RedisError:
        return False
    finally:
        client.close()
    return True


def _text(opened: Opened) -> str:
    return json.dumps({"until_ms": int(opened.until_s * 1000), "why": opened.why})


def _read(raw: dict[bytes, bytes], now_s: float) -> tuple[dict[str, Opened], list[str]]:
    found, stale = {}, []
    for name, text in raw.items():
        said = json.loads(text)
        opened = Opened(said["until_ms"] / 1000, said["why"])
        if opened.until_s + STALE_S < now_s:
            stale.append(name.decode())
        else:
            found[name.decode()] = opened
    return found, stale
