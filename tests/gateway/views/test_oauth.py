"""The OAuth2 server: who gets a token, for what, how long, and what is kept of it."""

import base64
import datetime
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.core import management
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import (
    get_access_token_model,
    get_grant_model,
    get_refresh_token_model,
)

from audit.models import Event
from gateway.models import OAuthApplication
from gateway.tasks import forget_tokens
from gateway.views import oauth
from tenants.models import SignInPace, Tenant
from tests.gateway.call_records import World
from tests.gateway.oauth.person import (
    CALLBACK,
    code_of,
    consent,
    exchange,
    post,
    question,
    signed_in,
)
from tests.management import FORM, Api, application, ask_token, for_people, owner_of_all

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture(autouse=True)
def rested():
    """Tests share one address; each begins with its whole pace."""
    SignInPace.objects.all().delete()


@pytest.fixture
def world(unique):
    return World(unique)


def test_an_application_acts_as_itself_with_its_roles(world):
    made, secret = application(world.tenant, "key_manager", scopes=["keys:write", "apps:read"])
    answer = ask_token(made, secret)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    assert set(body["scope"].split()) == {"keys:write", "apps:read"}
    assert "refresh_token" not in body
    assert answer["Cache-Control"] == "no-store"
    api = Api(token=body["access_token"])
    issued = api.post("keys/", {"app": str(world.app.id), "name": "by a program"})
    assert issued.status_code == 201
    event = Event.objects.filter(action="virtual_key.issue").order_by("-id").first()
    assert (event.actor_kind, event.actor) == ("application", made.name)
    assert api.get("events/").status_code == 403


def test_an_application_may_ask_for_less_and_never_for_more(world):
    made, secret = application(world.tenant, "auditor", scopes=["keys:read", "apps:read"])
    assert ask_token(made, secret, scope="keys:read").json()["scope"] == "keys:read"
    for scope in ("keys:write", "keys:read keys:write", "introspection", "unheard-of"):
        answer = ask_token(made, secret, scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_what_is_stored_opens_nothing(world):
    made, secret = application(world.tenant, "auditor")
    token = ask_token(made, secret).json()["access_token"]
    stored = get_access_token_model().objects.get(application=made)
    assert stored.token == ""
    assert stored.token_checksum == hashlib.sha256(token.encode()).hexdigest()
    assert OAuthApplication.objects.get(pk=made.pk).client_secret.startswith("argon2")
    event = Event.objects.get(object_id=str(made.pk), action="oauth_application.create")
    assert "client_secret" not in event.after
    assert secret not in str(event.after)
    assert Api(token=stored.token_checksum).get("apps/").status_code == 401


def test_every_recommendation_of_rfc_9700_is_kept():
    from oauth2_provider.settings import DEFAULTS  # noqa: PLC0415

    flags = [name for name in DEFAULTS if name.startswith("COMPLIANT_BCP_RFC9700_")]
    assert len(flags) >= 10
    assert all(settings.OAUTH2_PROVIDER.get(name) is True for name in flags)
    from oauth2_provider.checks import validate_bcp_configuration  # noqa: PLC0415

    assert validate_bcp_configuration(None) == []
    management.call_command("check")


def test_a_token_ends(world):
    made, secret = application(world.tenant, "auditor")
    api = Api(token=ask_token(made, secret).json()["access_token"])
    tokens = get_access_token_model().objects.filter(application=made)
    tokens.update(expires=timezone.now() - datetime.timedelta(seconds=1))
    assert api.get("apps/").status_code == 401
    forget_tokens()
    assert not tokens.exists()


def test_an_application_ends_with_its_tenant_and_with_its_row(world):
    made, secret = application(world.tenant, "auditor")
    api = Api(token=ask_token(made, secret).json()["access_token"])
    alice = Api(world.person("owner"))
    world.tenant.state = Tenant.State.REMOVED
    world.tenant.save()
    assert api.get("apps/").status_code == 401
    assert ask_token(made, secret).status_code == 401
    world.tenant.state = Tenant.State.ACTIVE
    world.tenant.save()
    assert api.get("apps/").status_code == 200
    assert alice.delete(f"oauth-applications/{made.id}/").status_code == 204
    assert api.get("apps/").status_code == 401


def test_a_new_secret_ends_the_old_one_and_its_tokens(world):
    made, secret = application(world.tenant, "auditor")
    api = Api(token=ask_token(made, secret).json()["access_token"])
    alice = Api(world.person("owner"))
    answer = alice.post(f"oauth-applications/{made.id}/rotate-secret/")
    assert answer.status_code == 201
    assert api.get("apps/").status_code == 401
    assert ask_token(made, secret).status_code == 401
    assert ask_token(made, answer.json()["client_secret"]).status_code == 200
    assert "client_secret" not in alice.get(f"oauth-applications/{made.id}/").json()


@pytest.mark.parametrize("grant", ["password", "implicit", "refresh_token", "x", None])
def test_other_grants_are_refused(world, grant):
    made, secret = application(world.tenant, "auditor")
    answer = ask_token(made, secret, grant_type=grant, username="a", password="b")
    assert answer.status_code in (400, 401)
    assert "access_token" not in answer.content.decode()


def test_a_secret_may_stand_in_the_header(world):
    made, secret = application(world.tenant, "auditor")
    coded = base64.b64encode(f"{made.client_id}:{secret}".encode()).decode()
    answer = Client().post(
        "/o/token/",
        "grant_type=client_credentials",
        content_type=FORM,
        headers={"authorization": f"Basic {coded}"},
    )
    assert answer.status_code == 200
    other, _ = application(world.tenant, "auditor")
    both = Client().post(
        "/o/token/",
        f"grant_type=client_credentials&client_id={other.client_id}",
        content_type=FORM,
        headers={"authorization": f"Basic {coded}"},
    )
    assert both.status_code == 401


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ('{"grant_type": "client_credentials"}', "application/json", 415),
        ("client_id=a%00&grant_type=client_credentials", FORM, 400),
        ("client_id=a&scope=%00", FORM, 400),
        ("x=1", FORM, 401),
        ("client_id=a&client_id=b", FORM, 401),
        ("client_id=unheard-of&client_secret=x&token=t&grant_type=client_credentials", FORM, 401),
    ],
)
@pytest.mark.parametrize("address", ["/o/token/", "/o/revoke/", "/o/introspect/"])
def test_what_is_no_request_is_refused(address, body, content_type, status):
    answer = Client().post(address, body, content_type=content_type)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"
    assert "error" in answer.json()
    wrong = Client().get(address)
    assert (wrong.status_code, wrong["Allow"]) == (405, "POST")
    assert wrong["Content-Type"] == "application/problem+json"


