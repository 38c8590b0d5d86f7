"""Virtual keys by the API: a secret is told once."""

import datetime

import pytest
from django.utils import timezone

from tenants.models import VirtualKey
from tests.gateway.call_records import World
from tests.management import Api

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def manager(world):
    return Api(world.person("key_manager"))


def issue(api, world, **changes):
    return api.post("keys/", {"app": str(world.app.id), "name": "laptop", **changes})


def test_a_secret_is_in_the_answer_that_makes_it_only(world, manager):
    made = issue(manager, world)
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    body = made.json()
    secret = body.pop("secret")
    assert secret.startswith(f"gth_{body['public_id']}_")
    assert manager.get(f"keys/{body['id']}/").json() == body
    found = manager.get(f"keys/?public_id={body['public_id']}")
    assert found.json()["results"] == [body]
    assert secret not in found.content.decode()


def test_a_key_is_rotated_with_overlap_and_revoked(world, manager):
    old = issue(manager, world, user="ann").json()
    new = manager.post(f"keys/{old['id']}/rotate/", {"overlap_s": 3600})
    assert new.status_code == 201
    assert new.json()["secret"] != old["secret"]
    assert (new.json()["rotated_from"], new.json()["user"]) == (old["id"], "ann")
    before = manager.get(f"keys/{old['id']}/").json()
    assert before["state"] == "active"
    ends = datetime.datetime.fromisoformat(before["expires_at"])
    assert 3500 < (ends - timezone.now()).total_seconds() <= 3600
    revoked = manager.post(f"keys/{old['id']}/revoke/", {"reason": "lost"})
    assert revoked.json()["state"] == "revoked"
    assert manager.post(f"keys/{old['id']}/rotate/").status_code == 400
    assert len(manager.get("keys/?state=revoked").json()["results"]) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"app": "x"}, "app"),
        ({"app": None}, "app"),
        ({"app": "018f2f9e-0000-7000-8000-000000000001"}, "app"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"name": 7}, "name"),
        ({"digest": "x"}, "digest"),
        ({"public_id": "x"}, "public_id"),
    ],
    ids=str,
)
def test_what_a_key_cannot_be(world, manager, changes, field):
    answer = issue(manager, world, **changes)
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert not VirtualKey.objects.filter(app=world.app).exists()


@pytest.mark.parametrize("overlap_s", [-1, 10**9, 1.5, "60"])
def test_an_overlap_is_bounded(world, manager, overlap_s):
    old = issue(manager, world).json()
    answer = manager.post(f"keys/{old['id']}/rotate/", {"overlap_s": overlap_s})
    assert [fault["field"] for fault in answer.json()["errors"]] == ["overlap_s"]
