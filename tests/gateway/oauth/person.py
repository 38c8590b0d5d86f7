"""How a person lets an application act for them, and how it gets its tokens."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlencode, urlsplit

from django.test import Client

from tests.management import FORM

CALLBACK = "https://client.example/callback"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)


def post(address, client=None, **fields):
    sent = urlencode({name: value for name, value in fields.items() if value is not None})
    return (client or Client()).post(address, sent, content_type=FORM)


def question(made, **changes):
    wanted = {
        "response_type": "code",
        "client_id": made.client_id,
        "redirect_uri": CALLBACK,
        "scope": "apps:read apps:write",
        "state": "s7",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    kept = {name: value for name, value in wanted.items() if value is not None}
    return f"/o/authorize/?{urlencode(kept)}"


def consent(client, address, **button):
    page = client.get(address)
    assert page.status_code == 200, page.content
    hidden = dict(
        re.findall(r'type="hidden" name="([a-z_]+)"(?: value="([^"]*)")?', page.content.decode())
    )
    return client.post("/o/authorize/", {**hidden, **button})


def code_of(answer):
    assert answer.status_code == 302, answer.content
    return parse_qs(urlsplit(answer["Location"]).query)["code"][0]


def exchange(made, secret, code, **changes):
    fields = {
        "grant_type": "authorization_code",
        "client_id": made.client_id,
        "client_secret": secret or None,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changes,
    }
    return post("/o/token/", **fields)


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client
