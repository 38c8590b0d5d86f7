"""What one worker holds while it lives: its handles on the world, its clock, its ids."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from audit.record import call_id
from gateway import envelope
from gateway.config import Config
from gateway.proxy import metrics, ner
from gateway.proxy.caching import Keeper
from gateway.proxy.counting import Counting, LocalShare, Memory
from gateway.proxy.directory import POLL_S, Directory
from gateway.proxy.evidence.writer import Evidence
from gateway.proxy.flights import Flights
from gateway.proxy.gate import Gate
from gateway.proxy.guarding import Guards
from gateway.proxy.keyring import Keyring
from gateway.proxy.leases import Leases
from gateway.proxy.loader import Loader
from gateway.proxy.names import Names
from gateway.proxy.open_calls import OpenCalls
from gateway.proxy.probes import Probes
from gateway.proxy.rebuild import Rebuilder
from gateway.proxy.sharing import Sharing
from gateway.proxy.sightings import Sightings
from gateway.proxy.stations import Stations
from gateway.proxy.store import answers, feed, roster
from gateway.proxy.store.connection import Connection
from gateway.proxy.store.counters import SCRIPTS, Counters
from gateway.proxy.tenant import scanner
from gateway.proxy.tokens import Tokens
from gateway.proxy.trail import Trail
from gateway.proxy.upstream import Pools, Timeouts
from policies.detectors.scanner import DetectorConfig

log = logging.getLogger(__name__)

LEASE_MARGIN_S = 30.0
STOP_S = 5.0


class Worker:
    """The data plane of one process."""

    def __init__(self, config: Config) -> None:
        masters = (config.kek, *((config.kek_previous,) if config.kek_previous else ()))
        self.config = config
        self.key_ids = [envelope.key_id(master) for master in masters]
        self.peppers = tuple(envelope.key_pepper(master) for master in masters)
        self.loader = Loader(config.database_url)
        self.evidence = Evidence(config.database_url)
        self.redis = Connection(config.redis_url, config.redis_timeout_ms / 1000, SCRIPTS)
        self.counters = Counters(self.redis)
        # A connection of its own: a large answer delays no counter.
        self.cache = Connection(config.cache_url, config.redis_timeout_ms / 1000, answers.SCRIPTS)
        kept = answers.Answers(self.cache, config.cache_tenant_bytes)
        self.keeper = Keeper(
            kept,
            Flights(),
            Leases(kept),
            time.time,
            lambda: os.urandom(envelope.NONCE_BYTES),
        )
        self.ner = ner.Client(
            config.ner_socket, config.ner_ms / 1000, time.perf_counter, config.ner_characters
        )
        self.directory = Directory(
            self.loader,
            masters,
            clock=time.time,
            grace_s=config.auth_grace_s,
            names=Names(self.ner),
        )
        self.open_calls = OpenCalls(self.directory, time.time, config.upstream_total_s)
        self.counting = Counting(
            self.counters,
            Rebuilder(self.loader, self.counters, time.time),
            LocalShare(config.web_workers),
            Memory(),
            Sightings(),
        )
        self.pools = Pools(
            Timeouts(
                config.upstream_connect_s,
                config.upstream_first_byte_s,
                config.upstream_idle_s,
                config.upstream_total_s,
            )
        )
        # Connections of their own: what a tenant's guards do hinders no provider.
        self.guards = Guards(Pools(self.pools.timeouts), time.time, time.perf_counter)
        self.keyring = Keyring(time.time)
        self.stations = Stations(time.time, self.keyring, self._provider_gate)
        self.probes = Probes(self.redis, os.urandom(8).hex())
        self.gate = Gate(
            config.max_in_flight, config.queue, config.queue_s, metrics.SHED.labels("worker").inc
        )
        self.tokens = Tokens(self.pools, time.time)
        # Longer than any attempt can take, with time to inspect, record and settle it.
        self.lease_s = config.upstream_total_s + min(
            LEASE_MARGIN_S, 2 + config.upstream_total_s / 2
        )
        self._noise = Noise()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to connect, to listen and to write."""
        await self.loader.open()
        await asyncio.to_thread(scanner, DetectorConfig())  # patterns load before the first call
        spawn = asyncio.get_running_loop().create_task
        self._tasks = [
            spawn(self.redis.keep(), name="redis"),
            spawn(self.cache.keep(), name="cache"),
            spawn(self.keeper.leases.keep(), name="leases"),
            spawn(self.evidence.run(), name="evidence"),
            spawn(self.ner.keep(), name="names"),
            spawn(self.directory.keep_fresh(), name="directory"),
            spawn(self.open_calls.end_expired(POLL_S), name="open calls"),
            spawn(Sharing(self.stations, self.redis).keep(), name="circuits"),
            spawn(feed.listen(self.config.redis_url, self.directory.heard), name="feed"),
            spawn(metrics.keep(), name="metrics"),
            spawn(roster.attend(self.config.redis_url, self._seat(), time.time), name="roster"),
        ]
        for task in self._tasks:
            task.add_done_callback(_died)

    async def stop(self) -> None:
        """Write what waits, then let go of everything."""
        try:
            async with asyncio.timeout(STOP_S):
                await self.evidence.drained()
        except TimeoutError:
            log.critical("evidence_not_drained", extra={"rows": self.evidence.lag})
        for task in self._tasks:
            task.remove_done_callback(_died)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        metrics.flush()
        await self.pools.close()
        await self.guards.close()
        await self.loader.close()

    def _seat(self) -> roster.Seat:
        return roster.seat("web", self.config.role, time.time())

    def begin(self) -> Trail:
        """Return the trail of a call that arrives now."""
        now_ms = time.time_ns() // 1_000_000
        return Trail(
            call_id(now_ms, self._noise.take()),
            datetime.fromtimestamp(now_ms / 1000, UTC),
            time.perf_counter(),
            time.perf_counter,
        )

    def _provider_gate(self) -> Gate:
        """Return what bounds one provider: one that is slow takes a part of the worker, not all."""
        config, shed = self.config, metrics.SHED.labels("provider").inc
        return Gate(config.provider_in_flight, config.provider_in_flight, config.queue_s, shed)

    def now_s(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def now(self) -> datetime:
        """The instant, in UTC."""
        return datetime.fromtimestamp(time.time(), UTC)

    def draw(self) -> float:
        """A number in [0, 1) that chooses among equal deployments."""
        return random.random()  # noqa: S311  (spreads load, guards nothing)


class Noise:
    """Random bytes of the system for ids, fetched for many calls at a time."""

    EACH, CALLS = 10, 400

    def __init__(self) -> None:
        self._left: Iterator[bytes] = iter(())

    def take(self) -> bytes:
        """Return `EACH` bytes that nobody had before."""
        found = next(self._left, None)
        if found is None:
            pool = os.urandom(self.EACH * self.CALLS)
            self._left = iter([pool[at : at + self.EACH] for at in range(0, len(pool), self.EACH)])
            found = next(self._left)
        return found


def _died(task: asyncio.Task[None]) -> None:
    """A worker without one of its tasks would answer wrongly: it ends, and is started again."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("worker_task_died", extra={"task": task.get_name()}, exc_info=error)
        metrics.EVIDENCE_LAG.set(-1)
        os.kill(os.getpid(), 15)
