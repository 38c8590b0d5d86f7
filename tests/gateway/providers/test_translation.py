"""Each dialect of clients before each of providers: the same answer, whole or streamed."""

import itertools

import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.exchange import Endpoint
from gateway.providers import sse
from gateway.providers.anthropic.stream import MessageStream
from gateway.providers.dialect import Passing, Source, Target
from gateway.providers.dialects import CHATS, CLIENTS, between
from gateway.providers.openai.stream import ChatStream
from gateway.providers.reply import Gathering, Reply, pieces
from gateway.providers.responses.stream import ResponseStream
from gateway.providers.translation import Translation
from tests.gateway.providers.scenes_clouds import SCENES

NOW_S = 1767225600
LIMIT = 1 << 20
TARGET = Target("real", "http://127.0.0.1:9001/v1", 9, stream=False)
PASSING = Passing(collect=False, limit=LIMIT, keep_usage=True, created_s=NOW_S)
GATHERING = PASSING._replace(collect=True)
EVENTS = TypeAdapter(RawMessageStreamEvent)
RESPONSE_EVENTS = TypeAdapter(ResponseStreamEvent)
PROVIDERS = sorted({dialect for dialect, _ in SCENES})


def read(dialect, data, size):
    """Return the reply that a stream tells, its bytes coming `size` at a time."""
    reader, gathering = CHATS[dialect].reader(LIMIT), Gathering()
    for start in range(0, len(data), size):
        gathering.add(reader.feed(data[start : start + size]))
    gathering.add(reader.close())
    assert reader.done
    assert reader.failed is None
    return Reply(reader.id, reader.model, gathering.choices(), reader.usage)


@pytest.mark.parametrize(("dialect", "name"), SCENES)
def test_an_answer_says_the_same_whole_and_streamed_however_it_is_split(dialect, name):
    told = SCENES[dialect, name]
    assert CHATS[dialect].reply(told.whole) == told.reply
    for size in (1, 2, 7, 64, len(told.stream)):
        assert read(dialect, told.stream, size) == told.reply


@pytest.mark.parametrize(("dialect", "name"), SCENES)
def test_the_pieces_of_a_reply_spell_it_again(dialect, name):
    reply = SCENES[dialect, name].reply
    gathering = Gathering()
    gathering.add(pieces(reply))
    assert gathering.choices() == reply.choices


def checked(endpoint, body):
    """Return a body that the official client's own types accept."""
    if endpoint is Endpoint.CHAT:
        ChatCompletion.model_validate(body, strict=True)
    elif endpoint is Endpoint.RESPONSES:
        Response.model_validate(body, strict=True)
    else:
        Message.model_validate(body, strict=True)
    return body


def accumulated(endpoint, data):
    """Return the answer that the events of a client's stream spell, each of them checked."""
    parser = sse.Parser(LIMIT)
    events = [event for event in parser.feed(data) if event.data is not None]
    assert parser.rest == b""
    stream: ChatStream | MessageStream | ResponseStream
    if endpoint is Endpoint.CHAT:
        assert events.pop().data == b"[DONE]"
        for event in events:
            ChatCompletionChunk.model_validate_json(event.data)
        stream = ChatStream(keep_usage=True, collect=True, limit=LIMIT)
    elif endpoint is Endpoint.RESPONSES:
        for number, event in enumerate(events):
            told = RESPONSE_EVENTS.validate_json(event.data)
            assert (told.type.encode(), told.sequence_number) == (event.name, number)
        stream = ResponseStream(collect=True, limit=LIMIT)
    else:
        for event in events:
            assert EVENTS.validate_json(event.data).type.encode() == event.name
        stream = MessageStream(collect=True, limit=LIMIT)
    stream.feed(data)
    assert stream.done
    assert stream.failed is None
    return stream.assemble().body


def spoken(endpoint, body):
    """Return what an answer says, in no dialect's words."""
    return CLIENTS[endpoint].reply(body)


WHOLE = [endpoint for endpoint in CLIENTS if endpoint is not Endpoint.COMPLETIONS]
"""The endpoints that can tell all that a model says, and not only its words."""

