"""What holds for every answer of the console, whatever page gives it."""

import ipaddress
import secrets
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from gateway.access import permission_of
from gateway.environment import Network

Respond = Callable[[HttpRequest], HttpResponseBase]


def content_security_policy(*form_targets: str) -> str:
    """Return the policy of a page; `form_targets` are origins that its forms may lead to."""
    return "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            " ".join(("form-action 'self'", *form_targets)),
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


CONTENT_SECURITY_POLICY = content_security_policy()
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FORWARDED_PROTOCOL = "HTTP_X_FORWARDED_PROTO"
FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"


class Origin:
    """Settles who asks and how: only a proxy that we trust may say that it speaks for another."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Set the peer's address and drop what a stranger says of it."""
        peer = request.META.get("REMOTE_ADDR", "")
        trusted: tuple[Network, ...] = settings.GATEHOUSE.trusted_proxies
        if not _within(peer, trusted):
            request.META.pop(FORWARDED_PROTOCOL, None)
        hops = request.META.pop(FORWARDED_FOR, "")
        request.META["REMOTE_ADDR"] = client_address(peer, hops, trusted)
        return self._respond(request)


class Headers:
    """Gives each request an id, and each answer the headers that keep a browser in bounds."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the headers."""
        request_id = request.META["REQUEST_ID"] = secrets.token_hex(8)
        response = self._respond(request)
        response["X-Request-Id"] = request_id
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if response.get("Content-Type", "").startswith("text/html"):
            response["Cache-Control"] = "no-store"
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response


class Declared:
    """Refuses every page that does not say who may open it: what is undeclared is closed."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on; `process_view` knows which page it is for."""
        return self._respond(request)

    def process_view(
        self, _request: HttpRequest, view: Callable[..., Any], _args: object, _kwargs: object
    ) -> None:
        """Raise PermissionDenied unless the page is declared."""
        if permission_of(view) is None:
            raise PermissionDenied("this page does not say who may open it")


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # untyped
    """Serves files of the packages themselves, whole: a file that streams ties up an event loop."""

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        """Return the file as one answer."""
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response


def client_address(peer: str, forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """Return the last address that no proxy of ours has put there."""
    hops = forwarded_for.split(",")
    address = peer
    while hops and _within(address, trusted):
        hop = hops.pop().strip()
        if not _is_address(hop):
            break
        address = hop
    return address


def _within(address: str, networks: tuple[Network, ...]) -> bool:
    return _is_address(address) and any(
        ipaddress.ip_address(address) in network for network in networks
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
