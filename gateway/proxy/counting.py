"""What a worker counts with: the shared counters, and what it knows by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.exchange import LimitLine
from gateway.proxy.rebuild import Rebuilder
from gateway.proxy.sightings import Sightings
from gateway.proxy.store.counters import Counters


@dataclass(frozen=True, slots=True)
class Remembered:
    """A request-rate refusal that still holds, for the revision under which it was given."""

    until_s: float
    revision: int


class Memory:
    """Request-rate refusals of this worker: a flood of refused calls costs no trip to Redis.

    Only limits on requests are remembered: the others depend on what a call asks for.
    """

    MOST = 10_000

    def __init__(self) -> None:
        self._refused: dict[str, Remembered] = {}

    def keep(self, line: LimitLine, until_s: float, revision: int) -> None:
        """Remember a refusal."""
        if len(self._refused) >= self.MOST:
            self._refused.clear()
        self._refused[line.key] = Remembered(until_s, revision)

    def wait_s(self, line: LimitLine, now_s: float, revision: int) -> float:
        """Return how long the line still refuses; 0 when it does not."""
        known = self._refused.get(line.key)
        if known is None:
            return 0.0
        if known.revision != revision or now_s >= known.until_s:
            del self._refused[line.key]
            return 0.0
        return known.until_s - now_s


class LocalShare:
    """Rate limits while Redis is away: each worker grants its share of the limit, by itself."""

    def __init__(self, workers: int) -> None:
        self._workers = max(1, workers)
        self._levels: dict[str, tuple[float, float]] = {}

    def take(
        self, lines: Sequence[LimitLine], tokens: int, now_s: float
    ) -> tuple[LimitLine, float] | None:
        """Take from every line or from none; return the line that refuses and how long to wait."""
        after = {}
        for line in lines:
            if line.limit.kind == "concurrency":
                continue
            rate = line.limit.amount / line.limit.per_s / self._workers
            room = max(1.0, line.most / self._workers)
            level, at_s = self._levels.get(line.key, (0.0, now_s))
            level = max(0.0, level - (now_s - at_s) * rate)
            cost = min(tokens, room) if line.limit.kind == "tokens" else 1
            if level + cost > room:
                return line, (level + cost - room) / rate
            after[line.key] = (level + cost, now_s)
        self._levels.update(after)
        return None


@dataclass(frozen=True, slots=True)
class Counting:
    """The counters in Redis, how they are written anew, what stands in while Redis is away, and
    what was heard of them last."""

    counters: Counters
    rebuilder: Rebuilder
    share: LocalShare
    memory: Memory
    sightings: Sightings
