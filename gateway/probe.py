"""The connection test of a provider: one request for its models, to an address that was checked."""

import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from gateway import credentials
from gateway.envelope import EnvelopeError
from gateway.exchange import UpstreamRequest
from gateway.models import Provider
from gateway.origins import is_public
from gateway.providers.azure import entra
from gateway.providers.azure.wire import BEARER
from gateway.providers.dialect import Errand
from gateway.providers.dialects import WIRES
from gateway.providers.fault import BadAnswer

TIMEOUT_S = 5.0
_MOST_BYTES = 64 * 1024


class ProbeError(Exception):
    """A provider cannot be asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How a connection test went; `detail` is safe to show. Who answers, whatever it says, is up;
    a fault of its own is none."""

    ok: bool
    detail: str
    is_up: bool = True


def probe(provider: Provider) -> Probe:
    """Return how the provider answers a request for its models with its credential, within 5 s.

    The name is resolved once, refused where it is not public, and connected to by that address, so
    that a second answer of the name server cannot lead elsewhere. Redirects are not followed.
    """
    if provider.dialect == Provider.Dialect.SIMULATED:
        return Probe(ok=True, detail="simulated: nothing to connect to")
    try:
        credential = credentials.active(provider)
        secret = None if credential is None else credentials.open_sealed(credential)
        return _ask(provider, secret)
    except ProbeError as error:
        return Probe(ok=False, detail=str(error), is_up=False)
    except EnvelopeError as error:
        return Probe(ok=False, detail=str(error))


def _ask(provider: Provider, secret: str | None) -> Probe:
    if provider.dialect == Provider.Dialect.AZURE_OPENAI and secret is not None:
        secret = _exchanged(provider, secret)
    wanted = WIRES[provider.dialect].listing(
        Errand(provider.base_url, "", secret, stream=False, request_id="", now_s=time.time())
    )
    try:
        response, _ = sent(wanted, allow_private=provider.allow_private)
    except httpx.HTTPError as error:
        return Probe(ok=False, detail=f"no answer: {type(error).__name__}", is_up=False)
    return _judged(response)


def _exchanged(provider: Provider, secret: str) -> str:
    """Return the token that a credential is good for; raise ProbeError where none is given."""
    asked = entra.read(secret)
    if asked is None:
        return secret
    try:
        wanted = entra.token_request(asked)
        response, raw = sent(wanted, allow_private=provider.allow_private)
    except httpx.HTTPError as error:
        raise ProbeError(f"no answer of the identity service: {type(error).__name__}") from None
    try:
        return BEARER + entra.read_token(raw, time.time()).text
    except BadAnswer as fault:
        said = f"the identity service answered {response.status_code}: {fault}"
        raise ProbeError(said) from None


def sent(
    wanted: UpstreamRequest, *, allow_private: bool, most_bytes: int = _MOST_BYTES
) -> tuple[httpx.Response, bytes]:
    """Send a request to an address that was checked; what is answered is read where it has a body,
    which makes it a POST. Raises ProbeError, and what httpx raises."""
    parts = urlsplit(wanted.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolve(host, port, allow_private=allow_private)
    pinned = f"[{address}]" if ":" in address else address
    request = httpx.Request(
        "POST" if wanted.body else "GET",
        parts._replace(netloc=f"{pinned}:{port}").geturl(),
        headers={"host": parts.netloc, **wanted.headers},
        content=wanted.body or None,
        extensions={"sni_hostname": host, "timeout": httpx.Timeout(TIMEOUT_S).as_dict()},
    )
    # No proxy from the environment: it would resolve the name for itself.
    with httpx.Client(trust_env=False, verify=ssl.create_default_context()) as client:
        response = client.send(request, follow_redirects=False, stream=True)
        raw = b""
        for chunk in response.iter_bytes() if wanted.body else ():
            raw += chunk
            if len(raw) > most_bytes:
                raise ProbeError("the answer is too large")
        response.close()
    return response, raw


def _resolve(host: str, port: int, *, allow_private: bool) -> str:
    """Return one address of the name; raise ProbeError where any of them is not allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter: a label that no name server takes
        raise ProbeError(f"the name {host} does not resolve") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise ProbeError(f"{host} is not at a public address, and allow_private is not set")
    return addresses[0]


def _judged(response: httpx.Response) -> Probe:
    status = response.status_code
    if response.is_success:
        return Probe(ok=True, detail=f"answered {status}")
    if status in (401, 403):
        return Probe(ok=False, detail=f"the provider refuses the credential ({status})")
    if response.is_redirect:
        return Probe(ok=False, detail=f"the base URL redirects ({status}), which is not followed")
    return Probe(ok=False, detail=f"answered {status}", is_up=not response.is_server_error)
