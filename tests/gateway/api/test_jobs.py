"""Jobs by the API: asked for, watched, stopped."""

import uuid

import pytest

from audit.models import Event
from gateway.jobs.run import run
from gateway.models import Job
from tests.gateway.call_records import World
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")

ONE_DAY = {"first": "2026-01-01", "last": "2026-01-01"}


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def alice(world):
    return Api(world.person("owner"))


def wish(world, **changes):
    return {"tenant": str(world.tenant.id), "kind": "rollup", "terms": ONE_DAY, **changes}


def waiting(world, **fields):
    return Job.objects.create(
        kind="rollup", tenant=world.tenant, owner_id="x", owner="ann", terms=ONE_DAY, **fields
    )


def test_work_is_asked_for_and_done(world, alice):
    asked = alice.post("jobs/", wish(world, reason="a late call"))
    assert asked.status_code == 201, asked.content
    body = asked.json()
    assert (body["state"], body["terms"], body["total"]) == ("queued", ONE_DAY, None)
    run(uuid.UUID(body["id"]), "test")
    shown = alice.get(f"jobs/{body['id']}/").json()
    assert (shown["state"], set(shown["result"])) == ("done", {"days"})
    assert Event.objects.get(action="job.create", object_id=body["id"]).reason == "a late call"
    assert alice.post(f"jobs/{body['id']}/cancel/").json() == shown


def test_a_job_is_cancelled(world, alice):
    job = waiting(world)
    stopped = alice.post(f"jobs/{job.id}/cancel/", {"reason": "not needed"})
    assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelled")
    assert Event.objects.get(action="job.cancel", object_id=str(job.id)).reason == "not needed"


def test_who_asked_for_a_job_may_stop_it_and_who_only_sees_it_may_not(world):
    user = world.person("auditor")
    own, other = waiting(world), waiting(world)
    Job.objects.filter(pk=own.pk).update(owner_id=str(user.id))
    auditor = Api(user)
    assert auditor.post(f"jobs/{own.id}/cancel/").json()["state"] == "cancelled"
    refused = auditor.post(f"jobs/{other.id}/cancel/")
    assert (refused.status_code, refused.json()["permission"]) == (403, "job.cancel")
    assert Job.objects.get(pk=other.pk).state == "queued"


def test_jobs_are_listed_by_tenant_kind_and_state(world, alice):
    first, second = waiting(world), waiting(world)
    alice.post(f"jobs/{first.id}/cancel/")

    def listed(query):
        return [row["id"] for row in alice.get(f"jobs/?{query}").json()["results"]]

    assert listed(f"tenant={world.tenant.id}&kind=rollup") == [str(second.id), str(first.id)]
    assert listed("state=cancelled") == [str(first.id)]
    assert listed("kind=export") == []
    for query in ("kind=juggle", "state=gone", "tenant=x", "owner=ann"):
        assert alice.get(f"jobs/?{query}").status_code == 400


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "export"}, "kind"),
        ({"kind": "juggle"}, "kind"),
        ({"terms": None}, "terms"),
        ({"terms": []}, "terms"),
        ({"terms": {}}, "terms"),
        ({"terms": {"first": 1, "last": 2}}, "terms"),
        ({"terms": {"first": "2026-01-02", "last": "2026-01-01"}}, "terms"),
        ({"tenant": "018f2f9e-0000-7000-8000-000000000001"}, "tenant"),
        ({"state": "done"}, "state"),
        ({"owner_id": "x"}, "owner_id"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for(world, alice, changes, field):
    answer = alice.post("jobs/", wish(world, **changes))
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert not Job.objects.filter(tenant=world.tenant).exists()


def test_who_may_not(world, unique):
    job = waiting(world)
    stranger, analyst = Api(World(unique).person("owner")), Api(world.person("analyst"))
    for api in (stranger, analyst):
        assert api.get(f"jobs/{job.id}/").status_code == 404
        assert api.post(f"jobs/{job.id}/cancel/").status_code == 404
    assert stranger.post("jobs/", wish(world)).status_code == 400
    assert analyst.post("jobs/", wish(world)).json()["permission"] == "job.create"
    auditor = Api(world.person("auditor"))
    assert auditor.post("jobs/", wish(world)).json()["permission"] == "job.create"
