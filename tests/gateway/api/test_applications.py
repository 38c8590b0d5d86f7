"""Applications by the API: nobody makes one that can do more than they can."""

import pytest

from gateway.models import OAuthApplication
from gateway.services.applications import oauth_application_rotate
from tests.estate import ACTOR
from tests.gateway.call_records import World
from tests.management import Api, application, as_itself, owner_of_all

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


def wanted(world, **changes):
    body = {
        "tenant": str(world.tenant.id),
        "name": world.unique("bot"),
        "grant": "client_credentials",
        "scopes": ["apps:read"],
        "roles": ["auditor"],
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def test_the_secret_is_in_the_answer_that_makes_it_only(world):
    alice = Api(world.person("owner"))
    made = alice.post("oauth-applications/", wanted(world))
    assert made.status_code == 201
    body = made.json()
    assert body.pop("client_secret").startswith("gths_")
    assert alice.get(f"oauth-applications/{body['id']}/").json() == body
    assert alice.get("oauth-applications/").json()["results"] == [body]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"roles": []}, "roles"),
        ({"roles": ["unheard_of"]}, "roles.0"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["apps:burn"]}, "scopes.0"),
        ({"grant": "password"}, "grant"),
        ({"redirect_uris": ["https://a.example/x"]}, "redirect_uris"),
        ({"grant": "authorization_code", "roles": None}, "redirect_uris"),
        (
            {"grant": "authorization_code", "redirect_uris": ["https://a.example/x"]},
            "roles",
        ),
        (
            {
                "grant": "authorization_code",
                "redirect_uris": ["http://a.example/x"],
                "roles": None,
            },
            "redirect_uris",
        ),
        (
            {
                "grant": "authorization_code",
                "redirect_uris": ["https://a.example/x https://b.example"],
                "roles": None,
            },
            "redirect_uris",
        ),
        ({"is_public": True}, "is_public"),
        ({"name": "No Slug"}, "name"),
        ({"client_secret": "mine"}, "client_secret"),
        ({"skip_authorization": True}, "skip_authorization"),
    ],
    ids=str,
)
def test_an_application_makes_sense(world, changes, field):
    answer = Api(world.person("owner")).post("oauth-applications/", wanted(world, **changes))
    assert answer.status_code == 400, answer.content
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_nobody_gives_a_role_that_is_more_than_theirs(world):
    admin = Api(world.person("admin"))
    refused = admin.post("oauth-applications/", wanted(world, roles=["owner"]))
    assert refused.status_code == 403
    assert "membership.grant_owner" in refused.json()["detail"]
    assert admin.post("oauth-applications/", wanted(world, roles=["admin"])).status_code == 201


def test_nobody_in_a_tenant_makes_one_of_the_platform(world, unique):
    body = wanted(world, tenant=None, roles=None)
    refused = Api(world.person("owner")).post("oauth-applications/", body)
    assert (refused.status_code, refused.json()["permission"]) == (403, "oauth_application.create")
    assert Api(owner_of_all(unique)).post("oauth-applications/", body).status_code == 201


def test_a_program_makes_none_with_more_scopes_than_its_token(world):
    scopes = ["oauth-applications:write", "apps:read"]
    bot = as_itself(world.tenant, "admin", scopes=scopes)
    refused = bot.post("oauth-applications/", wanted(world, scopes=["keys:write"]))
    assert (refused.status_code, "keys:write" in refused.json()["detail"]) == (403, True)
    assert bot.post("oauth-applications/", wanted(world)).status_code == 201


def test_one_of_the_platform_is_not_to_be_seen_from_a_tenant(world, unique):
    made, _ = application(None)
    alice = Api(world.person("owner"))
    assert alice.get(f"oauth-applications/{made.id}/").status_code == 404
    assert Api(owner_of_all(unique)).get(f"oauth-applications/{made.id}/").status_code == 200


def test_whoever_holds_the_secret_answers_for_the_application(world):
    alice, bob = world.person("owner"), world.person("admin")
    made = Api(alice).post("oauth-applications/", wanted(world)).json()
    stored = OAuthApplication.objects.get(pk=made["id"])
    assert stored.user == alice
    assert Api(bob).post(f"oauth-applications/{stored.pk}/rotate-secret/").status_code == 201
    stored.refresh_from_db()
    assert stored.user == bob
    oauth_application_rotate(actor=ACTOR, application=stored)  # whoever operates the machine
    stored.refresh_from_db()
    assert stored.user == bob


def test_a_public_application_has_no_secret_to_turn_over(world):
    made, secret = application(
        world.tenant,
        grant="authorization-code",
        redirect_uris=["https://a.example/x"],
        is_public=True,
    )
    assert secret == ""
    answer = Api(world.person("owner")).post(f"oauth-applications/{made.id}/rotate-secret/")
    assert answer.status_code == 400
