"""A service as it is: what was judged becomes an HTTP request, and what it answers an answer.
Pure."""

from typing import Literal
from urllib.parse import quote

import orjson

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing, UpstreamRequest, Usage
from gateway.providers import document
from gateway.providers.dialect import Errand, Meaning, Target
from gateway.providers.fault import BadAnswer, BadRequest, Unenforceable
from gateway.providers.service.client import json_view
from gateway.providers.service.operations import template
from gateway.providers.unstreamed import Unstreamed
from gateway.providers.walk import UNVIEWED, shown

TEXT = "text/plain; charset=utf-8"
_ACCEPTED = {"json": "application/json", "text": "text/*", "none": "*/*"}
_NO_TOKENS = Usage(0, 0)
"""A service is paid for by the call: what it costs is known, and no token is in it."""


class ServiceNative(Unstreamed):
    """Stands between a client and a service; `kind` is what the operation answers with."""

    def __init__(self, kind: str = "json") -> None:
        self.kind = kind

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return what is sent; Unenforceable where the policy takes something out of the path."""
        asked = call.service
        if asked is None:
            raise BadRequest("only a service's operation can be asked of a service")
        for name, value in call.body["path"].items():
            if judged["path"][name] != value:
                raise Unenforceable(
                    f"The policy takes something out of {name!r}, which stands in the path: what"
                    " is left would name something else.",
                    f"path.{name}",
                )
        sent: Body = {
            "method": asked.operation.method,
            "path": _path(asked.operation.path, judged["path"]),
            "query": _query(judged["query"]),
            "answer": asked.operation.answer,
            "header": asked.service.header,
            "scheme": asked.service.scheme,
        }
        if "json" in judged:
            sent["json"] = judged["json"]
        return Outgoing(Endpoint.SERVICE, sent)

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return the answer; BadAnswer where it is not of the declared kind."""
        if self.kind == "none" or (self.kind == "json" and not raw):
            return Answer({}, _NO_TOKENS, "", (), UNVIEWED, shape="nothing")
        if self.kind == "text":
            return _answer({"text": _text(raw)}, viewed=viewed, content_type=TEXT)
        try:
            value = document.load_last(raw)
        except ValueError as error:
            raise BadAnswer(f"it is no JSON that is read here: {error}"[:200]) from error
        return _answer({"json": value}, viewed=viewed, shape="value")


class ServiceWire:
    """How a service is spoken to over HTTP."""

    def request(self, outgoing: Outgoing, errand: Errand) -> UpstreamRequest:
        """Return the HTTP request of one operation."""
        sent = outgoing.body
        headers = {
            "accept": _ACCEPTED[sent["answer"]],
            "user-agent": "gatehouse",
            "x-request-id": errand.request_id,
        }
        body = b""
        if "json" in sent:
            headers["content-type"] = "application/json"
            body = orjson.dumps(sent["json"])
        if errand.secret:
            headers[sent["header"]] = f"{sent['scheme']} {errand.secret}".lstrip()
        url = errand.base_url.rstrip("/") + sent["path"] + sent["query"]
        return UpstreamRequest(url, headers, body, sent["method"])

    def listing(self, errand: Errand) -> UpstreamRequest:
        """A service lists nothing: its address is asked for."""
        return UpstreamRequest(errand.base_url, {"accept": "*/*"}, b"", "GET")

    def error_message(self, raw: bytes) -> str:
        """Pass nothing on: what a service says of its data no rule has seen."""
        return ""

    def meaning(self, status: int, raw: bytes) -> Meaning:
        """Return what a bad status means: what it says."""
        return Meaning(status)


def is_of_kind(kind: str, content_type: str) -> bool:
    """Tell whether an answer is labelled as what its operation answers with; one without a label
    may be JSON."""
    if kind == "json":
        return content_type in ("", "application/json") or content_type.endswith("+json")
    is_text = content_type.startswith("text/") and content_type != "text/event-stream"
    return kind == "none" or is_text


def _path(path: str, values: Body) -> str:
    steps = (
        quote(values[step.text], safe="") if step.is_parameter else step.text
        for step in template(path)
    )
    return "/" + "/".join(steps)


def _query(values: Body) -> str:
    pairs = (f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in values.items())
    return "?" + "&".join(pairs) if values else ""


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadAnswer("it is no text in UTF-8") from error
    if "\0" in text:
        raise BadAnswer("it holds the character U+0000")
    return text


def _answer(
    body: Body,
    *,
    viewed: bool,
    content_type: str = "",
    shape: Literal["body", "value"] = "body",
) -> Answer:
    view = shown(lambda whole: json_view(*_only(whole)), body, viewed=viewed)
    size = sum(len(leaf.text.encode()) for leaf in view.leaves)
    return Answer(body, _NO_TOKENS, "", (), view, size, content_type=content_type, shape=shape)


def _only(body: Body) -> tuple[object, str]:
    ((name, value),) = body.items()
    return value, name
