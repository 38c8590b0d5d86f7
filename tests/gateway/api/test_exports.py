"""Exports by the API: from the wish to the bytes, and who may not."""

import asyncio
import datetime
import gzip
import hashlib
import json
import uuid

import pytest
from django.conf import settings
from django.core import signing
from django.test import AsyncClient, Client
from django.utils import timezone

from audit.models import Event, Export
from gateway import selectors
from gateway.downloads import BLOCK
from gateway.jobs.run import run
from gateway.selectors import DOWNLOAD_SALT
from gateway.services.exports import exports_expire
from tests.booked import Calls, hours_of
from tests.gateway.call_records import World
from tests.management import Api, as_itself

pytestmark = pytest.mark.usefixtures("db")

SINCE = hours_of(timezone.now().date() - datetime.timedelta(days=1))
UNTIL = SINCE + datetime.timedelta(days=1)
NOBODYS = "018f2f9e-0000-7000-8000-000000000001"


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def auditor(world):
    return Api(world.person("auditor"))


def wish(world, **changes):
    times = {"since": SINCE.isoformat(), "until": UNTIL.isoformat()}
    return {"tenant": str(world.tenant.id), **times, **changes}


def made(api, world, **changes):
    """Ask for an export, have it written, and return what the API then says of it."""
    asked = api.post("exports/", wish(world, **changes))
    assert asked.status_code == 201, asked.content
    assert run(uuid.UUID(asked.json()["job_id"]), "test")
    return api.get(f"exports/{asked.json()['id']}/").json()


def address(api, export, part):
    answer = api.post(f"exports/{export['id']}/download/", {"part": part, "reason": "audit 7"})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_an_export_from_the_wish_to_the_bytes(world, auditor):
    calls = Calls(world.tenant, world.app)
    calls.at_random(SINCE, UNTIL, 40)
    calls.book()
    asked = auditor.post("exports/", wish(world, kinds=["records", "events"], reason="year's end"))
    assert asked.json()["state"] == "pending"
    assert asked.json()["filter"]["kinds"] == ["records", "events"]
    identity = asked.json()["id"]
    assert auditor.get(f"jobs/{asked.json()['job_id']}/").json()["kind"] == "export"
    assert run(uuid.UUID(asked.json()["job_id"]), "test")
    shown = auditor.get(f"exports/{identity}/").json()
    assert (shown["state"], len(shown["parts"])) == ("ready", 2)
    assert shown["expires_at"] > shown["ready_at"]

    told = address(auditor, shown, "manifest.json")
    manifest = json.loads(Client().get(told["url"]).getvalue())
    assert manifest["parts"] == shown["parts"]
    for part in manifest["parts"]:
        answer = Client().get(address(auditor, shown, part["name"])["url"])
        assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/gzip", "no-store")
        assert answer["Content-Disposition"] == f'attachment; filename="{part["name"]}"'
        content = answer.getvalue()
        assert int(answer["Content-Length"]) == len(content) == part["bytes"]
        assert hashlib.sha256(content).hexdigest() == part["sha256"]
        assert gzip.decompress(content).count(b"\n") == part["rows"]
    event = Event.objects.filter(action="export.download", object_id=identity).order_by("id")[0]
    assert (event.after, event.reason) == ({"part": "manifest.json"}, "audit 7")
    assert Event.objects.get(action="export.create", object_id=identity).reason == "year's end"


def test_a_file_is_sent_block_by_block_where_it_is_served(world, auditor):
    export = made(auditor, world)
    path = settings.GATEHOUSE.data / "exports" / export["id"] / "manifest.json"
    long = b"x" * (2 * BLOCK + 5)
    path.write_bytes(long)
    url = address(auditor, export, "manifest.json")["url"]

    async def fetched():
        answer = await AsyncClient().get(url)
        return [block async for block in answer]

    blocks = asyncio.run(fetched())
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, 5]
    assert b"".join(blocks) == long


def is_not_there(url):
    answer = Client().get(url)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "no-store"


def test_an_address_is_good_for_one_file_of_one_export(world, auditor):
    export, other = made(auditor, world), made(auditor, world)
    url = address(auditor, export, "manifest.json")["url"]
    body, stamp, sealed = url.rpartition("/")[2].split(":")
    assert Client().get(url).getvalue()
    elsewhere = signing.dumps([other["id"], "manifest.json"], salt=DOWNLOAD_SALT).split(":")[0]
    for token in (
        f"{elsewhere}:{stamp}:{sealed}",
        f"{body}:{stamp}:{sealed}x",
        f"{body}:{stamp}",
        "x",
        "%00",
        "\u00e4",
        signing.dumps([export["id"], "manifest.json"], salt="another"),
        signing.dumps([NOBODYS, "manifest.json"], salt=DOWNLOAD_SALT),
        signing.dumps([export["id"], "records-99999.ndjson.gz"], salt=DOWNLOAD_SALT),
    ):
        is_not_there(f"/api/v1/downloads/{token}")


