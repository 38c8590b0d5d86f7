"""The messages API on both sides: what was judged travels as it is. Pure."""

import orjson

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing, UpstreamRequest, Usage
from gateway.providers.anthropic import answers, stream
from gateway.providers.anthropic.usage import read_usage
from gateway.providers.dialect import AnswerStream, Errand, Meaning, Passing, Target
from gateway.providers.fault import BadAnswer
from gateway.providers.openai.upstream import error_message

_VERSION = "2023-06-01"
_PATHS = {Endpoint.MESSAGES: "/messages", Endpoint.COUNT_TOKENS: "/messages/count_tokens"}


class AnthropicNative:
    """One endpoint of the API, served by a provider of the same dialect."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model and the cap."""
        sent = {**judged, "model": target.model}
        sent.pop("stream", None)
        if self._endpoint is Endpoint.MESSAGES:
            sent["max_tokens"] = target.cap
        if target.stream:
            sent["stream"] = True
        return Outgoing(self._endpoint, sent)

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole message, or a count of tokens, which used none."""
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise BadAnswer("the provider's answer is not JSON") from error
        if not isinstance(body, dict) or body.get("type") == "error":
            raise BadAnswer(error_message(raw) or "the provider's answer is no object")
        return answers.answer(body, self._usage(body), viewed=viewed)

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of one stream."""
        return stream.MessageStream(
            collect=passing.collect, limit=passing.limit, silent=passing.silent
        )

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """Return a whole message as a stream."""
        return stream.render(answer.body)

    def _usage(self, body: Body) -> Usage | None:
        if self._endpoint is Endpoint.COUNT_TOKENS:
            if not isinstance(body.get("input_tokens"), int):
                raise BadAnswer("the provider's answer holds no count")
            return Usage(0, 0)
        if not isinstance(body.get("content"), list):
            raise BadAnswer("the provider's answer is no message")
        told = body.get("usage")
        return read_usage(told if isinstance(told, dict) else {}, wrote=bool(body["content"]))


class AnthropicWire:
    """How Anthropic is reached over HTTP; `base_url` ends in /v1."""

    def request(self, outgoing: Outgoing, errand: Errand) -> UpstreamRequest:
        """Return the HTTP request that carries what goes upstream."""
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if errand.stream else "application/json",
            "user-agent": "gatehouse",
            "x-request-id": errand.request_id,
            **_authorization(errand),
        }
        url = errand.base_url.rstrip("/") + _PATHS[outgoing.operation]
        return UpstreamRequest(url, headers, orjson.dumps(outgoing.body))

    def listing(self, errand: Errand) -> UpstreamRequest:
        """Return the request for the models."""
        url = errand.base_url.rstrip("/") + "/models"
        return UpstreamRequest(url, {"accept": "application/json", **_authorization(errand)}, b"")

    def error_message(self, raw: bytes) -> str:
        """Return what the provider says went wrong."""
        return error_message(raw)

    def meaning(self, status: int, raw: bytes) -> Meaning:
        """Return what a bad status means: what it says."""
        return Meaning(status)


def _authorization(errand: Errand) -> dict[str, str]:
    secret = {"x-api-key": errand.secret} if errand.secret else {}
    return {"anthropic-version": _VERSION, **secret}
