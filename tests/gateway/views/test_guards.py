"""Guards in the console: added, tried, changed, their secrets renewed and retired, removed."""

import pytest

from audit.models import Event
from gateway.guards import sealing
from gateway.guards.models import Guard
from gateway.services.guards import guard_create
from tests import estate
from tests.gateway.views.reading import body, signed_in, text
from tests.mock_guard import KIND, SECRET, Guarding

pytestmark = pytest.mark.usefixtures("db")

NEWER = "guard-canary-renewed-4"


@pytest.fixture
def admin(world):
    return signed_in(world.person("admin"))


@pytest.fixture
def given(world):
    return {
        "tenant": world.tenant.name,
        "name": "names",
        "url": "https://guard.example/inspect",
        "kinds": f"{KIND}, CUSTOMER",
        "phases": ["request"],
        "deadline_ms": "300",
        "secret": SECRET,
        "redacted": "on",
    }


def add(admin, given, world):
    answer = admin.post("/guards/new", given)
    assert answer.status_code == 302, text(answer)
    guard = Guard.objects.get(tenant=world.tenant, name=given["name"])
    assert answer["Location"] == f"/guards/{guard.id}"
    return guard


def test_a_guard_is_added_changed_and_removed(admin, given, world):
    assert "No guards yet" in text(admin.get(f"/guards?tenant={world.tenant.name}"))
    assert "Kinds that it may find" in text(admin.get("/guards/new"))
    guard = add(admin, given, world)
    path = f"/guards/{guard.id}"
    shown = admin.get(path)
    for part in (KIND, "CUSTOMER", "300 ms", "what our detectors find is masked", "newest"):
        assert part in text(shown)
    assert SECRET not in body(shown)
    assert "names" in text(admin.get("/guards"))
    assert f'value="{KIND}, CUSTOMER"' in body(admin.get(f"{path}/edit"))
    changes = given | {"phases": ["request", "answer"], "deadline_ms": "250"}
    assert admin.post(f"{path}/edit", changes)["Location"] == path
    guard.refresh_from_db()
    assert (guard.phases, guard.deadline_ms, guard.redacted) == (["request", "answer"], 250, True)
    assert admin.post(f"{path}/remove", {"reason": ""})["Location"] == "/guards"
    assert not Guard.objects.filter(pk=guard.pk).exists()


def test_its_secret_is_renewed_and_the_former_retired(admin, given, world):
    guard = add(admin, given, world)
    path = f"/guards/{guard.id}"
    assert "Retire" not in text(admin.get(path))
    admin.post(f"{path}/secret", {"secret": NEWER, "reason": ""})
    assert [sealing.open_sealed(one) for one in sealing.held(guard)] == [NEWER, SECRET]
    shown = admin.get(path)
    assert "Retire the former secret" in text(shown)
    assert NEWER not in body(shown)
    admin.post(f"{path}/retire", {"reason": ""})
    assert [sealing.open_sealed(one) for one in sealing.held(guard)] == [NEWER]
    events = str(list(Event.objects.filter(tenant_id=world.tenant.id).values()))
    assert NEWER not in events
    assert SECRET not in events


def test_a_private_address_is_refused_at_its_field(admin, given):
    answer = admin.post("/guards/new", given | {"url": "http://10.0.0.1/", "allow_private": "on"})
    assert answer.status_code == 422
    assert "only the owner of the installation" in text(answer)


def test_a_guard_is_tried_on_its_page(admin, world):
    with Guarding() as server:
        guard = guard_create(
            actor=estate.ACTOR,
            tenant=world.tenant,
            name="names",
            secret=SECRET,
            url=server.url,
            allow_private=True,
            kinds=[KIND],
            phases=["request"],
            deadline_ms=5_000,
        )
        path = f"/guards/{guard.id}/test"
        assert "Send the text" in text(admin.get(path))
        answer = admin.post(path, {"text": "On Bluebird"})
        assert answer["Cache-Control"] == "no-store"
        assert "It works" in text(answer)
        assert KIND in text(answer)
        assert admin.post(path, {"text": ""}).status_code == 422
    assert "would have failed" in text(admin.post(path, {"text": "On Bluebird"}))


def test_who_may_only_read_changes_nothing(client, admin, given, world):
    guard = add(admin, given, world)
    assert client.get(f"/guards/{guard.id}").status_code == 200
    for verb in ("edit", "secret", "retire", "test", "remove"):
        assert client.post(f"/guards/{guard.id}/{verb}", given).status_code == 403
    stranger = signed_in(world.person())
    assert stranger.get(f"/guards/{guard.id}").status_code in (403, 404)
