"""Every way in which a call can be answered, read from the code's own tables: the cells of
test_coverage.py, and of docs/coverage.md. A new endpoint has none until `ASKED` and `TOLD` have it.
"""

from typing import NamedTuple

import orjson

from gateway.exchange import Endpoint
from gateway.models import Route, Service
from gateway.providers.dialects import CHATS, NATIVE, PARSERS, between
from gateway.providers.unstreamed import Unstreamed
from gateway.proxy.paths import PATHS
from tests import mock_media
from tests.mock_dialect import Production, completion, events, split
from tests.mock_messages import message, message_events
from tests.mock_responses import response, response_events
from tests.mock_texts import completion_events, completion_of, moderation

FORMS = ("json", "stream")
WAYS = ("first", "cached", "replayed", "failover")
PHASES = ("request", "answer")
SOUND = ("said.mp3", b"\xff\xf3 a sound", "audio/mpeg")
MODEL = "m"


class Cell(NamedTuple):
    """A call to an endpoint: its answer's form, how it is answered, and where a rule holds it."""

    endpoint: Endpoint
    form: str
    way: str
    phase: str

    @property
    def streams(self):
        """Return whether a stream is asked for."""
        return self.form == "stream"

    @property
    def first(self):
        """Return the dialect of the provider that is tried first: one that speaks as the client."""
        return next(dialect for endpoint, dialect in NATIVE if endpoint is self.endpoint)

    @property
    def other(self):
        """Return the dialect of the one that is tried next: another one, where that can be."""
        beside = {"openai": "anthropic", "anthropic": "openai"}.get(self.first, self.first)
        return beside if between(self.endpoint, beside) else self.first


def asked(endpoint, text, model, *, streams=False):
    """Return the body in which an endpoint is asked something, or the fields of its form."""
    body = {"model": model, **ASKED[endpoint](text)}
    if endpoint is Endpoint.SERVICE:
        del body["model"]
    if streams:
        body["stream"] = "true" if endpoint is Endpoint.TRANSCRIPTIONS else True
    return body


def _said(text):
    return {"messages": [{"role": "user", "content": text}]}


ASKED = {
    Endpoint.CHAT: _said,
    Endpoint.COMPLETIONS: lambda text: {"prompt": text},
    Endpoint.RESPONSES: lambda text: {"input": text},
    Endpoint.EMBEDDINGS: lambda text: {"input": text},
    Endpoint.MODERATIONS: lambda text: {"input": text},
    Endpoint.IMAGES: lambda text: {"prompt": text},
    Endpoint.SPEECH: lambda text: {"input": text, "voice": "alloy"},
    Endpoint.TRANSCRIPTIONS: lambda text: {"prompt": text},
    Endpoint.MESSAGES: lambda text: {**_said(text), "max_tokens": 50},
    Endpoint.COUNT_TOKENS: _said,
    Endpoint.SERVICE: lambda text: {"query": text},
}
"""What is asked for, so that a text is said in it."""


def told(cell, text, dialect):
    """Return the bytes in which a provider of a dialect answers, so that a text is said in them."""
    native = (cell.endpoint, dialect) in NATIVE
    spoken = cell.endpoint if native else CHATS[dialect].operation
    return TOLD[spoken](Production((split(text),), "stop", 5), cell.streams)


def _chat(production, streams):
    if streams:
        return b"".join(events(MODEL, production, "end", wanted=True))
    return orjson.dumps(completion(MODEL, production, "end"))


def _completion(production, streams):
    answer = completion_of(completion(MODEL, production, "end"))
    return b"".join(completion_events(answer, production)) if streams else orjson.dumps(answer)


def _response(production, streams):
    answer = response({"model": MODEL}, production, "end")
    return b"".join(response_events(answer, production)) if streams else orjson.dumps(answer)


def _message(production, streams):
    if streams:
        return b"".join(message_events(MODEL, production, "end"))
    return orjson.dumps(message(MODEL, production, "end"))


def _vectors(production, _):
    vector = {"object": "embedding", "index": 0, "embedding": [1.0]}
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return _noted({"object": "list", "model": MODEL, "data": [vector], "usage": usage}, production)


def _noted(answer, production):
    """Return an answer that has no place for words, with a field that says them all the same."""
    return orjson.dumps({**answer, "note": _text(production)})


def _text(production):
    return "".join(production.choices[0])


