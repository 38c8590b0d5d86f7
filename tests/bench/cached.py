"""What a kept answer saves in time: `make bench-cached`.

The same call, kept and not kept, in turn through one worker with everything on, before a provider
that answers at once and before some that take as long as quick models do. Ratios are what counts.
"""

import json
import os
import tempfile

from gateway.config import load
from gateway.embedded import Servers
from tests.bench.__main__ import CONNECTIONS, CORE, POLICY, TEXT, measured, prepare, row

CALLS = 2_000
ROUNDS = 3
LATENCIES_MS = (0, 50, 250)
TIMES = 2.0
"""How many times the rate of sent calls that of hits must be, where the provider takes its time."""


def house(port, **plan):
    """Make a tenant with everything on, before a provider."""
    from tests import estate  # noqa: PLC0415  (after the servers are known)

    at = estate.provider(f"http://127.0.0.1:{port}/v1")
    return estate.estate(
        estate.route((at, "bench"), **plan),
        policy=POLICY,
        budgets=[{"limit_micros": 10**15}],
        limits=[
            {"kind": "requests", "amount": 10**7, "per": "minute", "burst": 10**6},
            {"kind": "tokens", "amount": 10**10, "per": "minute"},
            {"kind": "concurrency", "amount": 10_000},
        ],
        countries=["US", "DE"],
        regions=["US", "DE"],
        cache=True,
    )


def rates(gateway, port):
    """Return by round how many sent calls and how many hits a second there were."""
    orders = []
    for made in (house(port), house(port, cache_ttl_s=3600)):
        messages = [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": TEXT},
        ]
        body = json.dumps({"model": made.model, "messages": messages, "max_tokens": 64})
        orders.append({"key": made.secret, "body": body})
    worker = gateway.workers[0].pid
    found = [
        [measured(gateway.port, worker, order, CONNECTIONS, CALLS)["rps"] for order in orders]
        for _ in range(ROUNDS)
    ]
    return [sent for sent, _ in found], [hit for _, hit in found]


def main():
    """Start everything, measure, stop everything."""
    from tests.mock_provider import start_mock_provider  # noqa: PLC0415
    from tests.stack import Gateway  # noqa: PLC0415

    if os.cpu_count() > 1:  # children inherit it: servers, provider and load share the other cores
        os.sched_setaffinity(0, set(range(os.cpu_count())) - {CORE})
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as data, Servers() as servers:
        environ = dict(os.environ, GATEHOUSE_DATA=data, GATEHOUSE_REDIS_TIMEOUT_MS="1000")
        servers.start(load({"GATEHOUSE_DATA": data})).export(environ)
        prepare(environ)
        with Gateway(environ=environ) as gateway:
            os.sched_setaffinity(gateway.workers[0].pid, {CORE})
            for latency_ms in LATENCIES_MS:
                with start_mock_provider("--bare", f"--latency-ms={latency_ms}") as mock:
                    sent, hits = rates(gateway, int(mock.origin.rpartition(":")[2]))
                ratios = [hit / each for hit, each in zip(hits, sent, strict=True)]
                row(f"sent calls per second, provider takes {latency_ms} ms", sent)
                row("hits per second", hits)
                row("hits / sent calls", ratios, "x")
    if max(ratios) < TIMES:
        raise SystemExit(f"hits are less than {TIMES:g} times as many as calls that are sent")


if __name__ == "__main__":
    main()
