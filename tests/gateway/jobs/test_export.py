"""Exports: what was asked for and nothing else, whole or not at all."""

import contextlib
import csv
import datetime
import gzip
import hashlib
import io
import json
import os
import resource
import uuid

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models.functions import Now
from django.utils import timezone

from audit.actor import Actor, command
from audit.exports.cells import COLUMNS
from audit.exports.folder import ExportFolder
from audit.exports.parts import Parts
from audit.exports.preview import preview
from audit.exports.wanted import ExportWanted, as_json, from_json
from audit.models import Event, Export
from audit.selectors import events_named, exports_visible
from gateway.jobs.claim import take
from gateway.jobs.export import KEEP
from gateway.jobs.run import run
from gateway.models import Job
from gateway.selectors import export_file
from gateway.services.exports import export_create, export_download, exports_expire
from gateway.services.jobs import job_cancel
from gateway.tasks import tend_jobs
from tenants.services.apps import app_create
from tenants.services.tenants import tenant_create
from tests.booked import Calls, hours_of
from tests.gateway.call_records import World
from tests.gateway.jobs.workers import PATIENCE_S, Worker, end_what_is_left
from tests.stack import eventually

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
FOLDER = settings.GATEHOUSE.data / "exports"
SINCE = hours_of(timezone.now().date() - datetime.timedelta(days=3))
UNTIL = SINCE + datetime.timedelta(days=2)
MS = datetime.timedelta(milliseconds=1)


def wanted(**others):
    return ExportWanted(**{"since": SINCE, "until": UNTIL, **others})


def world(unique):
    tenant = tenant_create(actor=OPERATOR, name=unique("acme"))
    return Calls(tenant, app_create(actor=OPERATOR, tenant=tenant, name="app"))


@pytest.fixture
def calls(unique):
    made = world(unique)
    made.at_random(SINCE, UNTIL, 120)
    made.book()
    return made


def create(calls, actor=OPERATOR, **filters):
    return export_create(actor=actor, tenant=calls.tenant, wanted=wanted(**filters), send=False)


def exported(calls, **filters):
    """Write an export and return it with its manifest."""
    made = create(calls, **filters)
    assert run(made.job_id, "test")
    return stored(made), manifest_of(made)


def stored(export):
    return Export.objects.get(pk=export.pk)


def manifest_of(export):
    return json.loads((FOLDER / str(export.pk) / "manifest.json").read_bytes())


def read(export, part):
    return gzip.decompress((FOLDER / str(export.pk) / part["name"]).read_bytes()).decode()


def rows_of(export, manifest, kind="records"):
    """Return the rows of all NDJSON parts of a kind."""
    texts = [
        read(export, part)
        for part in manifest["parts"]
        if part["kind"] == kind and part["format"] == "ndjson"
    ]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def in_database(calls, where="true"):
    """Return (call, attempt, kind) of the tenant's records by a query of the test's own."""
    with psycopg.connect(settings.GATEHOUSE.database_url) as connection:
        found = connection.execute(
            "SELECT call_id::text, attempt, kind FROM audit_record AS r WHERE tenant_id = %s"  # noqa: S608
            f" AND ({where})",
            [calls.tenant.id],
        )
        return sorted(found.fetchall())


def names(rows):
    return sorted((row["call_id"], row["attempt"], row["kind"]) for row in rows)


def person(tenant, role, identity="1"):
    return Actor("user", identity, "ann", memberships={str(tenant.id): frozenset({role})})


def partial():
    return [path.name for path in FOLDER.glob(".partial-*")]


