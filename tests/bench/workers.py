"""What a second worker adds: `python -m tests.bench.workers`.

Workers share nothing but the counters, the database and the listening socket. Where there are cores
for all (two workers, the servers, provider and load: four), the rates are compared. Else what one
call costs in CPU is: two workers can serve twice as much where a call costs no more with two. Each
worker has as many connections either way, and as many calls to get warm with before that is looked
at. Two gateways that share nothing between them, under the same load, say what the machine takes.
"""

import json
import os
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor

from gateway.config import load
from gateway.embedded import Servers
from tests.bench.__main__ import CALLS, CONNECTIONS, TEXT, measured, prepare, row, running
from tests.bench.meters import cpu_s
from tests.stack import Gateway

ROUNDS = 3
WARM = 1_500
CORES = 4


def loaded(gateway, order):
    """Put load on a gateway; return calls a second, CPU per call in us, each worker's share."""
    pids = [worker.pid for worker in gateway.workers]
    measured(gateway.port, pids[0], order, CONNECTIONS * len(pids), WARM * len(pids))
    before = [cpu_s(pid) for pid in pids]
    found = measured(gateway.port, pids[0], order, CONNECTIONS * len(pids), CALLS)
    spent = [cpu_s(pid) - was for pid, was in zip(pids, before, strict=True)]
    calls = CALLS + CALLS // 8
    return found["rps"], sum(spent) / calls * 1e6, min(spent) / sum(spent)


def apart(gateways, order):
    """Put load on gateways of one worker each at the same time; return CPU per call in us."""
    with ThreadPoolExecutor(len(gateways)) as pool:
        found = [pool.submit(loaded, gateway, order) for gateway in gateways]
    return sum(each.result()[1] for each in found) / len(found)


def compare(environ, order):
    """Measure one worker and two in turn, round by round."""
    rate, cost, share, alone = [], [], [], []
    for _ in range(ROUNDS):
        with Gateway(workers=1, environ=environ) as one, Gateway(environ=environ) as other:
            rate_1, cpu_1, _ = loaded(one, order)
            alone.append(2 * cpu_1 / apart((one, other), order))
        with Gateway(workers=2, environ={**environ, "WEB_WORKERS": "2"}) as two:
            rate_2, cpu_2, least = loaded(two, order)
        rate.append(rate_2 / rate_1)
        cost.append(2 * cpu_1 / cpu_2)
        share.append(least)
    row("CPU time of two workers serves, beside one", cost, "x")
    row("the same, of two gateways of one worker each", alone, "x")
    row("share of the work, of the worker that did less", share)
    if os.cpu_count() >= CORES:
        row("requests per second, two workers / one", rate, "x")
    else:
        print(f"{os.cpu_count()} cores: too few to compare rates ({statistics.median(rate):.2f}x)")


def main():
    """Start everything, measure, stop everything."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as data, Servers() as servers:
        environ = dict(os.environ, GATEHOUSE_DATA=data, GATEHOUSE_REDIS_TIMEOUT_MS="1000")
        servers.start(load({"GATEHOUSE_DATA": data})).export(environ)
        house = prepare(environ)
        with running("tests.bench.upstream") as (_, port):
            made = house(port)
            messages = [{"role": "user", "content": TEXT}]
            body = json.dumps({"model": made.model, "messages": messages, "max_tokens": 64})
            compare(environ, {"key": made.secret, "body": body})


if __name__ == "__main__":
    main()