def test_guessing_secrets_has_its_pace(world, monkeypatch):
    made, secret = application(world.tenant, "auditor")
    monkeypatch.setattr(oauth, "CLIENT", oauth.Pace(3, datetime.timedelta(hours=1)))
    assert ask_token(made, secret).status_code == 200
    answers = [ask_token(made, "wrong") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    other, right = application(world.tenant, "auditor")
    assert ask_token(other, right).status_code == 200
    monkeypatch.setattr(oauth, "ADDRESS", oauth.Pace(1, datetime.timedelta(hours=1)))
    ask_token(other, right)
    assert ask_token(other, right).status_code == 429


# For a person.


def test_a_person_lets_an_application_act_for_them(world):
    made, secret = for_people(world.tenant, CALLBACK, scopes=["apps:read", "apps:write"])
    user = world.person("owner")
    client = signed_in(user)
    page = client.get(question(made))
    assert page.status_code == 200
    assert "form-action 'self' https://client.example;" in page["Content-Security-Policy"]
    assert "Change the apps of tenants" in page.content.decode()
    assert user.email in page.content.decode()
    answer = consent(client, question(made), allow="true")
    told = parse_qs(urlsplit(answer["Location"]).query)
    assert answer["Location"].startswith(f"{CALLBACK}?")
    assert (told["state"], told["iss"]) == (["s7"], ["http://testserver"])
    body = exchange(made, secret, told["code"][0]).json()
    api = Api(token=body["access_token"])
    wanted = {"tenant": str(world.tenant.id), "name": world.unique("app")}
    assert api.post("apps/", wanted).status_code == 201
    event = Event.objects.filter(action="app.create").order_by("-id").first()
    assert (event.actor_kind, event.actor) == ("user", f"{user.email} through {made.name}")
    assert api.get("keys/").status_code == 403
    user.memberships.all().delete()
    assert api.get("apps/").status_code == 403
    user.is_active = False
    user.save()
    assert api.get("apps/").status_code == 401


def test_an_application_of_a_tenant_reaches_no_other_through_a_person(world, unique):
    made, secret = for_people(world.tenant, CALLBACK, scopes=["tenants:read"])
    client = signed_in(owner_of_all(unique))
    answer = consent(client, question(made, scope="tenants:read"), allow="true")
    token = exchange(made, secret, code_of(answer)).json()["access_token"]
    rows = Api(token=token).get("tenants/").json()["results"]
    assert [row["id"] for row in rows] == [str(world.tenant.id)]


def test_a_person_may_refuse(world):
    made, _ = for_people(world.tenant, CALLBACK)
    answer = consent(signed_in(world.person("owner")), question(made))
    assert parse_qs(urlsplit(answer["Location"]).query)["error"] == ["access_denied"]


def test_nobody_is_asked_before_they_are_known(world):
    made, _ = for_people(world.tenant, CALLBACK)
    answer = Client().get(question(made))
    assert answer["Location"].startswith("/sign-in?next=%2Fo%2Fauthorize%2F")


def test_consent_takes_a_form_of_ours(world):
    made, _ = for_people(world.tenant, CALLBACK)
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.person("owner"))
    assert client.post("/o/authorize/", {"client_id": made.client_id}).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"response_type": "token"},
        {"scope": "keys:write"},
    ],
    ids=str,
)
def test_a_question_that_is_not_safe_gets_no_code(world, changes):
    made, _ = for_people(world.tenant, CALLBACK, scopes=["apps:read", "apps:write"])
    client = signed_in(world.person("owner"))
    answer = client.get(question(made, **changes))
    if answer.status_code == 200:
        answer = consent(client, question(made, **changes), allow="true")
    assert "code=" not in answer.get("Location", "")
    assert not get_grant_model().objects.filter(application=made).exists()


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback",
        "https://client.example/callback/x",
        "https://client.example/callback?x=1",
        "http://client.example/callback",
        "javascript:alert(1)",
    ],
)
def test_a_person_is_sent_only_where_the_application_lives(world, uri):
    made, _ = for_people(world.tenant, CALLBACK)
    answer = signed_in(world.person("owner")).get(question(made, redirect_uri=uri))
    assert answer.status_code == 400
    assert uri not in answer["Content-Security-Policy"]
    assert "form-action 'self';" in answer["Content-Security-Policy"]


