"""Signing in and out."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client

from audit.models import Event
from gateway.views.sign_in import own_path
from tenants import sign_in
from tenants.models import Membership
from tenants.sign_in import Pace
from tests.gateway.call_records import PASSWORD, World
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def impatient(monkeypatch):
    """Fewer attempts than in production: each takes its time to stretch a password."""
    monkeypatch.setattr(sign_in, "EMAIL", Pace(3, sign_in.EMAIL.every))


def attempt(client, address, email, password, onward=""):
    given = {"email": email, "password": password, "next": onward}
    return client.post("/sign-in", given, REMOTE_ADDR=address)


def test_who_has_the_password_gets_in_and_out_again(world, address):
    user, client = world.person("auditor"), Client(enforce_csrf_checks=True)
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', text_of_form(client))[1]
    given = {"email": user.email.upper(), "password": PASSWORD, "csrfmiddlewaretoken": token}
    answer = client.post("/sign-in", given, REMOTE_ADDR=address)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    cookie = answer.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert client.get("/")["Location"] == "/overview"
    assert client.get("/calls").status_code == 200
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', client.get("/calls").content.decode())
    answer = client.post("/sign-out", {"csrfmiddlewaretoken": token[1]})
    assert answer["Location"] == "/sign-in"
    assert client.get("/calls").status_code == 302


def text_of_form(client):
    return client.get("/sign-in").content.decode()


def test_a_form_without_its_proof_of_origin_is_refused(world, address):
    client = Client(enforce_csrf_checks=True)
    answer = attempt(client, address, world.person().email, PASSWORD)
    assert answer.status_code == 403
    assert "reload the page" in text(answer)


def test_signing_out_takes_a_form(client):
    assert client.get("/sign-out").status_code == 405
    assert client.get("/calls").status_code == 200


def test_nobody_learns_whether_an_email_is_known(world, address):
    known, closed = world.person("owner"), world.person("owner", is_active=False)
    answers = [
        attempt(Client(), address, known.email, "wrong password here"),
        attempt(Client(), address, "nobody@example.org", "wrong password here"),
        attempt(Client(), address, closed.email, PASSWORD),
    ]
    assert [answer.status_code for answer in answers] == [422] * 3
    told = {re.search(r'role="alert"(.*?)</div>', body(answer), re.DOTALL)[1] for answer in answers}
    assert len(told) == 1
    assert all(PASSWORD not in body(answer) for answer in answers)


def test_an_empty_form_says_what_is_missing(address):
    answer = attempt(Client(), address, "", "")
    assert answer.status_code == 422
    assert 'href="#id_email"' in body(answer)
    assert 'aria-invalid="true"' in body(answer)


@pytest.mark.usefixtures("impatient")
def test_guessing_is_slowed_down_whatever_the_address(world, unique):
    user = world.person("owner")
    for _ in range(sign_in.EMAIL.burst):
        attempt(Client(), f"unix:{unique()}", user.email, "wrong password here")
    answer = attempt(Client(), f"unix:{unique()}", user.email, PASSWORD)
    assert answer.status_code == 429
    wait_s = int(answer["Retry-After"])
    assert 1 <= wait_s <= sign_in.EMAIL.every.total_seconds()
    assert f"Try again in {wait_s} second" in text(answer)
    # The same for an e-mail that nobody has.
    other = f"{unique()}@example.org"
    for _ in range(sign_in.EMAIL.burst):
        attempt(Client(), f"unix:{unique()}", other, "wrong password here")
    assert attempt(Client(), f"unix:{unique()}", other, "x").status_code == 429


@pytest.mark.usefixtures("impatient")
def test_success_clears_what_mistyping_used_up(world, unique):
    user = world.person("owner")
    for _ in range(2):
        for _ in range(sign_in.EMAIL.burst - 1):
            assert attempt(Client(), f"unix:{unique()}", user.email, "oops").status_code == 422
        assert attempt(Client(), f"unix:{unique()}", user.email, PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("wanted", "gone_to"),
    [
        ("/calls?model=gpt-4o&from=", "/calls?model=gpt-4o&from="),
        ("", "/"),
        ("https://evil.example/calls", "/"),
        ("//evil.example/calls", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("calls", "/"),
        ("/calls\r\nX-Header: 1", "/"),
        (" /calls", "/"),
    ],
)
def test_the_way_on_leads_to_our_own_pages_only(world, address, wanted, gone_to):
    assert own_path(wanted) == gone_to
    answer = attempt(Client(), address, world.person("auditor").email, PASSWORD, wanted)
    assert answer["Location"] == gone_to


def test_after_signing_in_one_is_where_one_wanted_to_be(world, address):
    user = world.person("auditor")
    client = Client()
    wanted = "/calls?model=gpt-4o"
    answer = client.get(wanted, follow=True)
    assert f'name="next" value="{wanted}"' in body(answer)
    answer = attempt(client, address, user.email, PASSWORD, wanted)
    assert answer["Location"] == wanted
    assert client.get(f"/sign-in?next={wanted}")["Location"] == wanted


def test_a_new_session_begins_with_signing_in(world, address):
    client = Client()
    session = client.session
    session["mark"] = "before"
    session.save()
    before = client.session.session_key
    attempt(client, address, world.person("auditor").email, PASSWORD)
    assert client.session.session_key != before


def test_passwords_are_stretched():
    assert make_password(PASSWORD).startswith("argon2")


def events_of(user):
    found = Event.objects.filter(object_kind="user", object_id=str(user.pk)).order_by("id")
    return [(event.action, event.source) for event in found]


def test_coming_in_and_leaving_are_events(world, address):
    user, client = world.person("auditor"), Client()
    attempt(client, address, user.email, PASSWORD)
    client.post("/sign-out", REMOTE_ADDR=address)
    assert events_of(user) == [("session.open", address), ("session.close", address)]
    (first, _) = Event.objects.filter(object_id=str(user.pk)).order_by("id")
    assert (first.actor, first.tenant) == (user.email, world.tenant.name)
    owner = signed_in(world.person("owner"))
    listed = owner.get("/events", {"action": "session."})
    assert "signed in" in text(listed)
    assert "signed out" in text(listed)
    shown = owner.get(f"/events/{first.id}")
    assert f"{user.email} signed in (user {user.email})." in text(shown)


def test_failures_leave_one_event_a_minute_and_nothing_that_was_typed(world, address):
    user, typed = world.person("auditor"), "a wrong password typed"
    elsewhere = world.person("auditor", is_active=False)
    for _ in range(3):
        attempt(Client(), address, user.email.upper(), typed)
        attempt(Client(), address, f"nobody-{user.pk}@example.org", typed)
    attempt(Client(), address, elsewhere.email, PASSWORD)
    assert events_of(user) == events_of(elsewhere) == [("session.refuse", address)]
    found = Event.objects.filter(action="session.refuse", source=address)
    assert sorted(event.after["why"] for event in found) == [
        "the account is closed",
        "the password is wrong",
        "there is no such account",
    ]
    unknown = found.get(object_id="")
    assert (unknown.object_name, unknown.tenant_id) == ("an unknown account", None)
    for event in found.values():
        assert typed not in str(event)
        assert PASSWORD not in str(event)
        assert "nobody-" not in str(event)


def test_an_event_of_who_is_in_several_tenants_is_the_platforms(unique, world, address):
    user, other = world.person("auditor"), World(unique)
    Membership.objects.create(user=user, tenant=other.tenant, role="auditor")
    attempt(Client(), address, user.email, PASSWORD)
    (event,) = Event.objects.filter(object_id=str(user.pk))
    assert event.tenant_id is None
