"""Virtual keys: the list, one key, and making, replacing and ending one."""

import datetime
import re

import pytest
from django.conf import settings
from django.utils import timezone

from audit.models import Event
from gateway import envelope
from gateway.keys import ACTIVE, EXPIRED, EXPIRING, REVOKED, standing
from tenants.keys import public_id
from tenants.models import VirtualKey
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

DAY = datetime.timedelta(days=1)


@pytest.fixture
def manager(world):
    return signed_in(world.person("key_manager"))


@pytest.fixture
def key(world):
    return made(world)


def made(world, **fields):
    now = world.unique("k").encode()
    fields = {"name": world.unique("laptop"), "app": world.app} | fields
    return VirtualKey.objects.create(
        tenant=world.tenant, public_id=world.unique("")[-9:], digest=now, **fields
    )


def once(answer):
    return re.search(r'name="once" value="(\w+)"', body(answer))[1]


def issued(manager, world, **changes):
    """Send the form, filled in as most people do."""
    form = manager.get("/keys/new")
    given = {
        "name": "laptop of Ann",
        "app": str(world.app.id),
        "expires": "90",
        "reason": "",
        "once": once(form),
    }
    return given | changes, manager.post("/keys/new", given | changes)


def secret_in(answer):
    return re.search(r'id="secret">(gth_\w+)<', body(answer))[1]


def test_the_list_tells_each_keys_state(world, manager):
    now = timezone.now()
    keys = {
        "active": made(world, last_used_at=now),
        "expires soon": made(world, expires_at=now + 3 * DAY),
        "expired": made(world, expires_at=now - DAY),
        "revoked": made(world, state="revoked", revoked_at=now),
    }
    told = text(manager.get("/keys"))
    for word, key in keys.items():
        assert re.search(rf"{key.name} {key.public_id} \S+ {world.tenant.name} {word}", told)
    assert f"{now:%Y-%m-%d %H:%M:%S}" in told
    only = text(manager.get("/keys?state=expired"))
    assert keys["expired"].name in only
    assert keys["active"].name not in only
    for state in ("active", "expiring", "revoked"):
        assert manager.get("/keys", {"state": state}).status_code == 200
    named = text(manager.get("/keys", {"q": keys["active"].public_id, "app": world.app.name}))
    assert keys["active"].name in named
    assert keys["revoked"].name not in named


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ACTIVE),
        ({"expires_at": 15 * DAY}, ACTIVE),
        ({"expires_at": 13 * DAY}, EXPIRING),
        ({"expires_at": -DAY}, EXPIRED),
        ({"state": "revoked", "expires_at": -DAY}, REVOKED),
    ],
)
def test_how_a_key_stands(fields, expected):
    now = timezone.now()
    fields = dict(fields)
    if "expires_at" in fields:
        fields["expires_at"] = now + fields["expires_at"]
    assert standing(VirtualKey(**fields), now) is expected


def test_the_designed_states_of_the_list(world, manager):
    assert "No keys yet" in text(manager.get("/keys"))
    made(world)
    assert "No key matches" in text(manager.get("/keys?q=nothing-like-it"))
    wrong = manager.get("/keys?state=splendid")
    assert wrong.status_code == 422
    assert "cannot be read" in text(wrong)


