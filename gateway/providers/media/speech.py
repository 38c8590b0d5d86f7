"""The speech API: a text is spoken. The answer is sound, which nobody can inspect. Pure."""

import orjson

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing, View
from gateway.providers import typed
from gateway.providers.dialect import Target
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.openai import fields, leaves
from gateway.providers.openai.upstream import error_message
from gateway.providers.unstreamed import Unstreamed
from gateway.providers.walk import inspected

_SOUND = View((), (), ("audio",))
ANY_SOUND = "application/octet-stream"


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a body of `size` bytes asks for; BadRequest names what is wrong."""
    if not typed.string(body.get("input"), "input"):
        raise BadRequest("input must be a text", "input")
    if typed.text(body, "stream_format") not in ("", "audio"):
        raise BadRequest(
            "sound is not sent in events, since nobody could judge them, nor the whole before its "
            "end; leave stream_format out",
            "stream_format",
        )
    typed.text(body, "response_format")
    if not isinstance(body.get("voice"), str):
        typed.name(typed.record(body.get("voice"), "voice").get("id"), "voice.id")
    model = typed.name(body.get("model"), "model")
    return Call(
        endpoint=endpoint,
        model=model,
        body=body,
        size=size,
        view=inspected(leaves.view, body, endpoint),
        roles=("user",),
        unknown_fields=fields.unknown(body, endpoint),
        priced_fields=fields.priced(body, endpoint),
    )


class SpeechNative(Unstreamed):
    """Served by a provider of the same API."""

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model."""
        return Outgoing(Endpoint.SPEECH, {**judged, "model": target.model})

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return the sound; its usage is not told. BadAnswer for nothing, and for JSON."""
        if not raw or _is_object(raw):
            raise BadAnswer(error_message(raw) or "the provider's answer holds no sound")
        return Answer({}, None, "", (), _SOUND, content_type=ANY_SOUND, raw=raw)


def _is_object(raw: bytes) -> bool:
    """Tell whether bytes are JSON: sound may well begin as an object does."""
    try:
        return raw[:1] == b"{" and isinstance(orjson.loads(raw), dict)
    except orjson.JSONDecodeError:
        return False
