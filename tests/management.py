"""The management API as its callers see it: a client with a session or a token, and the cast."""

import json
import secrets
from urllib.parse import urlencode

from django.test import Client

from audit.actor import Actor
from gateway.scopes import SCOPES
from gateway.services.applications import AUTHORIZATION_CODE, oauth_application_create
from gateway.services.applications import CLIENT_CREDENTIALS as BY_ITSELF
from tenants.models import User
from tests.gateway.call_records import stretched

OPERATOR = Actor(kind="command", id="tests", name="tests")
FORM = "application/x-www-form-urlencoded"
EVERYTHING = tuple(SCOPES)


class Api:
    """Calls the API for one person, one token, or a stranger."""

    def __init__(self, user=None, token=None, *, checks_csrf=False):
        self.client = Client(enforce_csrf_checks=checks_csrf)
        self.token = token
        if user is not None:
            self.client.force_login(user)

    def __call__(self, method, path, body=None, **headers):
        """Send a request; `body` is JSON, headers are named with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            named["authorization"] = f"Bearer {self.token}"
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        content = {} if data is None else {"data": data, "content_type": "application/json"}
        address = path if path.startswith("/") else f"/api/v1/{path}"
        return self.client.generic(method.upper(), address, headers=named, **content)

    def get(self, path, **headers):
        return self("get", path, **headers)

    def post(self, path, body=None, **headers):
        return self("post", path, {} if body is None else body, **headers)

    def patch(self, path, body, **headers):
        """Change an object as it is now, unless the headers say otherwise."""
        if "if_match" not in headers:
            headers["if_match"] = self.get(path)["ETag"]
        return self("patch", path, body, **headers)

    def delete(self, path, **headers):
        return self("delete", path, **headers)


def owner_of_all(unique):
    """Make an owner of the installation."""
    user = User(email=f"{unique('root')}@example.org", is_superuser=True, password=stretched())
    user.save()
    return user


def application(tenant, *roles, scopes=EVERYTHING, **terms):
    """Make an application that acts as itself; return it and its secret."""
    return oauth_application_create(
        actor=OPERATOR,
        tenant=tenant,
        name=f"bot-{secrets.token_hex(4)}",
        grant=terms.pop("grant", BY_ITSELF),
        scopes=scopes,
        roles=roles,
        **terms,
    )


def for_people(tenant, *uris, **terms):
    """Make an application that acts for people."""
    return application(tenant, grant=AUTHORIZATION_CODE, redirect_uris=uris, **terms)


def ask_token(made, secret, client=None, **fields):
    """Ask for a token by client credentials, or by what the fields say."""
    body = {
        "grant_type": "client_credentials",
        "client_id": made.client_id,
        "client_secret": secret,
        **fields,
    }
    kept = {name: value for name, value in body.items() if value is not None}
    return (client or Client()).post("/o/token/", urlencode(kept), content_type=FORM)


def as_itself(tenant, *roles, **terms):
    """Return the API as an application with these roles sees it."""
    made, secret = application(tenant, *roles, **terms)
    answer = ask_token(made, secret)
    assert answer.status_code == 200, answer.content
    return Api(token=answer.json()["access_token"])
