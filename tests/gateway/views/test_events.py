"""The audit events: the list with its filters, and one event."""

import datetime

import pytest
from django.utils import timezone

from audit.models import Event
from gateway.views import events
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, links, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


def made(world, **fields):
    wanted = {
        "at": timezone.now(),
        "tenant_id": world.tenant.id,
        "tenant": world.tenant.name,
        "actor_kind": "user",
        "actor": "ann@example.org",
        "source": "203.0.113.9",
        "action": "app.update",
        "object_kind": "app",
        "object_id": str(world.app.id),
        "object_name": world.app.name,
        "before": {"tier": "", "models": ["a"]},
        "after": {"tier": "gold", "models": ["a", "b"]},
        "reason": "a new contract",
    }
    return Event.objects.create(**(wanted | fields))


def test_events_are_listed_and_filtered(world, client):
    early = timezone.now() - datetime.timedelta(days=3)
    first = made(world, actor="bob@example.org", at=early)
    second = made(world, action="virtual_key.issue", object_name="laptop", object_id="k1")
    told = text(client.get("/events"))
    assert "a new contract" in told
    assert listed(client, {}) == [second.id, first.id]
    assert listed(client, {"actor": "BOB"}) == [first.id]
    assert listed(client, {"action": "virtual_key"}) == [second.id]
    assert listed(client, {"object": "k1"}) == [second.id]
    assert listed(client, {"object": "lapt"}) == [second.id]
    day = f"{timezone.now():%Y-%m-%dT00:00}"
    assert listed(client, {"until": day}) == [first.id]
    assert first.id not in listed(client, {"since": day})
    assert listed(client, {"tenant": world.tenant.name, "actor": "ann"}) == [second.id]
    assert "No event matches" in text(client.get("/events?actor=nobody-like-that"))
    wrong = client.get("/events?since=yesterday")
    assert wrong.status_code == 422
    assert "cannot be read" in text(wrong)


def listed(client, query):
    answer = client.get("/events", query)
    return [int(link.rpartition("/")[2]) for link in links(answer) if link.startswith("/events/")]


def test_pages_follow_one_another(world, client, monkeypatch):
    monkeypatch.setattr(events, "PAGE", 2)
    ids = [made(world).id for _ in range(3)]
    first = client.get("/events?actor=ann")
    (older,) = [link for link in links(first) if "before=" in link]
    assert "actor=ann" in older
    second = client.get(f"/events{older}")
    assert f"/events/{ids[0]}" in links(second)
    assert "No older events" in text(second)
    assert client.get("/events?before=x").status_code == 400


def test_an_event_shows_what_it_changed(world, client):
    event = made(world)
    answer = client.get(f"/events/{event.id}")
    told = text(answer)
    assert "models [&quot;a&quot;] [&quot;a&quot;,&quot;b&quot;]" in told
    assert "tier gold" in told
    for part in ("ann@example.org changed the app", "203.0.113.9", "a new contract"):
        assert part in told
    assert "&quot;tier&quot;: &quot;gold&quot;" in body(answer)


def test_no_events_yet(world, client):
    assert "No events yet" in text(client.get("/events"))


def test_s2_a_strangers_events_are_not_there(unique, world, client):
    foreign = made(World(unique))
    mine = made(world, before=None, after=None)
    assert client.get(f"/events/{foreign.id}").status_code == 404
    assert listed(client, {}) == [mine.id]
    assert "No field of it" in text(client.get(f"/events/{mine.id}"))
    assert signed_in(world.person("analyst")).get("/events").status_code == 403


def test_what_people_write_is_shown_as_they_wrote_it(world, client):
    """No text from a row is ever read as a template or as markup, whatever component shows it."""
    written = "\"><u>{{ 7|add:1 }}</u>{% now 'Y' %}<c-badge>"
    event = made(world, actor=written, object_name=written, reason=written, after={"x": written})
    key = world.tenant.keys.create(
        app=world.app, name=written, public_id=(tag := world.unique("")[-9:]), digest=tag.encode()
    )
    for path in ("/events", f"/events/{event.id}", "/keys", f"/apps/{world.app.id}"):
        page = body(client.get(path))
        assert "<u>" not in page
        assert "{{ 7|add:1 }}" in page
        assert "&lt;c-badge&gt;" in page
    key.delete()
    found = body(client.get("/apps", {"q": written}))
    assert "&quot;&gt;&lt;u&gt;{{ 7|add:1 }}" in found
