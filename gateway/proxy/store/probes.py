"""Who may probe a deployment that was left alone: one worker of all at a time.

A permit is a key that only its owner takes away, and that lapses by itself, should its owner die.
"""

from gateway.proxy.store.circuits import KEY
from gateway.proxy.store.connection import Connection

LASTS_MS = 60_000
_GIVE_BACK = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)


async def claim(connection: Connection, deployment_id: str, owner: str) -> bool:
    """Take the permit for a deployment; False where another has it."""
    taken = await connection.execute(
        "SET", _key(deployment_id), owner, "NX", "PX", str(LASTS_MS)
    )  # fmt: skip
    return taken is not None


async def give_back(connection: Connection, deployment_id: str, owner: str) -> None:
    """Give a permit back, if it is still this owner's."""
    await connection.execute("EVAL", _GIVE_BACK, "1", _key(deployment_id), owner)


def _key(deployment_id: str) -> str:
    return f"{KEY}:probe:{deployment_id}"
