"""The set-up link."""

import pytest
from django.core import signing
from django.test import Client

from audit.models import Event
from gateway.selectors import SETUP_SALT, SETUP_SUBJECT, setup_link
from gateway.views import setup
from tenants.models import User
from tenants.services.people import owner_create
from tests.gateway.call_records import PASSWORD
from tests.gateway.views.reading import body, text

pytestmark = pytest.mark.usefixtures("db")


def given(**changes):
    return {
        "email": "Owner@Example.org",
        "name": "Olga",
        "password": PASSWORD,
        "repeated": PASSWORD,
    } | changes


@pytest.fixture
def link(no_owner):
    User.objects.filter(email="owner@example.org").delete()
    return setup_link("")


def test_the_link_makes_the_owner_and_signs_in(link):
    client = Client()
    assert client.get(link).status_code == 200
    answer = client.post(link, given(), REMOTE_ADDR="203.0.113.5")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    owner = User.objects.get(email="owner@example.org")
    assert (owner.is_superuser, owner.name) == (True, "Olga")
    assert owner.check_password(PASSWORD)
    assert client.get("/calls").status_code == 200
    event = Event.objects.filter(action="owner.create").latest("id")
    assert (event.object_id, event.source) == (str(owner.id), "203.0.113.5")
    assert PASSWORD not in str(event.after)


def test_a_name_may_be_told_later(link):
    assert Client().post(link, given(name="")).status_code == 302
    assert User.objects.get(email="owner@example.org").name == ""


def test_a_used_link_says_so_and_makes_nobody(link):
    Client().post(link, given())
    for answer in (Client().get(link), Client().post(link, given(email="second@example.org"))):
        assert answer.status_code == 410
        assert "works once" in text(answer)
    assert not User.objects.filter(email="second@example.org").exists()
    assert Client().get("/setup/anything").status_code == 410
    assert setup_link("") is None


def test_of_two_at_once_only_one_becomes_owner(link, monkeypatch):
    def slower(**fields):
        User.objects.create(email="faster@example.org", is_superuser=True)
        return owner_create(**fields)

    User.objects.filter(email="faster@example.org").delete()
    monkeypatch.setattr(setup, "owner_create", slower)
    assert Client().post(link, given()).status_code == 410
    assert not User.objects.filter(email="owner@example.org").exists()


@pytest.mark.parametrize("token", ["x", "1abcde:forged", "::"])
@pytest.mark.usefixtures("no_owner")
def test_a_wrong_link_says_what_to_do(token):
    answer = Client().get(f"/setup/{token}")
    assert answer.status_code == 404
    assert "prints a new link" in text(answer)
    assert Client().post(f"/setup/{token}", given()).status_code == 404


@pytest.mark.usefixtures("no_owner")
def test_an_old_link_is_no_link(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: 1_600_000_000.0)
        signed = signing.TimestampSigner(salt=SETUP_SALT).sign(SETUP_SUBJECT)
    assert Client().get(f"/setup/{signed.partition(':')[2]}").status_code == 404


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"repeated": "another password"}, "differ"),
        ({"password": "short", "repeated": "short"}, "at least 12 characters"),
        ({"password": "owner@example.org", "repeated": "owner@example.org"}, "too similar"),
        ({"email": "no address"}, "valid email"),
        ({"password": "", "repeated": ""}, "required"),
        ({"email": "bob@taken.example"}, "already exists"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(link, changes, told):
    User.objects.get_or_create(email="bob@taken.example")
    answer = Client().post(link, given(**changes))
    assert answer.status_code == 422
    assert told in text(answer)
    assert not User.objects.filter(is_superuser=True).exists()
    assert f'value="{given(**changes)["password"]}"' not in body(answer)


@pytest.mark.usefixtures("no_owner")
def test_the_sign_in_page_points_to_the_link_while_there_is_no_owner(world):
    assert "set-up link" in text(Client().get("/sign-in"))
    world.person(is_superuser=True)
    assert "set-up link" not in text(Client().get("/sign-in"))
