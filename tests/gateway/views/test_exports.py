"""Exports: asked for on a page, read file by file, each reading an event."""

import asyncio
import datetime
import gzip
import json
import re

import pytest
from django.core import signing
from django.utils import timezone

from audit.models import Event, Export
from gateway.jobs.run import run
from gateway.models import Job
from gateway.selectors import DOWNLOAD_SALT
from gateway.services.exports import exports_expire
from tests.booked import Calls
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, links, listed, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

NOW = timezone.now()
DAY = datetime.timedelta(days=1)


@pytest.fixture
def booked(world):
    calls = Calls(world.tenant, world.app)
    calls.call(NOW - datetime.timedelta(hours=2), model="gpt-4o")
    calls.refuse(NOW - datetime.timedelta(hours=1))
    calls.book()
    return calls


def wanted(world, **changes):
    return {
        "tenant": world.tenant.name,
        "kinds": ["records"],
        "since": f"{NOW - DAY:%Y-%m-%dT%H:%M}",
        "until": f"{NOW + DAY:%Y-%m-%dT%H:%M}",
        "formats": ["ndjson", "csv"],
        "reason": "the audit of November",
    } | changes


@pytest.fixture
def export(world, client, booked):
    """An export that the auditor asked for and a worker wrote."""
    answer = client.post("/exports/new", wanted(world))
    assert answer.status_code == 302
    made = Export.objects.get(tenant_id=world.tenant.id)
    assert answer["Location"] == f"/exports/{made.pk}"
    assert run(made.job_id, "test")
    return Export.objects.get(pk=made.pk)


def content(answer):
    """Read a streamed answer as a server does: block by block."""

    async def read():
        return b"".join([block async for block in answer])

    try:
        return asyncio.run(read())
    finally:
        answer.close()


def test_an_export_shows_its_parts_and_checksums(client, export):
    answer = client.get(f"/exports/{export.pk}")
    told = text(answer)
    assert "Records, from" in told
    assert "as ndjson and csv" in told
    for part in export.parts:
        assert part["name"] in told
        assert part["sha256"] in told
    assert "hx-trigger" not in body(answer)
    listed = text(client.get("/exports"))
    assert "ready" in listed
    assert export.parts[0]["sha256"][:10] in listed
    assert (
        "the audit of November" in Event.objects.filter(action="export.create").latest("id").reason
    )


def test_a_file_is_downloaded_through_a_link_of_a_minute(client, export):
    part = export.parts[0]
    answer = client.post(f"/exports/{export.pk}/download", {"part": part["name"]})
    assert answer.status_code == 302
    file = client.get(answer["Location"])
    assert (
        file["Content-Disposition"] == f'attachment; filename="{str(export.pk)[:8]}-{part["name"]}"'
    )
    assert int(file["Content-Length"]) == part["bytes"]
    assert file["Cache-Control"] == "no-store"
    lines = gzip.decompress(content(file)).decode().splitlines()
    assert len(lines) == part["rows"] == export.rows
    event = Event.objects.filter(action="export.download").latest("id")
    assert (event.object_id, event.after) == (str(export.pk), {"part": part["name"]})
    manifest = client.post(f"/exports/{export.pk}/download", {"part": "manifest.json"})
    told = client.get(manifest["Location"])
    assert told["Content-Type"] == "application/json"
    assert json.loads(content(told))["export_id"] == str(export.pk)


def test_a_link_that_is_wrong_old_or_anothers_opens_nothing(
    world, unique, client, export, monkeypatch
):
    part = export.parts[0]["name"]
    link = client.post(f"/exports/{export.pk}/download", {"part": part})["Location"]
    assert client.get("/exports/file/x:y").status_code == 404
    assert client.get(f"{link[:-2]}xx").status_code == 404
    stranger = signed_in(World(unique).person("auditor"))
    assert stranger.get(link).status_code == 404
    assert signed_in(world.person("analyst")).get(link).status_code == 403
    later = signing.time.time() + 61
    with monkeypatch.context() as patched:
        patched.setattr(signing.time, "time", lambda: later)
        answer = client.get(link)
    assert answer.status_code == 410
    assert "not to be had any more" in text(answer)
    for path in ("..", "nothing.gz"):
        forged = signing.dumps([str(export.pk), path], salt=DOWNLOAD_SALT)
        assert client.get(f"/exports/file/{forged}").status_code == 410
    assert content(client.get(link))


def test_what_there_is_no_file_of(client, export):
    path = f"/exports/{export.pk}/download"
    assert client.post(path, {"part": "../x"}).status_code == 410
    assert client.get(path).status_code == 405
    exports_expire(timezone.now() + 8 * DAY)
    assert client.post(path, {"part": export.parts[0]["name"]}).status_code == 410
    assert "Its files are gone" in text(client.get(f"/exports/{export.pk}"))