MATRIX = [
    (endpoint, dialect, name) for endpoint, (dialect, name) in itertools.product(WHOLE, SCENES)
]


@pytest.mark.parametrize(("endpoint", "dialect", "name"), MATRIX)
def test_each_client_hears_the_same_from_each_provider_whole_streamed_and_gathered(
    endpoint, dialect, name
):
    told = SCENES[dialect, name]
    translation = Translation(CLIENTS[endpoint], CHATS[dialect])
    whole = translation.answer(told.whole, viewed=True, created_s=NOW_S)
    checked(endpoint, whole.body)
    passing = translation.stream(PASSING)
    sent = passing.feed(told.stream) + passing.close()
    gathering = translation.stream(GATHERING)
    assert gathering.feed(told.stream) + gathering.close() == b""
    gathered = gathering.assemble()
    assert gathered.body == whole.body
    assert gathered == whole
    assert (passing.finish, passing.usage) == (whole.finish, whole.usage)
    streamed = accumulated(endpoint, sent)
    rendered = accumulated(endpoint, translation.render(gathered, keep_usage=True))
    assert spoken(endpoint, streamed) == spoken(endpoint, whole.body)
    assert spoken(endpoint, rendered) == spoken(endpoint, whole.body)
    assert whole.finish == told.reply.choices[0].finish
    assert whole.usage == told.reply.usage


NATIVE = [
    cell
    for cell in MATRIX
    if not isinstance(between(*cell[:2]), Translation) and cell[0] is not Endpoint.RESPONSES
]


@pytest.mark.parametrize(("endpoint", "dialect", "name"), NATIVE)
def test_where_both_speak_alike_what_the_provider_said_passes_as_it_is(endpoint, dialect, name):
    native = between(endpoint, dialect)
    told = SCENES[dialect, name]
    whole = native.answer(told.whole, viewed=True, created_s=NOW_S)
    passing = native.stream(PASSING)
    assert passing.feed(told.stream) + passing.close() == (told.passed or told.stream)
    gathering = native.stream(GATHERING)
    gathering.feed(told.stream)
    gathered = gathering.assemble()
    assert spoken(endpoint, gathered.body) == spoken(endpoint, whole.body)
    assert (gathered.finish, gathered.usage) == (whole.finish, whole.usage)
    rendered = native.render(gathered, keep_usage=True)
    assert spoken(endpoint, accumulated(endpoint, rendered)) == spoken(endpoint, whole.body)
    assert orjson.loads(told.whole) == whole.body


@pytest.mark.parametrize("collect", [False, True])
def test_what_a_message_says_of_its_usage_at_the_beginning_is_not_what_it_used(collect):
    told = SCENES["anthropic", "words"].stream
    silent = told.replace(b',"usage":{"output_tokens":30}', b"")
    assert silent != told
    native = MessageStream(collect=collect, limit=LIMIT)
    native.feed(silent)
    reader = CHATS["anthropic"].reader(LIMIT)
    reader.feed(silent)
    assert (native.done, native.usage) == (True, None)
    assert (reader.done, reader.usage) == (True, None)


@pytest.mark.parametrize("endpoint", WHOLE)
@pytest.mark.parametrize("dialect", ["openai", "bedrock"])
def test_an_answer_that_its_provider_gave_no_name_has_ours(endpoint, dialect):
    told = SCENES[dialect, "words"]
    source = Source("call-1", "a-model", NOW_S)
    translation = Translation(CLIENTS[endpoint], CHATS[dialect])
    whole = translation.answer(told.whole, viewed=True, created_s=NOW_S, source=source)
    gathering = translation.stream(GATHERING._replace(source=source))
    gathering.feed(told.stream)
    passing = translation.stream(PASSING._replace(source=source))
    streamed = accumulated(endpoint, passing.feed(told.stream) + passing.close())
    expected = (told.reply.id or "call-1", told.reply.model or "a-model")
    for body in (whole.body, gathering.assemble().body, streamed):
        assert (body["id"].removeprefix("resp_"), body["model"]) == expected