def test_an_address_is_good_for_a_minute(world, auditor, monkeypatch):
    export = made(auditor, world)
    told = address(auditor, export, "manifest.json")
    left = datetime.datetime.fromisoformat(told["expires_at"]) - timezone.now()
    assert datetime.timedelta(seconds=50) < left <= datetime.timedelta(seconds=60)
    monkeypatch.setattr(selectors, "DOWNLOAD_AGE_MAX", datetime.timedelta(seconds=-1))
    is_not_there(told["url"])


def test_what_has_expired_is_not_there(world, auditor):
    export = made(auditor, world)
    url = address(auditor, export, "manifest.json")["url"]
    (settings.GATEHOUSE.data / "exports" / export["id"] / "manifest.json").unlink()
    is_not_there(url)
    exports_expire(timezone.now() + datetime.timedelta(days=30))
    refused = auditor.post(f"exports/{export['id']}/download/", {"part": "manifest.json"})
    assert [fault["field"] for fault in refused.json()["errors"]] == ["export"]


@pytest.mark.parametrize("part", ["../../secrets/kek", "records-00009.ndjson.gz", "", 7])
def test_a_part_that_is_none(world, auditor, part):
    export = made(auditor, world)
    answer = auditor.post(f"exports/{export['id']}/download/", {"part": part})
    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == ["part"]


def test_an_address_is_made_anew_each_time(world, auditor):
    export = made(auditor, world)
    for _ in range(2):
        answer = auditor.post(
            f"exports/{export['id']}/download/", {"part": "manifest.json"}, idempotency_key="one"
        )
        assert "Idempotency-Replayed" not in answer
    assert Export.objects.get(pk=export["id"]).downloads == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"since": UNTIL.isoformat()}, "until"),
        ({"since": "1999-12-31T23:59:59Z"}, "since"),
        ({"until": "9999-12-31T23:59:59Z"}, "until"),
        ({"since": "2026-01-01T00:00:00"}, "since"),
        ({"until": None}, "until"),
        ({"tenant": NOBODYS}, "tenant"),
        ({"kinds": ["calls"]}, "kinds.0"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["records", "records"]}, "kinds"),
        ({"formats": "csv"}, "formats"),
        ({"apps": ["x"]}, "apps.0"),
        ({"apps": [str(uuid.UUID(int=each)) for each in range(101)]}, "apps"),
        ({"model": 7}, "model"),
        ({"outcome": "lucky"}, "outcome"),
        ({"decision": "maybe"}, "decision"),
        ({"actions": ["x" * 61]}, "actions.0"),
        ({"creator": "x"}, "creator"),
    ],
    ids=str,
)
def test_what_an_export_cannot_be(world, auditor, changes, field):
    answer = auditor.post("exports/", wish(world, **changes))
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert not Export.objects.filter(tenant_id=world.tenant.id).exists()


def test_exports_are_listed_by_tenant_and_state(world, auditor):
    first, second = made(auditor, world), auditor.post("exports/", wish(world)).json()

    def listed(query):
        return [row["id"] for row in auditor.get(f"exports/?{query}").json()["results"]]

    assert listed(f"tenant={world.tenant.id}") == [second["id"], first["id"]]
    assert listed("state=ready") == [first["id"]]
    assert auditor.get("exports/?state=gone").status_code == 400


def test_who_may_not(world, auditor, unique):
    export = made(auditor, world)
    stranger, analyst = Api(World(unique).person("owner")), Api(world.person("analyst"))
    for api in (stranger, analyst):
        assert api.get(f"exports/{export['id']}/").status_code == 404
        wanted = {"part": "manifest.json"}
        assert api.post(f"exports/{export['id']}/download/", wanted).status_code == 404
    assert stranger.post("exports/", wish(world)).status_code == 400
    assert analyst.post("exports/", wish(world)).json()["permission"] == "export.create"
    reader = as_itself(world.tenant, "auditor", scopes=["exports:read"])
    assert reader.get(f"exports/{export['id']}/").status_code == 200
    refused = reader.post(f"exports/{export['id']}/download/", {"part": "manifest.json"})
    assert refused.json()["scope"] == "exports:write"
