"""What an operator watches. Labels are bounded: never a tenant, a key, or a client's own words."""

import asyncio
import os
from bisect import bisect_left
from collections import Counter as Amounts
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from gateway.exchange import Charge, Recalled, Reservation
from policies.pdp.rollout import Verdict

FLUSH_S = 1.0
"""How old what a worker has counted may be where another one tells it."""


class Timings(Histogram):
    """A histogram that takes many observations at once."""

    def observe_all(self, seconds: Sequence[float]) -> None:
        """Do what `observe` does for each of them."""
        self._sum.inc(sum(seconds))
        bounds = self._upper_bounds
        for bucket, count in Amounts(bisect_left(bounds, each) for each in seconds).items():
            self._buckets[bucket].inc(count)


CALLS = Counter("gatehouse_calls", "Calls by endpoint and outcome.", ["endpoint", "outcome"])
REFUSALS = Counter("gatehouse_refusals", "Calls refused, by error code.", ["code"])
LATENCY = Timings(
    "gatehouse_call_seconds",
    "Time from head to end of the answer.",
    ["endpoint"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
OVERHEAD = Timings(
    "gatehouse_overhead_seconds",
    "Time that the gateway itself added before the first byte of the answer.",
    ["endpoint"],
    buckets=(0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1),
)
TOKENS = Counter("gatehouse_tokens", "Tokens as providers counted them.", ["direction"])
MICROS = Counter("gatehouse_cost_micros", "What calls cost, in micros.", ["currency", "basis"])
FAILED_ATTEMPTS = Counter("gatehouse_failed_attempts", "Attempts that gave no answer.", ["code"])
LOCAL_LIMITS = Counter(
    "gatehouse_local_limits", "Calls limited by this worker's share alone, Redis being away."
)
DETECTOR_FAILURES = Counter("gatehouse_detector_failures", "Scans not finished.", ["detector"])
NER = Counter(
    "gatehouse_ner",
    "Calls whose texts models of names were to read: read, known (from before), away, busy, late, "
    "failed, too_large.",
    ["outcome"],
)
NER_SECONDS = Histogram(
    "gatehouse_ner_seconds",
    "Time that the models took, or until nobody waited any more.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
NER_CONNECTED = Gauge(
    "gatehouse_ner_connected",
    "Workers that are connected to the process of the models.",
    multiprocess_mode="livesum",
)
NOTICES = Counter("gatehouse_policy_notices", "Calls that a policy tells of.", ["topic"])
COMPARED = Counter(
    "gatehouse_policy_comparisons",
    "Decisions of a candidate version beside the active one, by what changes.",
    ["phase", "change", "served"],
)
EVIDENCE_LAG = Gauge(
    "gatehouse_evidence_rows_waiting", "Rows not durable yet.", multiprocess_mode="livesum"
)
OPEN_CALLS = Gauge("gatehouse_open_calls", "Calls in flight.", multiprocess_mode="livesum")
AGAIN = Counter(
    "gatehouse_further_attempts",
    "Attempts beyond the first of a call: failover, credential, retry, fallback, hedge.",
    ["kind"],
)
SHED = Counter("gatehouse_shed", "Calls refused because too much was under way.", ["where"])
CIRCUIT = Gauge(
    "gatehouse_circuit",
    "Whether a deployment is left alone: 0 closed, 1 half open, 2 open.",
    ["deployment", "provider", "model"],
    multiprocess_mode="livemax",
)
CIRCUIT_OPENED = Counter("gatehouse_circuit_opened", "Circuits that opened.", ["provider", "model"])
CREDENTIALS_REFUSED = Counter(
    "gatehouse_credentials_refused", "Credentials that a provider refused.", ["provider"]
)
CACHE = Counter(
    "gatehouse_cache",
    "Calls whose answers may be kept: hit, stale, miss, bypass (asked for by the client, or Redis "
    "being away); and requests that were sent again: replayed.",
    ["model", "outcome"],
)
SAVED = Counter(
    "gatehouse_cache_saved_micros",
    "What answers that were given again cost first, less what they cost then, in micros.",
    ["currency"],
)
GUARD = Histogram(
    "gatehouse_guard_seconds",
    "Time that a tenant's own guard took, by what came of it.",
    ["phase", "outcome"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5),
)
REBUILDS = Counter("gatehouse_counter_rebuilds", "Counters written anew from PostgreSQL.")
OVERRUNS = Counter("gatehouse_hold_overruns", "Attempts that cost more than was held. Never.")


# The children of a metric by their labels, looked up without the locks of the library.
_calls = lru_cache(256)(CALLS.labels)
_latency = lru_cache(16)(LATENCY.labels)
_overhead = lru_cache(16)(OVERHEAD.labels)
_micros = lru_cache(256)(MICROS.labels)
_cache = lru_cache(1024)(CACHE.labels)
_input_tokens, _output_tokens = TOKENS.labels("input"), TOKENS.labels("output")


class _Counted:
    """What calls have added and nobody was told yet.

    The library's figures have locks, and are files where there are several workers: a call only
    notes what it adds.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.times: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.tokens = [0, 0]
        self.micros: dict[tuple[str, str], int] = defaultdict(int)

    def tell(self) -> None:
        """Add it to the figures."""
        for labels, count in Amounts(self.calls).items():
            _calls(*labels).inc(count)
        for endpoint, times in self.times.items():
            elapsed, overhead = zip(*times, strict=True)
            _latency(endpoint).observe_all(elapsed)
            _overhead(endpoint).observe_all(overhead)
        for direction, tokens in zip((_input_tokens, _output_tokens), self.tokens, strict=True):
            direction.inc(tokens)
        for paid, micros in self.micros.items():
            _micros(*paid).inc(micros)


_counted = _Counted()


def flush() -> None:
    """Add what calls have noted to the figures."""
    global _counted
    counted, _counted = _counted, _Counted()
    counted.tell()


async def keep() -> None:
    """Flush every second; runs until cancelled."""
    while True:
        await asyncio.sleep(FLUSH_S)
        flush()


def call(endpoint: str, outcome: str) -> None:
    """Count one call, however it ended."""
    _counted.calls.append((endpoint, outcome))


def served(endpoint: str, elapsed_s: float, overhead_s: float) -> None:
    """Observe how long an admitted call took, and how much of it was us."""
    _counted.times[endpoint].append((elapsed_s, overhead_s))


def compared(phase: str, verdict: Verdict | None) -> None:
    """Count what a candidate version changes, where there is one."""
    if verdict is not None:
        COMPARED.labels(phase, verdict.change, verdict.served).inc()


def guard(phase: str, outcome: str, took_s: float) -> None:
    """Observe how long one guard took, and what came of asking it."""
    GUARD.labels(phase, outcome).observe(took_s)


def attempt(reservation: Reservation, spent: Charge, code: str) -> None:
    """Count what one attempt used and cost."""
    if spent.usage is not None:
        _counted.tokens[0] += spent.usage.input_tokens
        _counted.tokens[1] += spent.usage.output_tokens
    if reservation.price is not None:
        _counted.micros[reservation.price.currency, spent.basis] += spent.micros
    if code:
        FAILED_ATTEMPTS.labels(code).inc()


def cache(model: str, outcome: str) -> None:
    """Count what kept answers had to do with a call."""
    _cache(model, outcome).inc()


def recalled(model: str, what: Recalled) -> None:
    """Count an answer that was given again, and what that saved."""
    cache(model, "stale" if what.stale else what.outcome)
    if what.saved_pico:
        SAVED.labels(what.currency).inc(what.saved_pico / 1_000_000)


def render() -> bytes:
    """Return all metrics in the text format, of every worker where there are several."""
    flush()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest()
