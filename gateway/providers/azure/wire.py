"""How Azure OpenAI is reached over HTTP. Pure.

Its addresses have two forms. `https://NAME.openai.azure.com/openai/v1` has no versions, and is used
as OpenAI's own. `https://NAME.openai.azure.com?api-version=2024-10-21` has the version that it
names in its query, and the deployment in the path of each call.
"""

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import orjson

from gateway.exchange import Endpoint, Outgoing, UpstreamRequest
from gateway.providers.azure import entra
from gateway.providers.dialect import Errand, Meaning
from gateway.providers.fault import BadSetting
from gateway.providers.openai.upstream import OpenAiWire, error_message

BEARER = "Bearer "
"""What a secret begins with that is a token, not an API key."""

_CHARGED_CODES = frozenset(
    {"content_filter", "context_length_exceeded", "ResponsibleAIPolicyViolation"}
)
_WITHOUT_DEPLOYMENT = frozenset({Endpoint.RESPONSES})
_OPENAI = OpenAiWire()


class AzureWire:
    """How Azure OpenAI is reached over HTTP."""

    def request(self, outgoing: Outgoing, errand: Errand) -> UpstreamRequest:
        """Return the HTTP request that carries what goes upstream."""
        address = _address(errand.base_url)
        base = address.base
        if not address.is_v1 and outgoing.operation not in _WITHOUT_DEPLOYMENT:
            base += "/deployments/" + quote(errand.model, safe="")
        plain = _OPENAI.request(outgoing, errand._replace(base_url=base, secret=None))
        headers = {**plain.headers, **_authorization(errand.secret)}
        return UpstreamRequest(plain.url + address.query, headers, plain.body)

    def listing(self, errand: Errand) -> UpstreamRequest:
        """Return the request for the models."""
        address = _address(errand.base_url)
        headers = {"accept": "application/json", **_authorization(errand.secret)}
        return UpstreamRequest(f"{address.base}/models{address.query}", headers, b"")

    def error_message(self, raw: bytes) -> str:
        """Return what Azure says went wrong, and what its filter found."""
        message = error_message(raw)
        found = _filtered(_error(raw))
        return f"{message} (content filter: {', '.join(found)})" if found else message

    def meaning(self, status: int, raw: bytes) -> Meaning:
        """Return what a bad status means: Azure charges for prompts that it read and refused."""
        error = _error(raw)
        inner = error.get("innererror")
        codes = {error.get("code"), inner.get("code") if isinstance(inner, dict) else None}
        was_read = status == HTTPStatus.BAD_REQUEST and not codes.isdisjoint(_CHARGED_CODES)
        return Meaning(status, charged=was_read or status == HTTPStatus.REQUEST_TIMEOUT)


class _Address(NamedTuple):
    """A base URL in parts: `base` is what the paths of calls follow, `query` what follows them."""

    base: str
    query: str
    is_v1: bool


def check_origin(base_url: str) -> None:
    """Raise BadSetting unless a base URL has one of Azure's two forms."""
    parts = urlsplit(base_url)
    if not parts.path.endswith("/v1") and not parts.query:
        raise BadSetting(
            "an Azure base URL ends in /openai/v1, or names its version: ?api-version=2024-10-21"
        )


def check_credential(secret: str, base_url: str, *, allow_private: bool) -> None:
    """Raise BadSetting unless a secret is an API key or Entra client credentials."""
    entra.check(secret, allow_private=allow_private)


def _address(base_url: str) -> _Address:
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/")
    is_v1 = path.endswith("/v1")
    if not is_v1 and not path.endswith("/openai"):
        path += "/openai"
    query = f"?{parts.query}" if parts.query else ""
    return _Address(f"{parts.scheme}://{parts.netloc}{path}", query, is_v1)


def _authorization(secret: str | None) -> dict[str, str]:
    if not secret:
        return {}
    return {"authorization": secret} if secret.startswith(BEARER) else {"api-key": secret}


def _error(raw: bytes) -> dict[str, object]:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    error = told.get("error") if isinstance(told, dict) else None
    return error if isinstance(error, dict) else {}


def _filtered(error: dict[str, object]) -> list[str]:
    """Return the categories for which a prompt was refused."""
    inner = error.get("innererror")
    result = inner.get("content_filter_result") if isinstance(inner, dict) else None
    return [
        name[:40]
        for name, found in (result.items() if isinstance(result, dict) else ())
        if isinstance(found, dict) and found.get("filtered") is True and name.isidentifier()
    ]