def test_an_export_holds_exactly_the_rows_of_its_time(calls):
    for at in (SINCE - MS, UNTIL - MS, UNTIL, SINCE):
        calls.call(at)
    other_tenant = tenant_create(actor=OPERATOR, name=f"{calls.tenant.name}-2")
    other = Calls(other_tenant, app_create(actor=OPERATOR, tenant=other_tenant, name="app"))
    other.call(SINCE)
    calls.book()
    other.book()
    export, manifest = exported(calls)
    rows = rows_of(export, manifest)
    where = (
        "to_timestamp(('x' || left(replace(call_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)"
        f" >= '{SINCE.isoformat()}' AND to_timestamp(('x' || left(replace(call_id::text, '-', ''),"
        f" 12))::bit(48)::bigint / 1000.0) < '{UNTIL.isoformat()}'"
    )
    assert names(rows) == in_database(calls, where)
    assert len({row["call_id"] for row in rows}) == 122
    assert [row["call_id"] for row in rows] == sorted(row["call_id"] for row in rows)
    assert {row["tenant_id"] for row in rows} == {str(calls.tenant.id)}
    assert export.rows == len(rows) == manifest["rows"]["records"]


def test_a_line_is_the_row_as_it_was_written(calls):
    export, manifest = exported(calls)
    row = next(row for row in rows_of(export, manifest) if row["kind"] == "admitted")
    with psycopg.connect(settings.GATEHOUSE.database_url) as connection:
        cursor = connection.execute(
            "SELECT day::text, app_id::text, key_id, model, code, cost_micros, body"
            " FROM audit_record WHERE call_id = %s AND attempt = %s AND kind = 'admitted'",
            [row["call_id"], row["attempt"]],
        )
        columns = ("day", "app_id", "key_id", "model", "code", "cost_micros", "body")
        assert cursor.fetchone() == tuple(row[name] for name in columns)
    assert "xid" not in row


@pytest.mark.parametrize(
    ("filters", "where"),
    [
        ({"model": "n"}, "model = 'n'"),
        ({"apps": (uuid.UUID(int=5),)}, "false"),
        ({"decision": "deny"}, "kind = 'refused'"),
        ({"decision": "permit"}, "kind <> 'refused'"),
        (
            {"outcome": "permitted"},
            "EXISTS (SELECT FROM audit_record AS e WHERE e.call_id = r.call_id"
            " AND e.kind = 'completed' AND e.code = '')",
        ),
        (
            {"outcome": "denied", "decision": "permit"},
            "EXISTS (SELECT FROM audit_record AS e WHERE e.call_id = r.call_id"
            " AND e.kind = 'completed' AND e.code = 'policy_denied')",
        ),
        ({"outcome": "lost"}, "false"),
    ],
)
def test_filters_choose_whole_calls(calls, filters, where):
    export, manifest = exported(calls, **filters)
    assert names(rows_of(export, manifest)) == in_database(calls, where)


def test_marks_choose_whole_calls(unique):
    world, at = World(unique), SINCE
    cards = world.call(at).with_cards().refused()
    mail = world.call(at).with_cards().admitted(1, redacted=True).completed(1, "upstream_error")
    mail.admitted(2, redacted=True).completed(2)
    world.call(at).refused("rate_limit_exceeded", "Full.", rule="rpm")
    for chosen, call in (
        ({"rule": f"{world.layered[1].name} / no-cards"}, cards),
        ({"redaction": "EMAIL_ADDRESS"}, mail),
        ({"redaction": "EMAIL_ADDRESS", "rule": "rpm"}, None),
    ):
        found = wanted(**chosen)
        made = export_create(actor=OPERATOR, tenant=world.tenant, wanted=found, send=False)
        assert run(made.job_id, "test")
        rows = names(rows_of(made, manifest_of(made)))
        expected = [] if call is None else [(str(call.id), r.attempt, r.kind) for r in call.rows]
        assert rows == sorted(expected)
        (counted,) = preview(settings.GATEHOUSE.database_url, world.tenant.id, found)
        assert counted == ("records", len(expected), True)


