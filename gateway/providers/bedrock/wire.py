"""How Bedrock is reached over HTTP: each request is signed, or carries an API key. Pure."""

import re
from http import HTTPStatus
from urllib.parse import quote

import orjson

from gateway.exchange import Endpoint, Outgoing, UpstreamRequest
from gateway.providers.bedrock import access
from gateway.providers.bedrock.sigv4 import Message, Scope, signed
from gateway.providers.dialect import Errand, Meaning
from gateway.providers.openai.upstream import error_message

_SERVICE = "bedrock"
_RUNTIME = re.compile(
    r"https://bedrock-runtime((?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws))/?"
)
_STREAM_TYPE = "application/vnd.amazon.eventstream"
_MODEL_FAILED = 424


class BedrockWire:
    """How Bedrock is reached over HTTP; `base_url` is that of a region's runtime."""

    def request(self, outgoing: Outgoing, errand: Errand) -> UpstreamRequest:
        """Return the HTTP request that carries what goes upstream, signed at this instant."""
        model = quote(errand.model, safe="")
        url = f"{errand.base_url.rstrip('/')}/model/{model}/{_operation(outgoing, errand)}"
        body = orjson.dumps(outgoing.body)
        message = Message("POST", url, {"content-type": "application/json"}, body)
        headers = {
            **message.headers,
            "accept": _STREAM_TYPE if errand.stream else "application/json",
            "user-agent": "gatehouse",
            "x-request-id": errand.request_id,
            **_authorization(message, errand),
        }
        return UpstreamRequest(url, headers, body)

    def listing(self, errand: Errand) -> UpstreamRequest:
        """Return the request for the models, which at AWS a region's other address answers."""
        runtime = _RUNTIME.fullmatch(errand.base_url)
        base = f"https://bedrock{runtime[1]}" if runtime else errand.base_url.rstrip("/")
        message = Message("GET", f"{base}/foundation-models", {}, b"")
        headers = {"accept": "application/json", **_authorization(message, errand)}
        return UpstreamRequest(message.url, headers, b"")

    def error_message(self, raw: bytes) -> str:
        """Return what the provider says went wrong."""
        try:
            told = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return error_message(raw)
        capital = told.get("Message") if isinstance(told, dict) else None
        return error_message(orjson.dumps({"message": capital}) if capital else raw)

    def meaning(self, status: int, raw: bytes) -> Meaning:
        """Return what a bad status means: two that blame the caller tell of a model that failed."""
        if status == HTTPStatus.REQUEST_TIMEOUT:
            return Meaning(HTTPStatus.GATEWAY_TIMEOUT)
        return Meaning(HTTPStatus.BAD_GATEWAY if status == _MODEL_FAILED else status)


def _operation(outgoing: Outgoing, errand: Errand) -> str:
    if outgoing.operation is Endpoint.EMBEDDINGS:
        return "invoke"
    return "converse-stream" if errand.stream else "converse"


def _authorization(message: Message, errand: Errand) -> dict[str, str]:
    if not errand.secret:
        return {}
    given = access.read(errand.secret, errand.base_url)
    if given is None:
        return {"authorization": f"Bearer {errand.secret}"}
    return signed(message, given.key, Scope(given.region, _SERVICE), errand.now_s)
