"""What the OAuth2 server tells the audit events, and how many tokens it gives out."""

import datetime
import threading

import pytest
from django.db import connections
from django.test import Client
from oauth2_provider.models import get_access_token_model, get_refresh_token_model

from audit.models import Event
from gateway.oauth import validator
from tenants.models import SignInPace
from tests.gateway.call_records import World
from tests.gateway.oauth.person import (
    CALLBACK,
    VERIFIER,
    code_of,
    consent,
    exchange,
    post,
    question,
    signed_in,
)
from tests.management import Api, application, ask_token, for_people

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture(autouse=True)
def rested():
    """Tests share one address; each begins with its whole pace."""
    SignInPace.objects.all().delete()


@pytest.fixture
def world(unique):
    return World(unique)


def told(made):
    """Return what became an event since the application was made, oldest first."""
    events = Event.objects.filter(object_id=str(made.pk)).exclude(action__contains="application")
    return [(event.action, event.actor_kind, event.after) for event in events.order_by("id")]


def for_alice(world, **terms):
    """Let alice consent; return the application, its secret, alice and its first tokens."""
    made, secret = for_people(world.tenant, CALLBACK, scopes=["apps:read", "apps:write"], **terms)
    alice = world.person("owner")
    code = code_of(consent(signed_in(alice), question(made), allow="true"))
    return made, secret, alice, exchange(made, secret, code).json()


def refresh(made, secret, token):
    return ask_token(made, secret, grant_type="refresh_token", refresh_token=token)


def test_a_token_of_an_application_is_an_event_of_its_tenant(world):
    made, secret = application(world.tenant, "auditor", scopes=["keys:read", "apps:read"])
    body = ask_token(made, secret, scope="apps:read").json()
    ask_token(made, "wrong")
    stored = get_access_token_model().objects.get(application=made)
    (issue,) = told(made)
    assert issue[:2] == ("oauth_token.issue", "application")
    assert issue[2] == {
        "token": stored.pk,
        "grant": "client_credentials",
        "person": None,
        "scopes": ["apps:read"],
        "expires_at": stored.expires.isoformat(),
    }
    event = Event.objects.get(object_id=str(made.pk), action="oauth_token.issue")
    assert (event.tenant_id, event.actor, event.source) == (
        world.tenant.id,
        made.name,
        "127.0.0.1",
    )
    assert body["access_token"] not in str(event.after)


def test_tokens_of_the_platform_are_events_of_no_tenant():
    made, secret = application(None)
    ask_token(made, secret)
    event = Event.objects.get(object_id=str(made.pk), action="oauth_token.issue")
    assert (event.tenant_id, event.tenant) == (None, "")


def test_consent_and_each_token_of_it_are_events_without_secrets(world):
    made, secret, alice, first = for_alice(world)
    second = refresh(made, secret, first["refresh_token"]).json()
    given, by_code, by_refresh = told(made)
    assert given == (
        "oauth_consent.give",
        "user",
        {
            "scopes": ["apps:read", "apps:write"],
            "redirect_uri": CALLBACK,
            "was_asked": True,
        },
    )
    for event, grant in ((by_code, "authorization_code"), (by_refresh, "refresh_token")):
        assert event[:2] == ("oauth_token.issue", "application")
        assert (event[2]["grant"], event[2]["person"]) == (grant, alice.email)
    written = str(told(made))
    for hidden in (secret, VERIFIER, *first.values(), *second.values()):
        if len(str(hidden)) > 20 and ":" not in str(hidden):
            assert str(hidden) not in written


def test_consent_that_was_not_asked_for_again_says_so(world):
    made, _, alice, _ = for_alice(world)
    answer = signed_in(alice).get(question(made) + "&approval_prompt=auto")
    assert code_of(answer)
    assert [after["was_asked"] for action, _, after in told(made) if action.endswith("give")] == [
        True,
        False,
    ]


def test_consent_that_is_refused_is_an_event(world):
    made, _ = for_people(world.tenant, CALLBACK, scopes=["apps:read", "apps:write"])
    alice = world.person("owner")
    consent(signed_in(alice), question(made))
    assert told(made) == [("oauth_consent.refuse", "user", {"scopes": ["apps:read", "apps:write"]})]
    event = Event.objects.get(object_id=str(made.pk), action="oauth_consent.refuse")
    assert (event.actor, event.tenant) == (alice.email, world.tenant.name)


@pytest.mark.parametrize("changes", [{"client_id": "none"}, {"redirect_uri": "https://evil.x/"}])
def test_an_answer_to_no_question_of_ours_leads_nowhere(world, changes):
    made, _ = for_people(world.tenant, CALLBACK)
    form = {
        "client_id": made.client_id,
        "redirect_uri": CALLBACK,
        "scope": "apps:read",
        "response_type": "code",
    }
    answer = signed_in(world.person("owner")).post("/o/authorize/", {**form, **changes})
    assert answer.status_code == 400
    assert "Location" not in answer
    assert told(made) == []


def test_the_end_of_a_token_is_one_event(world):
    made, secret, alice, first = for_alice(world)
    known = told(made)
    sent = {"client_id": made.client_id, "client_secret": secret}
    for _ in range(2):
        post("/o/revoke/", **sent, token=first["refresh_token"])
    post("/o/revoke/", **sent, token="unheard-of")
    (ended,) = told(made)[len(known) :]
    assert ended[0] == "oauth_token.revoke"
    assert (ended[2]["presented"], ended[2]["person"]) == ("refresh token", alice.email)
    assert Api(token=first["access_token"]).get("apps/").status_code == 401


