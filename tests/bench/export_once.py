"""One export as a worker makes it: `python -m tests.bench.export_once TENANT FORMAT SINCE UNTIL`.

Prints what it took as JSON; the files are gone afterwards.
"""

import datetime
import json
import os
import resource
import sys
import time

import django


def main(tenant, form, since, until):
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway.settings"
    django.setup()
    from audit.actor import command  # noqa: PLC0415  (models need the settings)
    from audit.exports.wanted import ExportWanted  # noqa: PLC0415
    from audit.models import Export  # noqa: PLC0415
    from gateway.jobs.export import folder_of  # noqa: PLC0415
    from gateway.jobs.run import run  # noqa: PLC0415
    from gateway.services.exports import export_create  # noqa: PLC0415
    from tenants.selectors import tenant_named  # noqa: PLC0415

    wanted = ExportWanted(
        since=datetime.datetime.fromisoformat(since),
        until=datetime.datetime.fromisoformat(until),
        formats=(form,),
    )
    made = export_create(
        actor=command("bench"), tenant=tenant_named(tenant), wanted=wanted, send=False
    )
    began_s, cpu_began_s = time.perf_counter(), time.process_time()
    run(made.job_id, "bench")
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_began_s
    export = Export.objects.get(pk=made.pk)
    folder_of(export).delete()
    if export.state != Export.State.READY:
        raise SystemExit(f"the export is {export.state}: {export.error}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"rows": export.rows, "bytes": export.size_bytes}
    print(json.dumps({**told, "wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(*sys.argv[1:])
