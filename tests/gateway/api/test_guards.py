"""Guards by the API: declared whole, secrets never shown, what is wrong told by its field."""

import pytest

from gateway.guards import sealing
from gateway.guards.models import Guard
from tenants.models import Role, User
from tenants.services.people import membership_grant
from tests import estate
from tests.gateway.call_records import stretched
from tests.management import OPERATOR, Api, owner_of_all
from tests.mock_guard import KIND, SECRET, Guarding, Prepared

pytestmark = pytest.mark.usefixtures("db")

NEWER = "guard-canary-renewed-2"


@pytest.fixture
def root(unique):
    return Api(owner_of_all(unique))


@pytest.fixture
def tenant():
    return estate.estate().tenant


def make(api, tenant, **changes):
    body = {
        "tenant": str(tenant.id),
        "name": "names",
        "url": "https://guard.example/inspect",
        "kinds": [KIND],
        "phases": ["request"],
        "secret": SECRET,
        **changes,
    }
    return api.post("guards/", body)


def test_the_life_of_a_guard(root, tenant):
    made = make(root, tenant, deadline_ms=150, cache=True)
    assert made.status_code == 201, made.content
    shown = made.json()
    assert (shown["kinds"], shown["phases"], shown["signatures"]) == ([KIND], ["request"], 1)
    assert (shown["deadline_ms"], shown["cache"], shown["tells_user"]) == (150, True, False)
    address = f"guards/{shown['id']}/"
    assert root("put", f"{address}secret/", {"secret": NEWER}).status_code == 204
    assert root.get(address).json()["signatures"] == 2
    guard = Guard.objects.get(pk=shown["id"])
    assert [sealing.open_sealed(one) for one in sealing.held(guard)] == [NEWER, SECRET]
    assert root("put", f"{address}secret/", {"secret": SECRET}).status_code == 204
    assert [sealing.open_sealed(one) for one in sealing.held(guard)] == [SECRET, NEWER]
    assert root.delete(f"{address}secret/").status_code == 204
    assert root.get(address).json()["signatures"] == 1
    for answer in (root.get(address), root.get("guards/"), root.get("events/?limit=200")):
        assert SECRET not in answer.content.decode()
        assert NEWER not in answer.content.decode()
    changed = root.patch(address, {"phases": ["request", "answer"], "redacted": True})
    assert changed.json()["phases"] == ["request", "answer"]
    assert root.delete(address).status_code == 204
    assert root.get(address).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://guard.example/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["project"]}, "kinds"),
        ({"kinds": [KIND, KIND]}, "kinds"),
        ({"kinds": [KIND, "EMAIL_ADDRESS"]}, "kinds"),
        ({"phases": ["later"]}, "phases"),
        ({"phases": []}, "phases"),
        ({"deadline_ms": 5}, "deadline_ms"),
        ({"deadline_ms": 60_000}, "deadline_ms"),
        ({"secret": "short"}, "secret"),
        ({"name": "No Name"}, "name"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(root, tenant, changes, field):
    answer = make(root, tenant, **changes)
    assert answer.status_code in (400, 422)
    assert field in answer.content.decode()
    assert not Guard.objects.filter(tenant=tenant).exists()


def test_a_tenant_has_few_guards_of_different_names(root, tenant):
    assert make(root, tenant).status_code == 201
    assert make(root, tenant).status_code >= 400
    for number in range(7):
        assert make(root, tenant, name=f"names-{number}").status_code == 201
    assert "at most 8 guards" in make(root, tenant, name="one-more").content.decode()


def test_only_the_platform_reaches_into_private_networks(root, tenant, unique):
    person = owner_in(tenant, unique)
    refused = make(person, tenant, url="http://10.0.0.1/", allow_private=True)
    assert "allow_private" in refused.content.decode()
    made = make(root, tenant, url="http://10.0.0.1/", allow_private=True).json()
    address = f"guards/{made['id']}/"
    assert person.patch(address, {"url": "http://10.0.0.2/"}).status_code >= 400
    assert person.patch(address, {"deadline_ms": 99}).json()["deadline_ms"] == 99
    public = {"url": "https://guard.example/", "allow_private": False}
    assert person.patch(address, public).json()["url"] == "https://guard.example/"


def owner_in(tenant, unique):
    """Return the API as an owner of one tenant calls it."""
    user = User(email=f"{unique('own')}@example.org", password=stretched())
    user.save()
    membership_grant(actor=OPERATOR, tenant=tenant, user=user, role=Role.OWNER)
    return Api(user)


def test_a_guard_is_tried_with_a_text(root, tenant):
    with Guarding() as server:
        there = {"url": server.url, "allow_private": True, "deadline_ms": 5_000}
        made = make(root, tenant, **there).json()
        address = f"guards/{made['id']}/test/"
        found = root.post(address, {"text": "On Bluebird"}).json()
        assert (found["ok"], found["detail"]) == (True, "it answers")
        assert found["findings"] == [{"kind": KIND, "score": 0.9, "start": 3, "end": 11}]
        assert server.told[-1].json["call_id"] == "test"
        server.prepared = Prepared(body=b"?")
        bad = root.post(address, {}).json()
        assert bad["ok"] is False
        assert "its answer is refused" in bad["detail"]
        server.prepared = Prepared(status=503)
        assert "503" in root.post(address, {}).json()["detail"]
        root.patch(f"guards/{made['id']}/", {"redacted": True})
        server.prepared = None
        found = root.post(address, {"text": "ann@example.com on Bluebird"}).json()
        assert found["findings"][0]["start"] == 19
        assert server.told[-1].texts == ["<EMAIL_ADDRESS> on Bluebird"]
    assert "no answer" in root.post(address, {}).json()["detail"]
    told = [
        one for one in root.get("events/?limit=200").json()["results"] if made["id"] in str(one)
    ]
    assert told
    assert "Bluebird" not in str(told)
