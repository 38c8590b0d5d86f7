"""The credentials that providers refused, shared by all workers: who was refused tells.

One hash, a field for each credential at a deployment: until when it rests, and how often it was
refused in a row. What lapsed long ago is taken away by whoever looks.
"""

import json
from typing import NamedTuple

from gateway.proxy.store.connection import Connection

KEY = "gatehouse:{circuits}:rests"
STALE_S = 3600.0


class Place(NamedTuple):
    """A credential, by its id, at a deployment."""

    deployment: str
    secret: str


class Rest(NamedTuple):
    """Until when a credential is left alone, and how often it was refused in a row."""

    until_s: float
    refused: int


async def tell(connection: Connection, place: Place, rest: Rest) -> None:
    """Tell the other workers that a credential rests."""
    said = json.dumps({"until_ms": int(rest.until_s * 1000), "refused": rest.refused})
    await connection.execute("HSET", KEY, _field(place), said)


async def forget(connection: Connection, place: Place) -> None:
    """Tell the other workers that a credential is taken again."""
    await connection.execute("HDEL", KEY, _field(place))


async def look(connection: Connection, now_s: float) -> dict[Place, Rest]:
    """Return what any worker has told; remove what is stale."""
    flat = await connection.execute("HGETALL", KEY)
    found: dict[Place, Rest] = {}
    stale: list[str] = []
    for name, text in zip(flat[::2], flat[1::2], strict=True):
        said = json.loads(text)
        rest = Rest(said["until_ms"] / 1000, said["refused"])
        if rest.until_s + STALE_S < now_s:
            stale.append(name.decode())
        else:
            found[Place(*json.loads(name))] = rest
    if stale:
        await connection.execute("HDEL", KEY, *stale)
    return found


def _field(place: Place) -> str:
    return json.dumps(place)