def test_a_code_is_good_once_and_with_its_verifier(world):
    made, secret = for_people(world.tenant, CALLBACK, is_public=True)
    assert secret == ""
    client = signed_in(world.person("owner"))
    code = code_of(consent(client, question(made), allow="true"))
    assert exchange(made, secret, code, code_verifier="w" * 64).status_code == 400
    code = code_of(consent(client, question(made), allow="true"))
    assert exchange(made, secret, code).status_code == 200
    assert exchange(made, secret, code).status_code == 400


def test_a_refresh_token_turns_over_and_a_stolen_one_ends_the_family(world):
    made, secret = for_people(world.tenant, CALLBACK)
    client = signed_in(world.person("owner"))
    first = exchange(made, secret, code_of(consent(client, question(made), allow="true"))).json()

    def refresh(token):
        return ask_token(made, secret, grant_type="refresh_token", refresh_token=token)

    second = refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert Api(token=first["access_token"]).get("apps/").status_code == 401
    assert Api(token=second["access_token"]).get("apps/").status_code == 200
    assert refresh(first["refresh_token"]).status_code == 400
    assert refresh(second["refresh_token"]).status_code == 400
    assert Api(token=second["access_token"]).get("apps/").status_code == 401
    assert set(get_refresh_token_model().objects.values_list("token", flat=True)) <= {""}


# Ending and asking about tokens.


def test_a_token_can_be_ended(world):
    made, secret = application(world.tenant, "auditor")
    token = ask_token(made, secret).json()["access_token"]
    other, other_secret = application(world.tenant, "auditor")
    sent = {"client_id": other.client_id, "client_secret": other_secret, "token": token}
    post("/o/revoke/", **sent)
    assert Api(token=token).get("apps/").status_code == 200
    sent = {"client_id": made.client_id, "client_secret": secret, "token": token}
    assert post("/o/revoke/", **sent).status_code == 200
    assert Api(token=token).get("apps/").status_code == 401


def test_a_token_is_explained_to_its_tenant_and_the_platform_only(world, unique):
    made, secret = application(world.tenant, "auditor", scopes=["apps:read"])
    token = ask_token(made, secret).json()["access_token"]

    def ask(who, password, what=token):
        fields = {"client_id": who.client_id, "client_secret": password, "token": what}
        return post("/o/introspect/", **fields)

    body = ask(made, secret).json()
    assert (body["active"], body["scope"]) == (True, "apps:read")
    assert body["client_id"] == made.client_id
    assert ask(*application(None)).json()["active"] is True
    assert ask(*application(World(unique).tenant, "auditor")).json() == {"active": False}
    assert ask(made, secret, "unheard-of").json() == {"active": False}
    assert ask(made, secret, "").status_code == 400
    refused = ask(made, "wrong")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused["WWW-Authenticate"].startswith("Basic")
