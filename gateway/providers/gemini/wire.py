"""How the Gemini API is reached over HTTP; `base_url` ends in /v1beta. Pure."""

from http import HTTPStatus
from urllib.parse import quote

import orjson

from gateway.exchange import Endpoint, Outgoing, UpstreamRequest
from gateway.providers.dialect import Errand, Meaning
from gateway.providers.openai.upstream import error_message

_BAD_KEYS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})


class GeminiWire:
    """How the Gemini API is reached over HTTP. The key is in a header, never in an address."""

    def request(self, outgoing: Outgoing, errand: Errand) -> UpstreamRequest:
        """Return the HTTP request that carries what goes upstream."""
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if errand.stream else "application/json",
            "user-agent": "gatehouse",
            "x-request-id": errand.request_id,
            **_authorization(errand),
        }
        model = quote(model_path(errand.model), safe="/@")
        url = f"{errand.base_url.rstrip('/')}/{model}:{_method(outgoing, errand)}"
        return UpstreamRequest(url, headers, orjson.dumps(outgoing.body))

    def listing(self, errand: Errand) -> UpstreamRequest:
        """Return the request for the models."""
        url = errand.base_url.rstrip("/") + "/models?pageSize=1"
        return UpstreamRequest(url, {"accept": "application/json", **_authorization(errand)}, b"")

    def error_message(self, raw: bytes) -> str:
        """Return what the provider says went wrong."""
        return error_message(raw)

    def meaning(self, status: int, raw: bytes) -> Meaning:
        """Return what a bad status means: a key that is none is told of as a bad request."""
        if status == HTTPStatus.BAD_REQUEST and not _reasons(raw).isdisjoint(_BAD_KEYS):
            return Meaning(HTTPStatus.UNAUTHORIZED)
        return Meaning(status)


def model_path(name: str) -> str:
    """Return a model's path: one that has none is among those that Google offers to all."""
    return name if "/" in name else f"models/{name}"


def _method(outgoing: Outgoing, errand: Errand) -> str:
    if outgoing.operation is Endpoint.EMBEDDINGS:
        return "batchEmbedContents"
    return "streamGenerateContent?alt=sse" if errand.stream else "generateContent"


def _reasons(raw: bytes) -> set[object]:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return set()
    match told:
        case {"error": {"details": list(details)}}:
            reasons = [detail.get("reason") for detail in details if isinstance(detail, dict)]
            return {reason for reason in reasons if isinstance(reason, str)}
    return set()


def _authorization(errand: Errand) -> dict[str, str]:
    return {"x-goog-api-key": errand.secret} if errand.secret else {}
