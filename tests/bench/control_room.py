"""What looking back costs with many calls on the books: `make bench-control`.

A real PostgreSQL and Redis on a data folder, filled by `manage.py demo`; then everything is rolled
up again, exported as NDJSON and as CSV, and every page of the console is asked, over HTTP, as the
demo's owner. With `--data` the folder stays, and the next run takes it as it is.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway.config import load
from gateway.embedded import Servers
from tests.bench.meters import family_cpu_s, load_text

ROOT = Path(__file__).parents[2]
CALLS = 1_000_000
DAYS = 30
PAGES = 31
PARTS = ("rollup", "exports", "pages")
OWNER = "owner@meridian.example"


def arguments():
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="tests.bench.control_room", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="of a folder that is to be filled")
    parser.add_argument("--data", type=Path, help="a data folder to keep, or to take as it is")
    parser.add_argument("--rounds", type=int, default=20, help="of each page")
    parser.add_argument("--repeat", type=int, default=1, help="of rollups and exports")
    parser.add_argument("--only", choices=PARTS, action="append", help="of " + ", ".join(PARTS))
    parser.add_argument("--email", default=OWNER, help="who looks at the pages")
    return parser.parse_args()


@contextlib.contextmanager
def folder(given):
    """Yield the data folder; one that nobody named goes again."""
    if given is not None:
        yield str(given.absolute())
        return
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as data:
        yield data


def prepare(environ, calls):
    """Migrate, and fill the folder unless it holds calls already."""
    os.environ.update(environ, DJANGO_SETTINGS_MODULE="gateway.settings")
    import django  # noqa: PLC0415  (after the servers are known)

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from audit.models import Record  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    if not Record.objects.exists():
        call_command("demo", calls=calls, days=DAYS)


def counted():
    """Return the tenants, and how many calls and records there are."""
    from django.db.models import Sum  # noqa: PLC0415

    from audit.models import Record  # noqa: PLC0415
    from tenants.models import Tenant, UsageRollup  # noqa: PLC0415

    days = UsageRollup.objects.filter(granularity="day")
    calls = days.aggregate(calls=Sum("calls", default=0))["calls"]
    return [tenant.name for tenant in Tenant.objects.all()], int(calls), Record.objects.count()


def line(name, *values):
    """Print a line of the table."""
    print(f"{name:34}" + "".join(f"{value:>14}" for value in values), flush=True)


def rollup(postgres, repeat):
    """Roll everything up again, from the first record on."""
    from tenants.models import UsageMark  # noqa: PLC0415
    from tenants.usage.rolling import usage_roll  # noqa: PLC0415

    print(f"\nrollup of everything ({load_text()})")
    line("", "wall s", "own CPU s", "database CPU s")
    for _ in range(repeat):
        UsageMark.objects.all().delete()
        began, own, theirs = time.perf_counter(), time.process_time(), family_cpu_s(postgres)
        stretches = usage_roll()
        took = (
            time.perf_counter() - began,
            time.process_time() - own,
            family_cpu_s(postgres) - theirs,
        )
        line(f"{stretches} stretches", *(f"{value:.1f}" for value in took))


def exports(postgres, tenants, span, repeat):
    """Export all records of every tenant, in each format."""
    print(f"\nexport of everything ({load_text()})")
    line("", "wall s", "own CPU s", "database CPU s", "peak MB", "rows", "MB")
    for form in ("ndjson", "csv"):
        for _ in range(repeat):
            theirs, found = family_cpu_s(postgres), []
            for tenant in tenants:
                order = [tenant, form, *(instant.isoformat() for instant in span)]
                ended = subprocess.run(
                    [sys.executable, "-m", "tests.bench.export_once", *order],
                    cwd=ROOT, stdout=subprocess.PIPE, check=True,
                )  # fmt: skip
                found.append(json.loads(ended.stdout))
            sums = {name: sum(each[name] for each in found) for name in found[0]}
            line(
                form, f"{sums['wall_s']:.1f}", f"{sums['cpu_s']:.1f}",
                f"{family_cpu_s(postgres) - theirs:.1f}",
                f"{max(each['peak_mb'] for each in found):.0f}",
                sums["rows"], f"{sums['bytes'] / 1e6:.0f}",
            )  # fmt: skip


def pages(environ, postgres, span, asked):
    """Ask every page of the console."""
    from tests.bench.pages import measure  # noqa: PLC0415
    from tests.stack import Gateway  # noqa: PLC0415

    print(f"\npages, {asked.rounds} times each, as {asked.email} ({load_text()})")
    line("", "queries", "p50 ms", "p95 ms", "worker ms CPU", "database ms")
    with Gateway(environ=environ) as gateway:
        server = {
            "port": gateway.port,
            "worker": gateway.workers[0].pid,
            "postgres": postgres,
        }
        for name, queries, *times in measure(asked.email, span, asked.rounds, server):
            line(name, queries, *(f"{each:.0f}" for each in times))
    print(load_text())


def main():
    """Start everything, measure, stop everything."""
    asked = arguments()
    parts = asked.only or PARTS
    with folder(asked.data) as data, Servers() as servers:
        environ = dict(os.environ, GATEHOUSE_DATA=data)
        servers.start(load({"GATEHOUSE_DATA": data})).export(environ)
        prepare(environ, asked.calls)
        from tests.bench.pages import span  # noqa: PLC0415

        tenants, calls, records = counted()
        postgres = servers.pids["postgres"]
        print(f"{calls:,} calls ({records:,} records) of {', '.join(tenants)} in {data}")
        if "rollup" in parts:
            rollup(postgres, asked.repeat)
        if "exports" in parts:
            exports(postgres, tenants, span(DAYS + 1), asked.repeat)
        if "pages" in parts:
            pages(environ, postgres, span(PAGES), asked)


if __name__ == "__main__":
    main()
