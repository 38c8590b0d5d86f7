"""What governing a stream costs: `make bench-streams`.

CPU per chunk beside a bare aiohttp relay, as it comes and with answers redacted behind a hold-back;
then a thousand streams at once on one worker: its memory, how late its chunks are, and whether
everybody gets theirs. Ratios in one run; `--only relay|wide`.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from gateway.config import load
from gateway.embedded import Servers
from tests.bench.__main__ import CORE, POLICY, ROOT, TEXT, prepare, row, running
from tests.bench.meters import cpu_s
from tests.stack import Gateway

ROUNDS = 3
RELAY_STREAMS, RELAY_PACE, RELAY_CHUNKS = 100, "200@10", 200
ONE_ID = RELAY_PACE + "-one-id"
"""Who redacts looks at an id when it is new: at one a stream, unless a provider is very odd."""
WIDE_STREAMS, WIDE_PACE, WIDE_CHUNKS = 1_000, "40@250", 40
ANSWERS = (
    POLICY
    + """  - id: answers
    phase: answer
    when: pii.count > 0
    redact: {kinds: [EMAIL_ADDRESS, CREDIT_CARD, PHONE_NUMBER], min_score: 0.4, method: mask}
"""
)
ENVIRON = {
    "GATEHOUSE_REDIS_TIMEOUT_MS": "1000",
    "GATEHOUSE_MAX_IN_FLIGHT": str(2 * WIDE_STREAMS),
    "GATEHOUSE_PROVIDER_IN_FLIGHT": str(2 * WIDE_STREAMS),
}


def peak_mb(pid):
    """Return the most memory that a process ever held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def heard(port, pid, order, streams, chunks):
    """Listen to many streams; return what came, and the CPU of the process per chunk."""
    listener = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.listening"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    before = cpu_s(pid)
    told, _ = listener.communicate(json.dumps({**order, "port": port, "streams": streams}))
    found = json.loads(told.splitlines()[-1])
    found["cpu_us"] = (cpu_s(pid) - before) / (streams * chunks) * 1e6
    if found["bad"]:
        raise SystemExit(f"{found['bad']} streams ended badly, such as:\n{found['sample']}")
    return found


def order(made, pace=None):
    """Return what is asked: of the gateway, or of the bare relay, which knows the pace alone."""
    body = {
        "model": pace or made.model,
        "messages": [{"role": "user", "content": TEXT}],
        "max_tokens": 512,
        "stream": True,
    }
    return {"key": made.secret, "body": json.dumps(body)}


def relay(forwarder, gateway, plain, held):
    """Compare the CPU of a chunk: bare, as it comes, behind a hold-back."""
    found = {"plain": [], "held": [], "plain_us": [], "held_us": [], "late": []}
    for _ in range(ROUNDS):
        bare = heard(*forwarder, order(plain, RELAY_PACE), RELAY_STREAMS, RELAY_CHUNKS)
        for name, made in (("plain", plain), ("held", held)):
            ours = heard(*gateway, order(made), RELAY_STREAMS, RELAY_CHUNKS)
            found[name].append(ours["cpu_us"] / bare["cpu_us"])
            found[name + "_us"].append(ours["cpu_us"])
            if name == "plain":
                found["late"].append(ours["late_p99_us"] / 1000)
    row("CPU per chunk, gateway / bare relay", found["plain"], "x")
    row("CPU per chunk, answers redacted / bare relay", found["held"], "x")
    row("CPU per chunk, gateway", found["plain_us"], "us")
    row("CPU per chunk, answers redacted", found["held_us"], "us")
    row("p99 of a chunk's delay", found["late"], "ms")


def wide(forwarder, gateway, plain):
    """Hold a thousand streams open at once."""
    bare = heard(*forwarder, order(plain, WIDE_PACE), WIDE_STREAMS, WIDE_CHUNKS)
    ours = heard(*gateway, order(plain), WIDE_STREAMS, WIDE_CHUNKS)
    row(f"{WIDE_STREAMS} streams: most memory of the worker", [peak_mb(gateway[1])], "MB")
    row("p99 of a chunk's delay, gateway", [ours["late_p99_us"] / 1000], "ms")
    row("p99 of a chunk's delay, bare relay", [bare["late_p99_us"] / 1000], "ms")
    row("chunks of the stream that got fewest / most", [ours["fewest"] / ours["most"]], "x")
    row("CPU per chunk, gateway / bare relay", [ours["cpu_us"] / bare["cpu_us"]], "x")


def main():
    """Start everything, measure, stop everything."""
    if os.cpu_count() > 1:  # children inherit it: servers, provider and load share the other cores
        os.sched_setaffinity(0, set(range(os.cpu_count())) - {CORE})
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="gatehouse-bench-"))
        servers = stack.enter_context(Servers())
        environ = dict(os.environ, GATEHOUSE_DATA=data, **ENVIRON)
        servers.start(load({"GATEHOUSE_DATA": data})).export(environ)
        prepare(environ)
        _, port = stack.enter_context(running("tests.bench.speaking"))
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        forwarder, at = stack.enter_context(running("tests.bench.forwarder", url, core=CORE))
        gateway = stack.enter_context(Gateway(environ=environ))
        worker = gateway.workers[0].pid
        os.sched_setaffinity(worker, {CORE})
        ours, bare = (gateway.port, worker), (at, forwarder.pid)
        if only in ("", "relay"):
            print(f"{ROUNDS} rounds of {RELAY_STREAMS} streams, {RELAY_CHUNKS} chunks each")
            relay(bare, ours, house(port, RELAY_PACE, POLICY), house(port, ONE_ID, ANSWERS))
        if only in ("", "wide"):
            wide(bare, ours, house(port, WIDE_PACE, POLICY))


def house(port, pace, policy):
    """Make a tenant whose one model streams at that pace."""
    from tests import estate  # noqa: PLC0415  (after the servers are known)

    at = estate.provider(f"http://127.0.0.1:{port}/v1")
    return estate.estate(
        estate.route((at, pace)),
        policy=policy,
        budgets=[{"limit_micros": 10**15}],
        limits=[{"kind": "concurrency", "amount": 10_000}],
        countries=["US", "DE"],
        regions=["US", "DE"],
    )


if __name__ == "__main__":
    main()
