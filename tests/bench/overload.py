"""Ten times the load that fills a worker: `make bench-overload`.

The peak is measured with as many connections as a worker lets in at once; then ten times as many
come. What counts is what is still answered, as a ratio, and how long those wait who are let in.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

from gateway.config import load
from gateway.embedded import Servers
from tests.bench.__main__ import CORE, ROOT, TEXT, prepare, row, running
from tests.stack import Gateway

BOUND, QUEUE, QUEUE_S = 32, 64, 0.5
SECONDS = 6
ROUNDS = 4
ENVIRON = {
    "GATEHOUSE_REDIS_TIMEOUT_MS": "1000",
    "GATEHOUSE_MAX_IN_FLIGHT": str(BOUND),
    "GATEHOUSE_QUEUE": str(QUEUE),
    "GATEHOUSE_QUEUE_S": str(QUEUE_S),
}


def pressed(order, connections):
    """Put pressure on a port; return what its callers saw."""
    given = json.dumps({**order, "connections": connections, "seconds": SECONDS})
    told = subprocess.run(
        [sys.executable, "-m", "tests.bench.pressure"],
        cwd=ROOT, input=given, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(told.stdout)
    if found["bad"]:
        raise SystemExit(f"{found['bad']} calls were answered with neither 200 nor 503")
    return found


def compare(order):
    """Measure the peak and ten times its load in turn, round by round; print the ratios."""
    kept, waited, refused, slow, peak_p99 = [], [], [], [], []
    for _ in range(ROUNDS):
        peak = pressed(order, BOUND)
        over = pressed(order, 10 * BOUND)
        kept.append(over["goodput"] / peak["goodput"])
        # Who is let in has waited in the queue, and is then served beside as many as at the peak.
        waited.append(over["p99_us"] / (peak["p99_us"] + QUEUE_S * 1e6))
        refused.append(over["refused"] / max(1, over["goodput"] * SECONDS))
        slow.append(over["refused_p99_us"] / 1000)
        peak_p99.append(peak["p99_us"] / 1000)
    row("goodput at 10x load / at the peak", kept, "x")
    row("p99 of the admitted / (p99 at the peak + queue)", waited, "x")
    row("refused / answered at 10x load", refused, "x")
    row("p99 of a refusal", slow, "ms")
    row("p99 at the peak", peak_p99, "ms")
    good = statistics.median(kept) >= 0.8 and statistics.median(waited) <= 1.5
    print("flat" if good else "NOT flat: goodput below 0.8 of the peak, or a wait beyond its bound")
    return 0 if good else 1


def main():
    """Start everything, measure, stop everything."""
    if os.cpu_count() > 1:  # children inherit it: servers, provider and load share the other cores
        os.sched_setaffinity(0, set(range(os.cpu_count())) - {CORE})
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as data, Servers() as servers:
        environ = dict(os.environ, GATEHOUSE_DATA=data, **ENVIRON)
        servers.start(load({"GATEHOUSE_DATA": data})).export(environ)
        house = prepare(environ)
        with (
            running("tests.bench.upstream") as (_, upstream_port),
            Gateway(environ=environ) as gateway,
        ):
            made = house(upstream_port)
            os.sched_setaffinity(gateway.workers[0].pid, {CORE})
            messages = [{"role": "user", "content": TEXT}]
            body = json.dumps({"model": made.model, "messages": messages, "max_tokens": 64})
            print(f"{BOUND} at once, {QUEUE} may wait {QUEUE_S} s; {ROUNDS} rounds of {SECONDS} s")
            return compare({"port": gateway.port, "key": made.secret, "body": body})


if __name__ == "__main__":
    sys.exit(main())