def test_events_are_chosen_by_actor_and_object(calls):
    person = Actor("user", "1", "Ann of Acme", memberships={}, is_superuser=True)
    app = app_create(actor=person, tenant=calls.tenant, name="100.app")
    now = timezone.now()
    hour = datetime.timedelta(hours=1)
    for chosen in (
        {"actor": "ann OF"},
        {"object": "100."},
        {"object": str(app.pk)},
        {"object": "100.APP", "actor": "Ann"},
        {"object": "no such thing"},
        {"actor": "100."},
    ):
        asked = {"since": now - hour, "until": now + hour, "kinds": ("events",)}
        found = wanted(**asked, **chosen)
        export = export_create(actor=OPERATOR, tenant=calls.tenant, wanted=found, send=False)
        assert run(export.job_id, "test")
        listed = events_named(
            Event.objects.filter(tenant_id=calls.tenant.id, at__lt=export.created_at),
            actor=chosen.get("actor", ""), thing=chosen.get("object", ""),
        )  # fmt: skip
        rows = rows_of(export, manifest_of(export), "events")
        assert [row["id"] for row in rows] == sorted(listed.values_list("id", flat=True))
        assert bool(rows) == (chosen not in ({"object": "no such thing"}, {"actor": "100."}))


def test_a_preview_says_where_it_stopped(calls):
    address = settings.GATEHOUSE.database_url
    (whole,) = preview(address, calls.tenant.id, wanted())
    assert whole.is_all
    assert preview(address, calls.tenant.id, wanted(), 5) == [("records", 5, False)]
    (stopped,) = preview(address, calls.tenant.id, wanted(outcome="lost"), 5, 10)
    assert not stopped.is_all


def test_an_export_of_before_a_way_to_narrow_still_reads(calls):
    stored_then = as_json(wanted())
    for name in ("rule", "redaction", "actor", "object"):
        del stored_then[name]
    assert from_json(stored_then) == wanted()


def test_events_are_chosen_by_time_and_action(calls):
    app_create(actor=OPERATOR, tenant=calls.tenant, name="second")
    now = timezone.now()
    hour = datetime.timedelta(hours=1)
    of_now = {"since": now - hour, "until": now + hour, "kinds": ("records", "events")}
    export, manifest = exported(calls, **of_now, actions=("app.create",))
    events = rows_of(export, manifest, "events")
    assert [event["object_name"] for event in events] == ["app", "second"]
    assert manifest["rows"] == {"records": 0, "events": 2}
    _, manifest = exported(calls, **of_now)
    assert manifest["rows"]["events"] > 3
    _, manifest = exported(calls, kinds=("events",))
    assert manifest["rows"] == {"events": 0}


def test_the_manifest_tells_what_lies_there(calls):
    export, manifest = exported(calls, formats=("ndjson", "csv"), kinds=("records", "events"))
    folder = FOLDER / str(export.pk)
    assert manifest["format_version"] == 1
    assert (manifest["tenant"], manifest["creator"]) == (calls.tenant.name, "tests")
    assert manifest["filter"]["since"] == SINCE.isoformat()
    assert len(manifest["parts"]) == 4
    for part in manifest["parts"]:
        content = (folder / part["name"]).read_bytes()
        assert len(content) == part["bytes"]
        assert hashlib.sha256(content).hexdigest() == part["sha256"]
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", *(part["name"] for part in manifest["parts"])
    }  # fmt: skip
    assert export.parts == manifest["parts"]
    assert export.size_bytes == sum(part["bytes"] for part in manifest["parts"])
    assert folder.stat().st_mode & 0o077 == 0


def test_a_table_holds_the_same_rows_and_nothing_that_runs(calls):
    calls.call(SINCE, user="=cmd|' /C calc'!A0")
    calls.book()
    export, manifest = exported(calls, formats=("csv", "ndjson"))
    (part,) = [part for part in manifest["parts"] if part["format"] == "csv"]
    table = list(csv.DictReader(io.StringIO(read(export, part), newline="")))
    assert tuple(table[0]) == COLUMNS["records"]
    told = [(row["call_id"], int(row["attempt"]), row["kind"]) for row in table]
    assert sorted(told) == names(rows_of(export, manifest))
    assert part["rows"] == len(table)
    assert "'=cmd|' /C calc'!A0" in {row["user"] for row in table}


