"""The transcriptions API: sound is sent in a form, and its text comes back. Pure.

The sound is not inspected; what is said beside it is, and so is the text: a stream is asked for as
a whole, and told in the events of the API once it has been.
"""

import math

import orjson

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing, View
from gateway.providers import form, typed
from gateway.providers.dialect import AnswerStream, Passing, Target
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.media.whole import WholeStream, written
from gateway.providers.openai import fields, leaves
from gateway.providers.openai.usage import read_usage
from gateway.providers.unstreamed import object_of
from gateway.providers.walk import inspected, shown, words

PLAIN = "text/plain; charset=utf-8"
_FORMATS = words("json text srt vtt verbose_json diarized_json")
_STREAMED = words("json diarized_json")


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a form of `size` bytes asks for; BadRequest names what is wrong."""
    if not isinstance(body.get(form.FILE), dict):
        raise BadRequest("file must be a file", form.FILE)
    texts = [name for name in body if name != form.FILE and not name.endswith("[]")]
    for name in texts:
        typed.string(body[name], name)
    kind = body.get("response_format", "json")
    if kind not in _FORMATS:
        raise BadRequest("response_format is not one of the API", "response_format")
    stream = _is_true(body.get("stream", "false"))
    if stream and kind not in _STREAMED:
        raise BadRequest("a stream is of json or diarized_json", "response_format")
    plain = {form.plain(name): value for name, value in body.items()}
    view = inspected(leaves.view, body, endpoint)
    return Call(
        endpoint=endpoint,
        model=typed.name(body.get("model"), "model"),
        body=body,
        size=size,
        view=_with_sound(view, body, plain),
        stream=stream,
        roles=("user",),
        temperature=_temperature(body),
        unknown_fields=fields.unknown(plain, endpoint),
        priced_fields=fields.priced(plain, endpoint),
    )


def _with_sound(view: View, body: Body, plain: Body) -> View:
    """Return the view with the file named as sound, and references also where they are a list."""
    endpoint = Endpoint.TRANSCRIPTIONS
    listed = len(fields.references(plain, endpoint)) - len(fields.references(body, endpoint))
    others = [kind for kind in view.uninspected if kind != "file"]
    return View(view.leaves, view.segments, ("audio", *others, *["reference"] * listed))


def _is_true(given: str) -> bool:
    if given.lower() not in ("true", "false"):
        raise BadRequest("stream must be true or false", "stream")
    return given.lower() == "true"


def _temperature(body: Body) -> float | None:
    given = body.get("temperature")
    if given is None:
        return None
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise BadRequest("temperature must be a number", "temperature")
    return found


class TranscriptionsNative:
    """Served by a provider of the same API."""

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model, and the file."""
        sent = {name: value for name, value in judged.items() if name != "stream"}
        return Outgoing(Endpoint.TRANSCRIPTIONS, {**sent, "model": target.model}, file=call.file)

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole answer: an object with the text, or the text as it is."""
        try:
            is_object = isinstance(orjson.loads(raw), dict)
        except orjson.JSONDecodeError:
            is_object = False
        body = object_of(raw) if is_object else {"text": _text(raw)}
        if not isinstance(body.get("text"), str):
            raise BadAnswer("the provider's answer holds no text")
        told = body.get("usage")
        usage = read_usage(told if isinstance(told, dict) else {}, wrote=bool(body["text"]))
        view = shown(leaves.answer_view, body, viewed=viewed)
        size = len(body["text"].encode()) if viewed else 0
        return Answer(body, usage, "", (), view, size, content_type="" if is_object else PLAIN)

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of the whole answer that a stream is made of."""
        return WholeStream(self._read, _events, passing)

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """Return a whole answer as a stream."""
        return written(_events(answer.body))

    def _read(self, raw: bytes, passing: Passing) -> Answer:
        return self.answer(raw, viewed=passing.collect, created_s=passing.created_s)


def _events(body: Body) -> list[Body]:
    """Return who says what, where that is told, then the text in one piece, and its end."""
    segments = body.get("segments")
    told = [
        {**segment, "type": "transcript.text.segment"}
        for segment in (segments if isinstance(segments, list) else ())
        if isinstance(segment, dict)
    ]
    text = body["text"]
    spelled = {"logprobs": body["logprobs"]} if body.get("logprobs") else {}
    usage = body.get("usage")
    counted = isinstance(usage, dict) and usage.get("type") == "tokens"
    end = {"text": text, **spelled, **({"usage": usage} if counted else {})}
    told.append({"type": "transcript.text.delta", "delta": text, **spelled})
    return [*told, {"type": "transcript.text.done", **end}]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadAnswer("the provider's answer is no text") from error
