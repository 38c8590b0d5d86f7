"""P5, P16: what stands anywhere in a request, an answer, or an event of a stream is seen, of every
endpoint and before every provider; or the place is named as what nobody can look into, or refused.
"""

import json
import re

import orjson
import pytest

from gateway.exchange import Body, Edit, Endpoint
from gateway.providers import sse
from gateway.providers.dialect import Passing, Source
from gateway.providers.dialects import CLIENTS, PARSERS, between
from gateway.providers.edits import apply
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.translation import Translation
from policies.detectors.scanner import DetectorConfig, Scanner
from tests.gateway.providers.anthropic.bodies import REQUEST as MESSAGES
from tests.gateway.providers.completions.test_completions import REQUEST as COMPLETIONS
from tests.gateway.providers.media.test_media import REQUESTS as MEDIA
from tests.gateway.providers.openai.bodies import REQUEST as CHAT
from tests.gateway.providers.responses.bodies import REQUEST as RESPONSES
from tests.gateway.providers.scenes import SCENES
from tests.gateway.providers.test_golden import golden
from tests.gateway.providers.test_moderations import PARTS as MODERATIONS
from tests.gateway.providers.withheld.judging import LIMIT, Judge, streamed
from tests.planting import MAIL, leaks, planted
from tests.thorough import TIMES

SECRET = "AKIA" + "Q3EGWYXK5H2T7ZPM"
EMBEDDINGS: Body = {
    "model": "m",
    "input": ["one", "two"],
    "user": "u",
    "encoding_format": "float",
    "strange": {"new": ["field"]},
}
REQUESTS = {
    Endpoint.CHAT: [CHAT, golden("chat")],
    Endpoint.COMPLETIONS: [COMPLETIONS],
    Endpoint.RESPONSES: [RESPONSES, golden("responses")],
    Endpoint.EMBEDDINGS: [EMBEDDINGS],
    Endpoint.MODERATIONS: [MODERATIONS],
    **{endpoint: [body] for endpoint, body in MEDIA.items()},
    Endpoint.MESSAGES: [MESSAGES, golden("messages")],
    Endpoint.COUNT_TOKENS: [MESSAGES],
}
OPAQUE = {"data", "file_data"}
ASKED = [
    pytest.param(endpoint, body, id=f"{endpoint}-{at}")
    for endpoint, bodies in REQUESTS.items()
    for at, body in enumerate(bodies)
]
HEARD = [(endpoint, dialect, name) for endpoint in CLIENTS for dialect, name in SCENES]
IN_EVENTS = [cell for cell in HEARD if cell[1] != "bedrock"]
"""Bedrock's events are no text: what is read of them goes the way of the others."""

PASSING = Passing(collect=True, limit=LIMIT, keep_usage=True, created_s=1, passes=True)
SOURCE = Source("an-id", "a-model", 1)
EVERY = max(1, 7 // TIMES)
"""One place of so many in events is tried; all of them in `make test-long`."""


@pytest.fixture(scope="module")
def scanner():
    return Scanner(DetectorConfig())


def masked(body, view):
    """Return a body as text, without the secret wherever the view shows it."""
    edits = [
        Edit(index, found.start(), found.end(), "")
        for index, leaf in enumerate(view.leaves)
        for found in reversed(list(re.finditer(SECRET, leaf.text)))
    ]
    return json.dumps(apply(body, view, edits))


def test_every_endpoint_has_a_request():
    assert set(REQUESTS) == set(PARSERS)


@pytest.mark.parametrize(("endpoint", "body"), ASKED)
def test_canary_in_every_json_leaf_of_a_request(scanner, endpoint, body):
    parse = PARSERS[endpoint]
    parse(endpoint, body, 100)  # as it stands it is one
    seen, refused = 0, {}
    for path, changed in planted(body, f" {SECRET} "):
        try:
            call = parse(endpoint, changed, 100)
        except BadRequest as fault:
            refused[path] = fault.param
            continue
        if SECRET in call.model:
            continue  # it is judged as what is asked for
        if path[-1] in OPAQUE and call.view.uninspected:
            continue
        assert scanner.scan(call.view.leaves, {"secrets"}).findings, path
        assert SECRET not in masked(changed, call.view), path
        seen += 1
    assert seen
    assert all(refused.values()), refused


def between_them(endpoint, dialect):
    """Return who stands between them; None where nobody can."""
    found = between(endpoint, dialect)
    return found.named(SOURCE) if isinstance(found, Translation) else found


@pytest.mark.parametrize(("endpoint", "dialect", "name"), HEARD)
def test_canary_in_every_json_leaf_of_an_answer(endpoint, dialect, name):
    interpreter = between_them(endpoint, dialect)
    for path, told in planted(orjson.loads(SCENES[dialect, name].whole), SECRET):
        try:
            answer = interpreter.answer(orjson.dumps(told), viewed=True, created_s=1)
        except BadAnswer:
            continue
        if path[-1] in OPAQUE and answer.view.uninspected:
            continue
        assert SECRET not in masked(answer.body, answer.view), path


def events(dialect, name):
    """Return the events of a scene, each with the JSON that it holds."""
    parser = sse.Parser(LIMIT)
    found = parser.feed(SCENES[dialect, name].stream)
    return [(one, orjson.loads(one.data)) for one in found if one.data and one.data[:1] == b"{"]


@pytest.mark.parametrize(("endpoint", "dialect", "name"), IN_EVENTS)
def test_canary_in_every_json_leaf_of_the_events_of_a_stream(scanner, endpoint, dialect, name):
    raw = SCENES[dialect, name].stream
    places = [
        (event, path, changed)
        for event, value in events(dialect, name)
        for path, changed in planted(value, f" {MAIL} ")
    ]
    judge = Judge(scanner)
    for event, path, changed in places[::EVERY]:
        spoilt = raw.replace(event.raw, sse.encode(orjson.dumps(changed), event.name), 1)
        stream = between_them(endpoint, dialect).stream(PASSING)
        try:
            passed = stream.feed(spoilt) + stream.close()
            left = b"".join(streamed(endpoint, [passed], judge))
        except BadAnswer:
            continue
        assert not leaks(left.decode()), path
