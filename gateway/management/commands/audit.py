"""`manage.py audit ...`: evidence as files, and decisions proven again, by this process."""

import datetime
import time
import uuid
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit.actor import command
from audit.decided import Range
from audit.exports.wanted import DECISIONS, FORMATS, KINDS, ExportWanted
from audit.models import Export
from audit.outcome import OUTCOMES
from gateway.jobs.export import folder_of
from gateway.jobs.run import run
from gateway.management.arguments import instant
from gateway.management.output import counted, document, refused
from gateway.models import Job
from gateway.replaying import Replayed, replay
from gateway.services.exports import export_create
from tenants.models import App, Tenant

DEFAULT_DAYS = 30
POLL_S = 0.5


class Command(BaseCommand):
    help = "Work with the evidence."

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        export = subcommands.add_parser("export", help="write records and events to files")
        export.add_argument("--tenant", required=True)
        export.add_argument("--since", type=instant, metavar="ISO", help="default: 30 days ago")
        export.add_argument("--until", type=instant, metavar="ISO", help="default: now")
        export.add_argument("--kind", action="append", choices=KINDS, help="default: records")
        export.add_argument("--format", action="append", choices=FORMATS, help="default: ndjson")
        export.add_argument("--app", action="append", default=[], help="only calls of this app")
        export.add_argument("--model", default="", help="only calls of this model")
        export.add_argument("--outcome", default="", choices=OUTCOMES)
        export.add_argument("--decision", default="", choices=DECISIONS)
        export.add_argument("--rule", default="", help="only calls that this refused")
        export.add_argument("--redaction", default="", help="only calls redacted for this kind")
        export.add_argument("--action", action="append", default=[], help="only such events")
        export.add_argument("--actor", default="", help="only events of whom is named so")
        export.add_argument("--object", default="", help="only events on what is named so")
        export.add_argument("--json", action="store_true", help="print one JSON document")
        replay = subcommands.add_parser(
            "replay", help="make recorded decisions again, and say where one differs"
        )
        replay.add_argument("--tenant", help="default: all tenants")
        replay.add_argument(
            "--from", type=instant, dest="since", metavar="ISO", help="default: 30 days ago"
        )
        replay.add_argument("--to", type=instant, dest="until", metavar="ISO", help="default: now")
        replay.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, subcommand: str, json: bool, **options: Any) -> None:
        if subcommand == "replay":
            self._replay(options, as_json=json)
        else:
            self._export(options, as_json=json)

    def _replay(self, options: dict[str, Any], *, as_json: bool) -> None:
        until = options["until"] or timezone.now()
        since = options["since"] or until - datetime.timedelta(days=DEFAULT_DAYS)
        tenant = _any_tenant(options["tenant"]) if options["tenant"] else None
        of = Range(since, until, None if tenant is None else tenant.pk)
        found = replay(settings.GATEHOUSE.database_url, of)
        self.stdout.write(document(_as_json(found)) if as_json else _as_text(found))
        if not found.proof.holds:
            raise CommandError("not every decision was proven")

    def _export(self, options: dict[str, Any], *, as_json: bool) -> None:
        found = _tenant(options["tenant"])
        try:
            export = export_create(
                actor=command("audit export"),
                tenant=found,
                wanted=_wanted(found, options),
                send=False,
            )
        except ValidationError as error:
            raise refused(error) from None
        job = _finished(export.job_id)
        if job.state != Job.State.DONE:
            raise CommandError(job.error or f"the export was {job.state}")
        self._print(export, job, as_json=as_json)

    def _print(self, export: Export, job: Job, *, as_json: bool) -> None:
        path, result = str(folder_of(export).path), job.result or {}
        if as_json:
            self.stdout.write(document({"id": str(export.pk), "path": path, **result}))
            return
        rows = ", ".join(f"{count} {kind}" for kind, count in result["rows"].items())
        self.stdout.write(f"{path}  {rows}")


def _tenant(name: str) -> Tenant:
    found = Tenant.objects.exclude(state=Tenant.State.REMOVED).filter(name=name).first()
    if found is None:
        raise CommandError(f"there is no tenant {name}")
    return found


def _any_tenant(name: str) -> Tenant:
    """Return the tenant of this name, or else the removed one of this id: evidence outlives it."""
    try:
        removed = Tenant.objects.filter(pk=uuid.UUID(name)).first()
    except ValueError:
        removed = None
    return removed or _tenant(name)


def _as_json(found: Replayed) -> dict[str, object]:
    proof = found.proof
    return {
        "ok": proof.holds,
        "records": proof.records,
        "decisions": proof.decisions,
        "different": proof.different,
        "differences": [
            asdict(difference) | {"call_id": str(difference.call_id)}
            for difference in proof.differences
        ],
        "unproven": [
            {"reason": reason, "count": count} for reason, count in proof.unproven.items()
        ],
        "seconds": round(found.seconds, 3),
        "records_per_minute": found.records_per_minute,
    }


def _as_text(found: Replayed) -> str:
    proof = found.proof
    lines = [
        f"{each.call_id} attempt {each.attempt}, {each.kind}: another {each.differs}"
        for each in proof.differences
    ]
    if proof.different > len(proof.differences):
        lines.append(f"... and {proof.different - len(proof.differences):,} more")
    lines += [
        f"not proven: {counted(count, 'decision')}. {why}" for why, count in proof.unproven.items()
    ]
    decisions, records = counted(proof.decisions, "decision"), counted(proof.records, "record")
    lines.append(
        f"{decisions} in {records} made again in"
        f" {found.seconds:.1f} s ({found.records_per_minute:,} records a minute):"
        f" {proof.different:,} different, {sum(proof.unproven.values()):,} not proven"
    )
    return "\n".join(lines)


def _wanted(tenant: Tenant, options: dict[str, Any]) -> ExportWanted:
    until = options["until"] or timezone.now()
    return ExportWanted(
        since=options["since"] or until - datetime.timedelta(days=DEFAULT_DAYS),
        until=until,
        kinds=tuple(options["kind"] or ("records",)),
        formats=tuple(options["format"] or ("ndjson",)),
        apps=tuple(_app(tenant, name) for name in options["app"]),
        model=options["model"],
        outcome=options["outcome"],
        decision=options["decision"],
        rule=options["rule"],
        redaction=options["redaction"],
        actions=tuple(options["action"]),
        actor=options["actor"],
        object=options["object"],
    )


def _app(tenant: Tenant, name: str) -> uuid.UUID:
    """Return the app of this name; one that was removed can be asked for by its id."""
    app = App.objects.exclude(state=App.State.REMOVED).filter(tenant=tenant, name=name).first()
    if app is not None:
        return app.pk
    try:
        return uuid.UUID(name)
    except ValueError:
        raise CommandError(f"there is no app {name} of the tenant {tenant.name}") from None


def _finished(job_id: uuid.UUID) -> Job:
    """Do the job here; where a worker was quicker, wait for it."""
    run(job_id, "manage.py audit export")
    while True:
        job = Job.objects.get(pk=job_id)
        if job.finished_at is not None:
            return job
        time.sleep(POLL_S)