TOLD = {
    Endpoint.CHAT: _chat,
    Endpoint.COMPLETIONS: _completion,
    Endpoint.RESPONSES: _response,
    Endpoint.EMBEDDINGS: _vectors,
    Endpoint.MODERATIONS: lambda made, _: _noted(moderation(MODEL, 1), made),
    Endpoint.IMAGES: lambda made, _: orjson.dumps(mock_media.images({"prompt": _text(made)}, "")),
    Endpoint.SPEECH: lambda *_: mock_media.SOUND,
    Endpoint.TRANSCRIPTIONS: lambda made, _: orjson.dumps(
        mock_media.transcription(_text(made), "json", "end")
    ),
    Endpoint.MESSAGES: _message,
    Endpoint.COUNT_TOKENS: lambda made, _: _noted({"input_tokens": 5}, made),
    Endpoint.SERVICE: lambda made, _: orjson.dumps({"result": _text(made)}),
}
"""What a provider answers: pictures and recordings whole, also where a stream is asked for."""

METHODS = {endpoint: method for method, endpoint in PATHS.values()}


def nothing_said(endpoint):
    """Return why an endpoint has no cells; "" where it has."""
    return "takes no body and asks nobody" if METHODS.get(endpoint) == "GET" else ""


def absent(cell):
    """Return why there can be no such call; "" where there can."""
    if cell.streams and not streams(cell.endpoint):
        return "answers whole"
    if cell.way == "cached" and not _has(cell.endpoint, "cache_ttl_s"):
        return "keeps no answers"
    if cell.way == "failover" and not _has(cell.endpoint, "deployments"):
        return "has one address"
    if cell.phase == "answer" and not _is_inspected(cell):
        return "the answer cannot be inspected"
    return ""


def streams(endpoint):
    """Return whether an endpoint can be asked for a stream."""
    if endpoint is Endpoint.SERVICE:
        return not all(
            isinstance(one, Unstreamed) for (of, _), one in NATIVE.items() if of is endpoint
        )
    body = asked(endpoint, "x", MODEL, streams=True)
    if endpoint is Endpoint.TRANSCRIPTIONS:
        body["file"] = {"filename": SOUND[0]}
    return PARSERS[endpoint](endpoint, body, 1).stream


def _has(endpoint, field):
    """Return whether what answers at an endpoint can have such a setting."""
    owner = Service if endpoint is Endpoint.SERVICE else Route
    return field in {one.name for one in owner._meta.get_fields()}


def _is_inspected(cell):
    whole = told(cell._replace(form="json"), "words", cell.first)
    answer = NATIVE[cell.endpoint, cell.first].answer(whole, viewed=True, created_s=1)
    return bool(answer.view.leaves)


CELLS = [
    Cell(endpoint, form, way, phase)
    for endpoint in Endpoint
    if not nothing_said(endpoint)
    for form in FORMS
    for way in WAYS
    for phase in PHASES
]
TRIED = [cell for cell in CELLS if not absent(cell)]

HEAD = """# Where rules hold

A rule holds wherever a call can come in and however it is answered. Each cell of this table is a
pair of calls through a running gateway, before providers over real sockets
(`tests/gateway/proxy/test_coverage.py`): one whose request a rule denies, and one whose answer a
rule denies. The verdict, the rule that is named, and the records must be the same in every cell.

- *first*: the provider is asked.
- *cached*: the answer is there already, since the same call was permitted to somebody else.
- *replayed*: so it is for the `Idempotency-Key`.
- *failover*: the first deployment refuses, the next one answers, in another dialect where that can
  be.

The table is drawn from the tables of the code: an endpoint that is added fails the test until it
has cells. Where a cell cannot be, the code says why.

"""


def page():
    """Return docs/coverage.md."""
    lines = [_row(["endpoint", "form", *WAYS]), _row(["---"] * (2 + len(WAYS)))]
    for endpoint in Endpoint:
        reason = nothing_said(endpoint)
        for form in ("",) if reason else FORMS:
            marks = ["-" if reason else _mark(endpoint, form, way) for way in WAYS]
            lines.append(_row([f"`{endpoint.value}`", form or reason, *marks]))
    return HEAD + "".join(lines)


def _mark(endpoint, form, way):
    reasons = [absent(Cell(endpoint, form, way, phase)) for phase in PHASES]
    if not any(reasons):
        return "request, answer"
    tried = [phase for phase, reason in zip(PHASES, reasons, strict=True) if not reason]
    return "; ".join([*tried, next(filter(None, reasons))])


def _row(cells):
    return f"| {' | '.join(cells)} |\n"
