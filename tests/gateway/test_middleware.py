"""What holds for every answer of the console."""

import ipaddress
from dataclasses import replace

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, RequestFactory

from gateway import middleware
from gateway.middleware import Headers, Origin, client_address

STYLE = "/static/dist/console.css"
PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "hops", "expected"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),  # a stranger says so
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # the first is the client's own word
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("", "198.51.100.1", ""),
    ],
)
def test_an_address_is_believed_of_our_proxies_only(peer, hops, expected):
    assert client_address(peer, hops, PROXIES) == expected


def test_without_proxies_nobody_is_believed():
    assert client_address("10.0.0.1", "198.51.100.1", ()) == "10.0.0.1"


@pytest.fixture
def proxied(monkeypatch):
    monkeypatch.setattr(settings, "GATEHOUSE", replace(settings.GATEHOUSE, trusted_proxies=PROXIES))


def seen_through(peer, **headers):
    """Return the request as a page would see it, and the answer."""
    seen = []

    def page(request):
        seen.append((request.is_secure(), request.META["REMOTE_ADDR"]))
        response = HttpResponse("<p>")
        response.set_cookie("session", "x")
        return response

    request = RequestFactory().get("/", REMOTE_ADDR=peer, **headers)
    response = Origin(Headers(page))(request)
    return seen[0], response


@pytest.mark.usefixtures("proxied")
def test_https_is_believed_of_our_proxies_only():
    said = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_FOR": "198.51.100.1"}
    seen, response = seen_through("10.0.0.1", **said)
    assert seen == (True, "198.51.100.1")
    assert response.cookies["session"]["secure"] is True
    seen, response = seen_through("203.0.113.5", **said)
    assert seen == (False, "203.0.113.5")
    assert response.cookies["session"]["secure"] == ""


@pytest.mark.usefixtures("db", "proxied")
def test_over_https_the_browser_is_told_to_stay_there():
    said = {"HTTP_X_FORWARDED_PROTO": "https"}
    trusted = Client().get("/sign-in", REMOTE_ADDR="10.0.0.1", **said)
    assert trusted["Strict-Transport-Security"].startswith("max-age=31536000")
    assert trusted.cookies[settings.CSRF_COOKIE_NAME]["secure"] is True
    stranger = Client().get("/sign-in", REMOTE_ADDR="203.0.113.5", **said)
    assert "Strict-Transport-Security" not in stranger


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("path", ["/sign-in", "/nothing-here", STYLE, "/calls"])
def test_every_answer_has_the_headers(path):
    answer = Client().get(path)
    policy = answer["Content-Security-Policy"]
    assert policy == middleware.CONTENT_SECURITY_POLICY
    assert "unsafe" not in policy
    for word in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert word in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert len(answer["X-Request-Id"]) == 16
    if path != STYLE:
        assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.usefixtures("db")
def test_pages_are_kept_nowhere_and_files_are():
    assert Client().get("/sign-in")["Cache-Control"] == "no-store"
    answer = Client().get(STYLE)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/css")
    assert "max-age" in answer["Cache-Control"]
    assert not answer.streaming
    assert b":focus-visible" in answer.content
    again = Client().get(STYLE, HTTP_IF_NONE_MATCH=answer["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert Client().head(STYLE).content == b""
    assert Client().get("/static/../settings.py").status_code == 404
