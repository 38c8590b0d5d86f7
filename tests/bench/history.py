"""How fast recorded decisions are made again, on one core: `python -m tests.bench.history`.

Everything, the database as well, runs on one core. Takes the data folder of an installation with
calls (GATEHOUSE_DATA), else makes one of 50,000 calls that is gone afterwards.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from gateway.config import load
from gateway.embedded import Servers

ROOT = Path(__file__).parents[2]
CALLS, DAYS = 50_000, 30
CORE = 0
DRAFT = """policy: draft
default: permit
rules:
  - {id: mail, when: '"EMAIL_ADDRESS" in pii.kinds', deny: {message: "No addresses."}}
  - {id: size, when: call.bytes > 300, cap: {max_output_tokens: 64}}
"""


def manage(environ, *arguments):
    """Run a command in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def processor_s():
    """Return what all commands so far took of a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    """Print what each command took."""
    os.sched_setaffinity(0, {CORE})
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as made, Servers() as servers:
        data = os.environ.get("GATEHOUSE_DATA", made)
        environ = dict(os.environ, GATEHOUSE_DATA=data)
        servers.start(load({"GATEHOUSE_DATA": data})).export(environ)
        if data == made:
            manage(environ, "migrate")
            manage(environ, "demo", "--days", str(DAYS), "--calls", str(CALLS))
        draft = Path(made) / "draft.yaml"
        draft.write_text(DRAFT)
        simulate = ("policy", "simulate", str(draft), "--tenant", "meridian", "--at", "tenant")
        for command in (("audit", "replay"), simulate):
            before_s = processor_s()
            told = json.loads(manage(environ, *command, "--json"))
            records, pace = told["records"], told["records_per_minute"]
            spent = processor_s() - before_s
            print(f"{' '.join(command[:2]):16} {records:>10,} records {pace:>12,} a minute", end="")
            print(f"  {spent:6.2f} s of processor time, its start included")


if __name__ == "__main__":
    main()
