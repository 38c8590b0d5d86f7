"""What governing a call costs: `make bench`.

Everything on (10 rules, PII and injection scan of a 460-byte body, hard budget, three limits,
strict evidence), beside a bare aiohttp forwarder, in one run, on one core, against a provider that
answers at once. Ratios are what counts: absolute figures belong to the machine and the hour.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway.config import load
from gateway.embedded import Servers
from tests.bench.meters import cpu_s, resident_mb

ROOT = Path(__file__).parents[2]
CONNECTIONS = 32
CALLS = 6_000
SINGLE_CALLS = 1_000
ROUNDS = 5
CORE = 0
TEXT = (
    "Please summarise the following notes and list the three most important action items for the "
    "team. The quarterly review showed that support volume rose after the March release, mostly "
    "because of confusing error messages. Our customer asked whether the export job can run "
    "overnight without us."
)
POLICY = """policy: {name}
default: permit
rules:
  - id: mask-pii
    when: findings.exists(f, f.category == "pii" && f.score >= 0.4)
    redact: {kinds: [EMAIL_ADDRESS, CREDIT_CARD, PHONE_NUMBER], min_score: 0.4, method: mask}
  - id: injection
    when: injection.score >= 0.6
    deny: {message: "The prompt reads like an injection."}
""" + "".join(
    f"""  - id: rule-{number}
    when: app.tier == "tier-{number}" && model.asked.startsWith("gpt") && call.bytes > {number}000
    deny: {{message: "Not in this tier."}}
"""
    for number in range(8)
)


def fdatasync_us(folder):
    """Return the median time of an fdatasync of 8 KiB, as a commit does one."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(200):
            file.write(b"x" * 8192)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


@contextlib.contextmanager
def running(*module, core=None):
    """Run a module that prints its port; yield the process and the port."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield process, int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def measured(port, pid, order, connections, calls):
    """Put load on a port; return what the caller saw and the CPU of the process per call."""
    order = {
        **order,
        "port": port,
        "connections": connections,
        "calls": calls,
        "warmup": calls // 8,
    }
    load_process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    json.dump(order, load_process.stdin)
    load_process.stdin.close()
    load_process.stdout.readline()
    before = cpu_s(pid)
    found = json.loads(load_process.stdout.readline())
    found["cpu_us"] = (cpu_s(pid) - before) / calls * 1e6
    load_process.wait()
    if found["bad"]:
        raise SystemExit(f"{found['bad']} calls failed, such as:\n{found['sample']}")
    return found


def prepare(environ):
    """Make the tenant that the load belongs to; return its key and model by upstream port."""
    import django  # noqa: PLC0415  (after the servers are known)

    os.environ.update(environ)
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway.settings"
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    from tests import estate  # noqa: PLC0415

    def house(port):
        at = estate.provider(f"http://127.0.0.1:{port}/v1")
        return estate.estate(
            estate.route((at, "bench")),
            policy=POLICY,
            budgets=[{"limit_micros": 10**15}],
            limits=[
                {"kind": "requests", "amount": 10**7, "per": "minute", "burst": 10**6},
                {"kind": "tokens", "amount": 10**10, "per": "minute"},
                {"kind": "concurrency", "amount": 10_000},
            ],
            countries=["US", "DE"],
            regions=["US", "DE"],
        )

    return house


def row(name, values, unit=""):
    """Print the median of the rounds, with their range."""
    low, high = min(values), max(values)
    print(f"{name:52} {statistics.median(values):10.2f} {unit:4} ({low:.2f} - {high:.2f})")


def compare(gateway, forwarder, order):
    """Run both in turn, round by round, and print the ratios."""
    cpu, rate, added_p50, added_p99, ours, own = [], [], [], [], [], []
    for _ in range(ROUNDS):
        bare = measured(*forwarder, order, CONNECTIONS, CALLS)
        full = measured(*gateway, order, CONNECTIONS, CALLS)
        cpu.append(full["cpu_us"] / bare["cpu_us"])
        rate.append(full["rps"] / bare["rps"])
        ours.append(full["rps"])
        own.append(full["cpu_us"])
        bare = measured(*forwarder, order, 1, SINGLE_CALLS)
        full = measured(*gateway, order, 1, SINGLE_CALLS)
        added_p50.append((full["p50_us"] - bare["p50_us"]) / 1000)
        added_p99.append((full["p99_us"] - bare["p99_us"]) / 1000)
    row("CPU per call, gateway / forwarder (32 connections)", cpu, "x")
    row("CPU per call, gateway", own, "us")
    row("requests per second, gateway / forwarder", rate, "x")
    row("requests per second, gateway", ours)
    row("added p50 at 1 connection", added_p50, "ms")
    row("added p99 at 1 connection", added_p99, "ms")


def main():
    """Start everything, measure, stop everything."""
    from tests.stack import Gateway  # noqa: PLC0415

    if os.cpu_count() > 1:  # children inherit it: servers, provider and load share the other cores
        os.sched_setaffinity(0, set(range(os.cpu_count())) - {CORE})
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as data, Servers() as servers:
        # All parts share two cores here: a stall of the machine is not a Redis that is away.
        environ = dict(os.environ, GATEHOUSE_DATA=data, GATEHOUSE_REDIS_TIMEOUT_MS="1000")
        servers.start(load({"GATEHOUSE_DATA": data})).export(environ)
        house = prepare(environ)
        with (
            running("tests.bench.upstream") as (_, upstream_port),
            running(
                "tests.bench.forwarder",
                f"http://127.0.0.1:{upstream_port}/v1/chat/completions",
                core=CORE,
            ) as (forwarder, forwarder_port),
            Gateway(environ=environ) as gateway,
        ):
            made = house(upstream_port)
            worker = gateway.workers[0].pid
            os.sched_setaffinity(worker, {CORE})
            messages = [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": TEXT},
            ]
            body = json.dumps({"model": made.model, "messages": messages, "max_tokens": 64})
            print(f"body of {len(body)} bytes, {ROUNDS} rounds of {CALLS} calls")
            compare(
                (gateway.port, worker),
                (forwarder_port, forwarder.pid),
                {"key": made.secret, "body": body},
            )
            row("fdatasync of 8 KiB, p50", [fdatasync_us(data) / 1000], "ms")
            row("memory of the worker", [resident_mb(worker)], "MB")


if __name__ == "__main__":
    main()
