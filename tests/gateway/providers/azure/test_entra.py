"""Entra's tokens: what is asked, and which answers hold one."""

from urllib.parse import parse_qs

import orjson
import pytest

from gateway.providers.azure.entra import Token, read, read_token, token_request
from gateway.providers.fault import BadAnswer

SECRET = '{"tenant_id": "a/b", "client_id": "c", "client_secret": "s&s"}'


def test_client_credentials_are_sent_as_a_form_to_the_directory():
    asked = read(SECRET)
    request = token_request(asked)
    assert request.url == "https://login.microsoftonline.com/a%2Fb/oauth2/v2.0/token"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["c"],
        "client_secret": ["s&s"],
        "scope": ["https://cognitiveservices.azure.com/.default"],
    }
    assert "s&s" not in repr(request)


def test_another_cloud_is_named_in_the_credential():
    more = ', "authority": "https://login.example/", "scope": "https://x/.default"}'
    asked = read(SECRET[:-1] + more)
    assert token_request(asked).url.startswith("https://login.example/a%2Fb/")
    assert asked.scope == "https://x/.default"


def test_an_api_key_is_no_client():
    assert read("0123") is None


def test_a_token_ends_when_it_says():
    raw = orjson.dumps({"access_token": "abc", "expires_in": 3599, "token_type": "Bearer"})
    assert read_token(raw, 1000.0) == Token("abc", 4599.0)
    ages = orjson.dumps({"access_token": "abc", "expires_in": 10**9})
    assert read_token(ages, 0.0).ends_s == 24 * 3600


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"access_token": "abc"}',
        b'{"access_token": "", "expires_in": 5}',
        b'{"access_token": "abc", "expires_in": 0}',
        b'{"access_token": "a\\nb", "expires_in": 5}',
        '{"access_token": "ä", "expires_in": 5}'.encode(),
    ],
)
def test_what_holds_no_token_is_said(raw):
    with pytest.raises(BadAnswer):
        read_token(raw, 0.0)
