"""Where a person may be sent back to."""

import pytest

from gateway.oauth.redirects import form_target, is_safe


@pytest.mark.parametrize(
    "uri",
    [
        "https://client.example/callback",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:51004/callback",
        "http://[::1]:51004/callback",
    ],
)
def test_https_and_ones_own_machine_are_safe(uri):
    assert is_safe(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://client.example/callback",
        "http://localhost/callback",
        "http://127.0.0.2/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://[::2]/callback",
        "http://[::1/callback",
        "javascript:alert(1)",
        "app:/callback",
        "",
    ],
)
def test_everything_else_is_not(uri):
    assert not is_safe(uri)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("https://client.example/callback?x=1", "https://client.example"),
        ("http://127.0.0.1:51004/callback", "http://127.0.0.1:51004"),
        ("http://[::1]:51004/callback", "http://*:51004"),
        ("http://[::1]/callback", "http://*:80"),
    ],
)
def test_a_policy_names_where_a_form_leads(uri, target):
    assert form_target(uri) == target