def test_an_export_of_nothing_is_one(unique):
    calls = world(unique)
    export, manifest = exported(calls, formats=("ndjson", "csv"))
    assert (export.state, export.rows, manifest["rows"]) == ("ready", 0, {"records": 0})
    assert [part["rows"] for part in manifest["parts"]] == [0, 0]
    assert read(export, manifest["parts"][0]) == ""
    assert read(export, manifest["parts"][1]).count("\r\n") == 1


def test_parts_have_a_bounded_length_and_equal_rows_make_equal_files(tmp_path):
    lines = [f'{{"id":{number}}}' for number in range(10)]
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        parts = Parts(folder, "events", "csv", most=4)
        parts.write(lines[:3])
        parts.write(lines[3:])
        parts.finish()
        assert [part["rows"] for part in parts.closed] == [4, 4, 2]
        digests.append([part["sha256"] for part in parts.closed])
    assert digests[0] == digests[1]


def test_a_full_disk_fails_the_job_with_the_reason_and_leaves_nothing(calls):
    made = create(calls)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, limits[1]))
    try:
        assert run(made.job_id, "test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    job, export = Job.objects.get(pk=made.job_id), stored(made)
    assert job.state == "failed"
    assert job.error == export.error == f"the export cannot be written: {os.strerror(27)}"
    assert export.state == "failed"
    assert not (FOLDER / str(made.pk)).exists()
    assert not [name for name in partial() if str(made.pk) in name]


def test_a_cancelled_export_leaves_nothing(calls):
    waiting, running = create(calls), create(calls)
    job_cancel(actor=OPERATOR, job=Job.objects.get(pk=waiting.job_id))
    Job.objects.filter(pk=running.job_id).update(cancel_wanted=True)
    assert run(running.job_id, "test")
    for made in (waiting, running):
        assert (stored(made).state, stored(made).error) == ("failed", "it was cancelled")
    assert not [name for name in partial() if str(running.pk) in name]


def test_a_worker_that_lost_its_claim_publishes_nothing(calls):
    made = create(calls)
    slow = take(made.job_id, "slow")
    Job.objects.filter(pk=made.job_id).update(lease_until=Now())
    assert run(made.job_id, "quick")
    before = manifest_of(made)
    assert before["attempt"] == 2
    assert not run(made.job_id, "slow")
    assert slow.attempt == 1
    assert manifest_of(made) == before


HOLD = """
CREATE FUNCTION tests_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(4242); RETURN NEW; END $$;
CREATE TRIGGER tests_hold BEFORE UPDATE ON gateway_job FOR EACH ROW
  WHEN (NEW.done > 0 AND NEW.id = '{}') EXECUTE FUNCTION tests_hold();
"""
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"


@contextlib.contextmanager
def held_at_the_first_report(job_id):
    """Let whoever reports on a job wait for as long as the connection that this gives is open."""
    with psycopg.connect(settings.GATEHOUSE.database_owner_url, autocommit=True) as owner:
        owner.execute(HOLD.format(job_id))
        with psycopg.connect(settings.GATEHOUSE.database_url, autocommit=True) as holder:
            holder.execute("SELECT pg_advisory_lock(4242)")
            yield holder
        owner.execute("DROP FUNCTION tests_hold() CASCADE")


def test_an_export_whose_worker_is_killed_in_the_middle_begins_cleanly(calls):
    end_what_is_left()
    made = create(calls)
    with held_at_the_first_report(made.job_id) as holder:
        with Worker() as first:
            eventually(lambda: tend_jobs() or holder.execute(BLOCKED).fetchone(), PATIENCE_S)
            first.kill()
        assert [name for name in partial() if str(made.pk) in name]
        assert not (FOLDER / str(made.pk)).exists()
    Job.objects.filter(pk=made.job_id).update(lease_until=Now())
    with Worker():
        eventually(lambda: tend_jobs() or stored(made).state == "ready", PATIENCE_S)
    assert not [name for name in partial() if str(made.pk) in name]
    manifest = manifest_of(made)
    assert manifest["attempt"] == Job.objects.get(pk=made.job_id).attempts == 2
    assert names(rows_of(made, manifest)) == in_database(calls)


def test_who_may_export_and_who_may_not(calls, unique):
    made = create(calls, actor=person(calls.tenant, "auditor"))
    assert stored(made).creator == "ann"
    elsewhere = tenant_create(actor=OPERATOR, name=unique("other"))
    for actor in (person(calls.tenant, "analyst"), person(elsewhere, "auditor")):
        with pytest.raises(PermissionDenied):
            create(calls, actor=actor)
        assert made not in exports_visible(actor)
    for actor in (person(calls.tenant, "auditor"), OPERATOR):
        assert made in exports_visible(actor)


def test_a_filter_that_cannot_be_met_is_refused(calls):
    with pytest.raises(ValidationError, match="outcome"):
        create(calls, outcome="lucky")
    assert not Export.objects.filter(tenant_id=calls.tenant.id).exists()


def test_a_download_is_noted_and_opens_one_file_for_a_while(calls, unique):
    export, manifest = exported(calls)
    auditor, name = person(calls.tenant, "auditor"), manifest["parts"][0]["name"]
    token = export_download(actor=auditor, export=export, part=name)
    assert export_file(token) == FOLDER / str(export.pk) / name
    event = Event.objects.filter(action="export.download", object_id=str(export.pk)).get()
    assert (event.actor, event.after) == ("ann", {"part": name})
    assert stored(export).downloads == 1
    assert stored(export).downloaded_at is not None
    assert export_file(f"{token}x") is None
    assert export_file("") is None
    with pytest.raises(ValidationError, match="no part"):
        export_download(actor=auditor, export=export, part="../../secrets/kek")
    with pytest.raises(PermissionDenied):
        export_download(actor=person(calls.tenant, "analyst"), export=export, part=name)


def test_an_export_that_is_not_ready_opens_nothing(calls):
    with pytest.raises(ValidationError, match="pending"):
        export_download(actor=OPERATOR, export=create(calls), part="manifest.json")


def test_an_export_whose_time_is_over_goes_with_an_event(calls):
    export, _ = exported(calls)
    token = export_download(actor=OPERATOR, export=export, part="manifest.json")
    assert export_file(token)
    exports_expire(export.expires_at - datetime.timedelta(seconds=1))
    assert stored(export).state == "ready"
    exports_expire(timezone.now() + KEEP)
    assert stored(export).state == "expired"
    assert not (FOLDER / str(export.pk)).exists()
    assert export_file(token) is None
    event = Event.objects.filter(action="export.expire", object_id=str(export.pk)).get()
    assert (event.actor_kind, event.after) == ("task", {"state": "expired"})


def test_a_folder_that_was_left_in_the_place_is_replaced(calls):
    made = create(calls)
    left = FOLDER / str(made.pk)
    left.mkdir(parents=True)
    (left / "old").write_text("x")
    assert run(made.job_id, "test")
    assert not (left / "old").exists()
    ExportFolder(FOLDER, made.pk).delete()
    assert not left.exists()


def command_line(*arguments):
    output = io.StringIO()
    call_command("audit", "export", *arguments, stdout=output)
    return output.getvalue()


def test_the_command_writes_an_export_and_says_where(calls):
    told = json.loads(
        command_line(
            "--tenant", calls.tenant.name, "--since", SINCE.isoformat(), "--until",
            UNTIL.isoformat(), "--kind", "records", "--kind", "events", "--format", "csv", "--json",
        )
    )  # fmt: skip
    assert told["rows"]["records"] == len(in_database(calls))
    assert (FOLDER / told["id"] / "manifest.json").is_file()
    assert told["path"] == str(FOLDER / told["id"])
    text = command_line("--tenant", calls.tenant.name, "--app", calls.app.name, "--model", "n")
    assert str(FOLDER) in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--tenant", "nobody"),
        ("--tenant", "{tenant}", "--app", "none"),
        ("--tenant", "{tenant}", "--since", "2026-01-02", "--until", "2026-01-01"),
    ],
)
def test_the_command_refuses_what_there_is_not(calls, arguments):
    with pytest.raises(CommandError):
        command_line(*(text.format(tenant=calls.tenant.name) for text in arguments))