def test_a_key_is_issued_and_its_secret_is_in_this_answer_only(world, manager):
    given, answer = issued(manager, world)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    secret = secret_in(answer)
    pepper = envelope.key_pepper(settings.GATEHOUSE.kek)
    key = VirtualKey.objects.get(public_id=public_id(secret, pepper))
    assert (key.name, key.app) == ("laptop of Ann", world.app)
    assert 89 * DAY < key.expires_at - timezone.now() <= 90 * DAY
    told = text(answer)
    for part in (
        f"curl {settings.GATEHOUSE.base_url}/v1/chat/completions",
        "OpenAI(",
        "new OpenAI",
    ):
        assert part in told
    assert "Test this key" in told
    again = manager.post("/keys/new", given)
    assert again.status_code == 409
    assert "already shown" in text(again)
    assert f'href="/keys/{key.id}/rotate"' in body(again)
    assert VirtualKey.objects.filter(app=world.app).count() == 1
    for page in (again, manager.get("/keys"), manager.get(f"/keys/{key.id}")):
        assert secret not in body(page)
        assert secret.split("_")[2] not in body(page)
    assert secret not in str(dict(manager.session))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": ""}, "required"),
        ({"expires": "never"}, "Say why"),
        ({"app": "x"}, "valid choice"),
        ({"expires": "7000"}, "valid choice"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(world, manager, changes, told):
    _, answer = issued(manager, world, **changes)
    assert answer.status_code == 422
    assert told in text(answer)
    assert 'aria-invalid="true"' in body(answer)
    assert not VirtualKey.objects.filter(app=world.app).exists()


def test_a_key_that_never_expires_takes_a_reason(world, manager):
    _, answer = issued(manager, world, expires="never", reason="a device without updates")
    assert answer.status_code == 200
    assert VirtualKey.objects.get(app=world.app).expires_at is None


def test_the_form_offers_only_apps_where_keys_may_be_issued(world, unique):
    other = World(unique)
    person = world.person("key_manager")
    other.tenant.memberships.create(user=person, role="auditor")
    form = body(signed_in(person).get("/keys/new"))
    assert str(world.app.id) in form
    assert str(other.app.id) not in form
    _, answer = issued(signed_in(person), world, app=str(other.app.id))
    assert answer.status_code == 422


def test_a_key_is_rotated_with_an_overlap(world, manager, key):
    form = manager.get(f"/keys/{key.id}/rotate")
    given = {"overlap_s": "3600", "reason": "lost", "once": once(form)}
    answer = manager.post(f"/keys/{key.id}/rotate", given)
    new = VirtualKey.objects.get(rotated_from=key)
    assert new.public_id in secret_in(answer)
    key.refresh_from_db()
    assert key.state == "active"
    assert key.expires_at < timezone.now() + datetime.timedelta(hours=1, seconds=5)
    assert manager.post(f"/keys/{key.id}/rotate", given).status_code == 409
    assert "Replaced by" in text(manager.get(f"/keys/{key.id}"))
    assert "Took the place of" in text(manager.get(f"/keys/{new.id}"))


def test_a_revoked_key_says_why_it_cannot_be_rotated(world, manager):
    key = made(world, state="revoked", revoked_at=timezone.now())
    given = {"overlap_s": "0", "once": "x"}
    answer = manager.post(f"/keys/{key.id}/rotate", given)
    assert answer.status_code == 422
    assert "issue a new one" in text(answer)
    assert "Rotate" not in text(manager.get(f"/keys/{key.id}")).replace("rotate", "")


def test_revoking_asks_first(manager, key):
    asked = manager.get(f"/keys/{key.id}/revoke")
    assert "cannot be undone" in text(asked)
    answer = manager.post(f"/keys/{key.id}/revoke", {"reason": "leaked"})
    assert (answer.status_code, answer["Location"]) == (302, f"/keys/{key.id}")
    key.refresh_from_db()
    assert key.state == "revoked"
    assert "is revoked" in text(manager.get(f"/keys/{key.id}"))


def test_who_may_only_read_sees_buttons_that_say_why_they_rest(world, client, key):
    page = client.get(f"/keys/{key.id}")
    assert len(re.findall(r"<button [^>]*disabled", body(page))) == 2
    assert "None of your roles here may rotate keys." in body(page)
    for act in ("rotate", "revoke"):
        assert client.get(f"/keys/{key.id}/{act}").status_code == 403
    assert 'href="/keys/new"' not in body(client.get("/keys"))


@pytest.mark.parametrize("act", ["", "/rotate", "/revoke"])
def test_s2_a_strangers_key_is_not_there(unique, manager, act):
    other = made(World(unique))
    assert manager.get(f"/keys/{other.id}{act}").status_code == 404
    assert manager.post(f"/keys/{other.id}{act}", {"reason": "x"}).status_code in (404, 405)
    assert other.name not in text(manager.get("/keys"))
    assert manager.get("/keys", {"tenant": other.tenant.name}).status_code == 404


def test_several_keys_end_together(world, manager):
    keys = [made(world, name=world.unique(stem)) for stem in ("one", "two", "three")]
    gone = made(world, state="revoked", revoked_at=timezone.now())
    page = body(manager.get("/keys"))
    assert re.findall(r'name="key"\s+value="([^"]+)"', page) == [
        str(key.id) for key in reversed(keys)
    ]
    chosen = "&".join(f"key={key.id}" for key in (*keys[:2], gone))
    asked = manager.get(f"/keys/revoke?{chosen}")
    for key in (*keys[:2], gone):
        assert f"{key.name} ({key.public_id}) of {world.app.name}" in text(asked)
    assert keys[2].name not in text(asked)
    given = {"key": [str(key.id) for key in (*keys[:2], gone)], "reason": "a leak"}
    answer = manager.post("/keys/revoke", given, follow=True)
    assert "2 keys revoked, 1 before." in text(answer)
    states = dict(VirtualKey.objects.filter(tenant=world.tenant).values_list("id", "state"))
    assert [states[key.id] for key in keys] == ["revoked", "revoked", "active"]
    events = Event.objects.filter(tenant_id=world.tenant.id, action="virtual_key.revoke")
    assert {(event.object_id, event.reason) for event in events} == {
        (str(key.id), "a leak") for key in keys[:2]
    }


def test_several_keys_end_all_or_none(unique, world, manager):
    key, other = made(world), World(unique)
    theirs = made(other)
    for method in (manager.get, manager.post):
        assert method("/keys/revoke", {"key": [str(key.id), str(theirs.id)]}).status_code == 404
        assert method("/keys/revoke", {"key": "x"}).status_code == 404
        assert "Choose the keys" in text(method("/keys/revoke", {}, follow=True))
    too_long = manager.post("/keys/revoke", {"key": str(key.id), "reason": "x" * 1001})
    assert too_long.status_code == 422
    assert str(key.id) in body(too_long)
    key.refresh_from_db()
    assert key.state == "active"
    reader = signed_in(world.person("auditor"))
    assert reader.get(f"/keys/revoke?key={key.id}").status_code == 403
    assert 'name="key"' not in body(reader.get("/keys"))
