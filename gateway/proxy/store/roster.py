"""Who works: each process says every few seconds that it lives, for operators alone.

One hash, a field for each process. Nothing is decided by it, and no call waits for it: where Redis
is away the roster is unknown, and the processes work on.
"""

import asyncio
import json
import logging
import os
import platform
from collections.abc import Callable
from typing import Any, NamedTuple

import redis
import redis.asyncio

from gateway.proxy.store.survey import SurveyError
from gateway.version import VERSION

log = logging.getLogger(__name__)

ROSTER = "gatehouse:workers"
EVERY_S = 5.0
LATE_S = 20.0
FORGET_S = 600.0
TIMEOUT_S = 2.0


class Seat(NamedTuple):
    """One process: `kind` is web, worker or beat; times are seconds since the epoch."""

    kind: str
    host: str
    pid: int
    role: str
    version: str
    started_at: float

    @property
    def field(self) -> str:
        """What tells it from all others."""
        return f"{self.kind} {self.host} {self.pid} {self.started_at:.3f}"


class Seen(NamedTuple):
    """A process, when it was last heard of, and whether that is too long ago."""

    seat: Seat
    seen_at: float
    is_late: bool


def seat(kind: str, role: str, now_s: float) -> Seat:
    """Return the seat of this process, which starts now."""
    return Seat(kind, platform.node(), os.getpid(), role, VERSION, now_s)


async def attend(redis_url: str, mine: Seat, clock: Callable[[], float]) -> None:
    """Say that this process lives, until cancelled."""
    while True:
        client = redis.asyncio.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        try:
            while True:
                await _done(client.hset(ROSTER, mine.field, _entry(mine, clock())))
                await asyncio.sleep(EVERY_S)
        except asyncio.CancelledError:
            await _leave(client, mine)
            raise
        except (redis.RedisError, OSError) as error:
            log.warning("roster_not_reached", extra={"error": type(error).__name__})
        finally:
            await client.aclose()
        await asyncio.sleep(EVERY_S)


def sign(redis_url: str, mine: Seat, now_s: float) -> bool:
    """Say once that this process lives; False where Redis is away."""
    with redis.Redis.from_url(
        redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    ) as client:
        try:
            client.hset(ROSTER, mine.field, _entry(mine, now_s))
        except redis.RedisError as error:
            log.warning("roster_not_reached", extra={"error": type(error).__name__})
            return False
    return True


def strike(redis_url: str, mine: Seat) -> None:
    """Take this process, which ends, from the roster; where Redis is away it is forgotten later."""
    with redis.Redis.from_url(
        redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    ) as client:
        try:
            client.hdel(ROSTER, mine.field)
        except redis.RedisError as error:
            log.warning("roster_not_reached", extra={"error": type(error).__name__})


def roster(redis_url: str, now_s: float) -> list[Seen]:
    """Return every process by kind, host and start; those unheard of for long are forgotten.

    Raises SurveyError where Redis does not answer.
    """
    with redis.Redis.from_url(
        redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    ) as client:
        try:
            found: Any = client.hgetall(ROSTER)
            read = {name: _read(entry, now_s) for name, entry in found.items()}
            gone = [name for name, seen in read.items() if now_s - seen.seen_at > FORGET_S]
            if gone:
                client.hdel(ROSTER, *gone)
        except redis.RedisError as error:
            raise SurveyError(f"no answer: {type(error).__name__}") from None
    return sorted(
        (seen for name, seen in read.items() if name not in gone),
        key=lambda seen: (seen.seat.kind, seen.seat.host, seen.seat.started_at, seen.seat.pid),
    )


def _entry(mine: Seat, now_s: float) -> str:
    return json.dumps([*mine, now_s])


def _read(entry: bytes, now_s: float) -> Seen:
    *fields, seen_at = json.loads(entry)
    return Seen(Seat(*fields), seen_at, now_s - seen_at > LATE_S)


async def _leave(client: Any, mine: Seat) -> None:
    """Leave the roster within the time that a stopping process has; else it is forgotten later."""
    try:
        async with asyncio.timeout(TIMEOUT_S / 2):
            await client.hdel(ROSTER, mine.field)
    except (redis.RedisError, OSError, TimeoutError) as error:
        log.warning("roster_not_reached", extra={"error": type(error).__name__})


async def _done(reply: Any) -> None:
    await reply