def test_a_token_that_another_application_presents_does_not_end(world):
    made, secret = application(world.tenant, "auditor")
    token = ask_token(made, secret).json()["access_token"]
    other, password = application(world.tenant, "auditor")
    sent = {"client_id": other.client_id, "client_secret": password, "token": token}
    post("/o/revoke/", **sent)
    assert "oauth_token.revoke" not in [action for action, _, _ in told(made) + told(other)]
    sent = {"client_id": made.client_id, "client_secret": secret, "token": token}
    post("/o/revoke/", **sent)
    action, _, after = told(made)[-1]
    assert (action, after["presented"]) == ("oauth_token.revoke", "access token")


def test_a_refresh_token_that_comes_twice_is_one_event(world):
    made, secret, alice, first = for_alice(world)
    refresh(made, secret, first["refresh_token"])
    for _ in range(2):
        assert refresh(made, secret, first["refresh_token"]).status_code == 400
    reuses = [after for action, _, after in told(made) if action == "oauth_token.reuse"]
    assert [after["person"] for after in reuses] == [alice.email]


def test_of_two_that_refresh_at_once_one_gets_a_token(world):
    made, secret, _, first = for_alice(world)
    together, answers = threading.Barrier(2), []

    def one():
        together.wait()
        answers.append(refresh(made, secret, first["refresh_token"]))
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    issued = [action for action, _, _ in told(made) if action == "oauth_token.issue"]
    assert len(issued) == 2


def test_who_may_sign_in_no_more_gets_no_token(world):
    made, secret, alice, first = for_alice(world)
    code = code_of(consent(signed_in(alice), question(made), allow="true"))
    alice.is_active = False
    alice.save()
    assert exchange(made, secret, code).status_code == 400
    assert refresh(made, secret, first["refresh_token"]).status_code == 400
    assert get_access_token_model().objects.filter(application=made).count() == 1
    assert get_refresh_token_model().objects.filter(application=made).count() == 1


def test_an_application_gets_so_many_tokens_and_no_more(world, monkeypatch):
    monkeypatch.setattr(validator, "ISSUES", validator.Pace(2, datetime.timedelta(hours=1)))
    made, secret = application(world.tenant, "auditor")
    answers = [ask_token(made, secret) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["error"] == "slow_down"
    assert int(answers[-1]["Retry-After"]) > 3000
    assert len(told(made)) == 2
    other, password = application(world.tenant, "auditor")
    assert ask_token(other, password).status_code == 200


# Programs on the person's own machine.


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_native_program_may_listen_on_any_port(world, host):
    made, secret = for_people(
        world.tenant, f"http://{host}/callback", scopes=["apps:read"], is_public=True
    )
    client = signed_in(world.person("owner"))
    uri = f"http://{host}:51004/callback"
    page = client.get(question(made, redirect_uri=uri, scope="apps:read"))
    target = "http://*:51004" if host == "[::1]" else "http://127.0.0.1:51004"
    assert f"form-action 'self' {target};" in page["Content-Security-Policy"]
    answer = consent(client, question(made, redirect_uri=uri, scope="apps:read"), allow="true")
    assert answer["Location"].startswith(f"{uri}?")
    code = code_of(answer)
    other = f"http://{host}:51005/callback"
    assert exchange(made, secret, code, redirect_uri=other).status_code == 400
    assert exchange(made, secret, code, redirect_uri=uri).status_code == 200
    assert exchange(made, secret, code, redirect_uri=uri).status_code == 400


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:51004/other",
        "http://localhost:51004/callback",
        "http://[::1]:51004/callback",
        "https://127.0.0.1:51004/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
    ],
)
def test_all_but_the_port_is_matched_exactly(world, uri):
    made, _ = for_people(world.tenant, "http://127.0.0.1/callback", is_public=True)
    answer = signed_in(world.person("owner")).get(question(made, redirect_uri=uri))
    assert answer.status_code == 400
    assert "Location" not in answer


def test_a_native_program_needs_pkce_and_hears_of_faults(world):
    made, _ = for_people(world.tenant, "http://127.0.0.1/callback", is_public=True)
    uri = "http://127.0.0.1:51004/callback"
    client = signed_in(world.person("owner"))
    for changes in (
        {"code_challenge": None, "code_challenge_method": None},
        {"scope": "unheard-of"},
    ):
        answer = client.get(question(made, redirect_uri=uri, **changes))
        assert answer.status_code == 302
        assert answer["Location"].startswith(f"{uri}?error=")
        assert "code=" not in answer["Location"]


@pytest.mark.parametrize(
    "uri", ["http://client.example/callback", "http://localhost:1234/callback"]
)
def test_http_is_for_ones_own_machine_alone(world, uri):
    alice = Api(world.person("owner"))
    wanted = {
        "tenant": str(world.tenant.id),
        "name": world.unique("native"),
        "grant": "authorization_code",
        "scopes": ["apps:read"],
        "is_public": True,
    }
    answer = alice.post("oauth-applications/", {**wanted, "redirect_uris": [uri]})
    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["errors"]] == ["redirect_uris"]
    good = ["http://127.0.0.1/callback", "http://[::1]/callback"]
    made = alice.post("oauth-applications/", {**wanted, "redirect_uris": good})
    assert (made.status_code, made.json()["redirect_uris"]) == (201, good)


def test_nobody_else_is_asked(world):
    made, _ = for_people(world.tenant, "http://127.0.0.1/callback", is_public=True)
    assert Client().get(question(made))["Location"].startswith("/sign-in?next=")
