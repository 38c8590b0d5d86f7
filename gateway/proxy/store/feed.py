"""News of new revisions over Redis: it makes changes arrive sooner, the poll makes them arrive."""

import asyncio
import logging
from collections.abc import Callable

import redis
import redis.asyncio

log = logging.getLogger(__name__)

CHANNEL = "gatehouse:revisions"
RETRY_S = 1.0


def announce(redis_url: str, tenant_id: str, revision: int) -> bool:
    """Tell every worker of a tenant's new revision. False when Redis is away: the poll will do."""
    client = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
    try:
        client.publish(CHANNEL, f"{tenant_id}:{revision}")
    except redis.RedisError as error:
        log.warning("announce_failed", extra={"error": type(error).__name__})
        return False
    finally:
        client.close()
    return True


async def listen(redis_url: str, heard: Callable[[str], None]) -> None:
    """Call `heard` with the tenant's id for each announcement; runs until cancelled."""
    while True:
        client = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=5)
        try:
            async with client.pubsub() as subscription:
                await subscription.subscribe(CHANNEL)
                async for message in subscription.listen():
                    if message["type"] == "message":
                        heard(message["data"].decode().partition(":")[0])
        except (redis.RedisError, OSError) as error:
            log.warning("feed_lost", extra={"error": type(error).__name__})
        finally:
            await client.aclose()
        await asyncio.sleep(RETRY_S)