def test_an_export_that_is_being_written_keeps_its_page_up_to_date(world, client, booked):
    path = client.post("/exports/new", wanted(world))["Location"]
    answer = client.get(path)
    assert 'hx-trigger="every 2s"' in body(answer)
    assert "being written" in text(answer)
    part = client.get(path, headers={"HX-Request": "true"})
    assert "<html" not in body(part)
    export = Export.objects.get(tenant_id=world.tenant.id)
    client.post(f"/jobs/{export.job_id}/cancel", {"reason": ""})
    assert "There are no files" in text(client.get(path))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"until": "2020-01-01T00:00"}, "from one instant to a later one"),
        ({"kinds": []}, "required"),
        ({"app": "nobody"}, "has no app of this name"),
        ({"actions": "colour."}, "No action begins so"),
        ({"tenant": "elsewhere"}, "valid choice"),
        ({"outcome": "lovely"}, "valid choice"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(world, client, changes, told):
    answer = client.post("/exports/new", wanted(world, **changes))
    assert answer.status_code == 422
    assert told in text(answer)
    assert not Export.objects.filter(tenant_id=world.tenant.id).exists()


def test_the_filters_of_the_calls_are_carried_over(world, client, booked):
    query = f"tenant={world.tenant.name}&app={world.app.name}&outcome=denied&from=2026-11-01T00:00"
    (link,) = [
        each for each in links(client.get(f"/calls?{query}")) if each.startswith("/exports/new")
    ]
    form = body(client.get(link))
    assert f'value="{world.app.name}"' in form
    assert 'value="2026-10-31T23:00"' in form
    assert re.search(r'<option value="denied" selected', form)
    answer = client.post("/exports/new", wanted(world, app=world.app.name, outcome="denied"))
    assert answer.status_code == 302
    export = Export.objects.get(tenant_id=world.tenant.id)
    assert export.filter["apps"] == [str(world.app.id)]
    assert run(export.job_id, "test")
    assert Export.objects.get(pk=export.pk).rows == 1


def test_the_filters_of_the_events_are_carried_over(world, client):
    answer = client.get(f"/events?tenant={world.tenant.name}&action=policy.&actor=ann")
    (link,) = [each for each in links(answer) if each.startswith("/exports/new")]
    form = client.get(link)
    assert 'value="ann"' in body(form)
    assert 'value="policy."' in body(form)
    client.post("/exports/new", wanted(world, kinds=["events"], actions="policy.", actor="ann"))
    export = Export.objects.get(tenant_id=world.tenant.id)
    assert "policy.publish" in export.filter["actions"]
    assert export.filter["actor"] == "ann"


def test_what_is_listed_is_what_is_exported(world, client):
    now = timezone.now()
    mail = world.call(now).with_cards().admitted(redacted=True).completed()
    world.call(now).with_cards().refused()
    world.call(now).admitted().completed()
    page = client.get(f"/calls?tenant={world.tenant.name}&redaction=EMAIL_ADDRESS")
    assert listed(page) == [mail.id]
    (link,) = [each for each in links(page) if each.startswith("/exports/new")]
    form = client.get(link)
    assert "will hold 2 records" in text(form)
    chosen = {"redaction": "EMAIL_ADDRESS", "actor": "nobody", "kinds": ["records", "events"]}
    until = f"{now + datetime.timedelta(minutes=2):%Y-%m-%dT%H:%M}"
    asked = wanted(world, **chosen, until=until, since=f"{now - DAY:%Y-%m-%dT%H:%M}")
    counted = client.post("/exports/new", asked | {"preview": "yes"})
    assert counted.status_code == 200
    assert "will hold 2 records and 0 events" in text(counted)
    assert not Export.objects.filter(tenant_id=world.tenant.id).exists()
    client.post("/exports/new", asked)
    export = Export.objects.get(tenant_id=world.tenant.id)
    assert run(export.job_id, "test")
    assert Export.objects.get(pk=export.pk).rows == 2


def test_a_form_that_cannot_be_read_is_not_counted(world, client):
    broken = client.post("/exports/new", wanted(world, since="x") | {"preview": "yes"})
    assert broken.status_code == 422
    assert "will hold" not in text(broken)


def test_who_may_what(unique, world, client, export):
    owner = signed_in(World(unique).person("owner"))
    for path in (f"/exports/{export.pk}", f"/jobs/{export.job_id}/cancel"):
        assert owner.get(path).status_code == 404
    assert (
        owner.post(f"/exports/{export.pk}/download", {"part": "manifest.json"}).status_code == 404
    )
    assert "No exports yet" in text(owner.get("/exports"))
    assert "No jobs yet" in text(owner.get("/jobs"))
    for role in ("analyst", "approver"):
        browser = signed_in(world.person(role))
        for path in ("/exports", "/exports/new", "/jobs", f"/exports/{export.pk}"):
            assert browser.get(path).status_code == 403
        assert "Export these" not in text(browser.get("/overview"))
    assert client.get("/exports?tenant=nowhere").status_code == 404


def test_jobs_are_listed_and_stopped(world, client, booked):
    client.post("/exports/new", wanted(world))
    live = client.get("/jobs")
    assert 'hx-trigger="every 2s"' in body(live)
    assert "queued" in text(live)
    assert "<html" not in body(client.get("/jobs", headers={"HX-Request": "true"}))
    job = Job.objects.get(tenant=world.tenant)
    Job.objects.filter(pk=job.pk).update(
        state="running", holder="w", lease_until=timezone.now() + DAY, attempts=1, done=3, total=9
    )
    assert "3 of 9" in text(client.get("/jobs"))
    Job.objects.filter(pk=job.pk).update(state="queued", holder="", lease_until=None)
    path = f"/jobs/{job.pk}/cancel"
    assert "thrown away" in text(client.get(path))
    assert "The export stops." in text(client.post(path, {"reason": "a mistake"}, follow=True))
    done = client.get("/jobs")
    assert "cancelled" in text(done)
    assert "hx-trigger" not in body(done)
    assert "It had ended already." in text(client.post(path, {"reason": ""}, follow=True))
    assert signed_in(world.person("auditor")).get(path).status_code == 403
