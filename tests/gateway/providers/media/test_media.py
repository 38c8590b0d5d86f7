"""Images, speech and transcriptions: what is lifted and refused, inspected, sent and answered."""

import json

import orjson
import pytest
from openai.types import ImageGenStreamEvent, ImagesResponse, image_generate_params
from openai.types.audio import (
    Transcription,
    TranscriptionStreamEvent,
    TranscriptionVerbose,
    speech_create_params,
    transcription_create_params,
)
from pydantic import TypeAdapter

from gateway.exchange import Body, Edit, Endpoint, Usage
from gateway.providers import multipart, sse
from gateway.providers.dialect import Errand, Passing, Target
from gateway.providers.dialects import NATIVE, PARSERS, WIRES
from gateway.providers.edits import apply
from gateway.providers.fault import BadAnswer, BadRequest, TooLarge
from gateway.providers.openai import fields
from gateway.providers.openai.leaves import answer_view, view
from tests import mock_media
from tests.gateway.providers.anthropic.test_fields import hints
from tests.gateway.providers.openai.bodies import planted, strings
from tests.gateway.providers.openai.test_leaves import CANARY, containing, without

MEDIA = (Endpoint.IMAGES, Endpoint.SPEECH, Endpoint.TRANSCRIPTIONS)
TARGET = Target("real", "https://api.openai.com/v1", 9, stream=False)
REQUESTS: dict[Endpoint, Body] = {
    Endpoint.IMAGES: {
        "model": "m",
        "prompt": "a bird",
        "n": 2,
        "response_format": "b64_json",
        "output_format": "png",
        "user": "alice",
        "strange": {"new": "field"},
    },
    Endpoint.SPEECH: {
        "model": "m",
        "input": "Hello",
        "voice": {"id": "voice_1"},
        "instructions": "slowly",
        "response_format": "opus",
        "speed": 1.5,
        "strange": "field",
    },
    Endpoint.TRANSCRIPTIONS: {
        "file": {"filename": "a.mp3", "content_type": "audio/mpeg"},
        "model": "m",
        "prompt": "names",
        "language": "en",
        "temperature": "0.5",
        "response_format": "verbose_json",
        "timestamp_granularities[]": ["word", "segment"],
        "strange": "field",
    },
}
VERBOSE = mock_media.verbose("Write to me today.")
ANSWERS: list[tuple[Endpoint, Body]] = [
    (Endpoint.IMAGES, mock_media.images({"prompt": "a bird", "n": 2}, "end")),
    (Endpoint.IMAGES, mock_media.images({"prompt": "a", "response_format": "url"}, "absent")),
    (Endpoint.TRANSCRIPTIONS, {"text": "Hello", "languages": [{"code": "en"}]}),
    (Endpoint.TRANSCRIPTIONS, VERBOSE),
]


def ask(endpoint, **given):
    return PARSERS[endpoint](endpoint, {**REQUESTS[endpoint], **given}, 100)


def native(endpoint):
    return NATIVE[endpoint, "openai"]


def test_what_is_lifted():
    image = ask(Endpoint.IMAGES)
    assert (image.model, image.n, image.user, image.roles) == ("m", 2, "alice", ("user",))
    speech = ask(Endpoint.SPEECH)
    assert (speech.model, speech.unknown_fields) == ("m", ("strange",))
    said = ask(Endpoint.TRANSCRIPTIONS)
    assert (said.model, said.temperature, said.view.uninspected) == ("m", 0.5, ("audio",))
    assert said.unknown_fields == ("strange",)
    assert ask(Endpoint.SPEECH, voice="alloy").view.uninspected == ()
    plain = {"model": "m", "file": {"filename": "a", "content_type": "audio/wav"}}
    assert PARSERS[Endpoint.TRANSCRIPTIONS](Endpoint.TRANSCRIPTIONS, plain, 9).temperature is None


def test_what_an_image_costs_depends_on_what_is_priced():
    call = ask(Endpoint.IMAGES, quality="high", size="auto", svg={"model": "m"})
    assert call.priced_fields == ("quality", "size", "svg")


@pytest.mark.parametrize("name", ["known_speaker_references", "known_speaker_references[]"])
def test_what_brings_in_more_sound_is_a_reference(name):
    value = ["data:audio/wav;base64,AA"] if name.endswith("]") else "data:audio/wav;base64,AA"
    call = ask(Endpoint.TRANSCRIPTIONS, **{name: value})
    assert call.view.uninspected == ("audio", "reference")


@pytest.mark.parametrize(
    ("endpoint", "params"),
    [
        (Endpoint.IMAGES, image_generate_params.ImageGenerateParamsStreaming),
        (Endpoint.SPEECH, speech_create_params.SpeechCreateParams),
        (
            Endpoint.TRANSCRIPTIONS,
            transcription_create_params.TranscriptionCreateParamsStreaming,
        ),
    ],
)
def test_case_15_each_field_of_a_body_is_listed(endpoint, params):
    declared = hints(params)
    assert len(declared) > 6
    assert fields.unknown(dict.fromkeys(declared), endpoint) == ()


@pytest.mark.parametrize(
    ("endpoint", "given", "param"),
    [
        (Endpoint.IMAGES, {"model": None}, "model"),
        (Endpoint.IMAGES, {"prompt": None}, "prompt"),
        (Endpoint.IMAGES, {"prompt": ""}, "prompt"),
        (Endpoint.IMAGES, {"prompt": ["x"]}, "prompt"),
        (Endpoint.IMAGES, {"n": 11}, "n"),
        (Endpoint.IMAGES, {"n": "1"}, "n"),
        (Endpoint.IMAGES, {"stream": "true"}, "stream"),
        (Endpoint.IMAGES, {"stream": True, "n": 2}, "n"),
        (Endpoint.IMAGES, {"stream": True, "n": 1, "partial_images": 2}, "partial_images"),
        (Endpoint.IMAGES, {"stream": True, "n": 1, "response_format": "url"}, "response_format"),
        (Endpoint.IMAGES, {"response_format": "gif"}, "response_format"),
        (Endpoint.IMAGES, {"user": 3}, "user"),
        (Endpoint.SPEECH, {"model": 3}, "model"),
        (Endpoint.SPEECH, {"input": ""}, "input"),
        (Endpoint.SPEECH, {"input": {}}, "input"),
        (Endpoint.SPEECH, {"voice": None}, "voice.id"),
        (Endpoint.SPEECH, {"voice": ["x"]}, "voice"),
        (Endpoint.SPEECH, {"stream_format": "sse"}, "stream_format"),
        (Endpoint.SPEECH, {"response_format": 3}, "response_format"),
        (Endpoint.TRANSCRIPTIONS, {"model": ""}, "model"),
        (Endpoint.TRANSCRIPTIONS, {"file": "x"}, "file"),
        (Endpoint.TRANSCRIPTIONS, {"file": None}, "file"),
        (Endpoint.TRANSCRIPTIONS, {"stream": "yes", "response_format": "json"}, "stream"),
        (Endpoint.TRANSCRIPTIONS, {"stream": "true"}, "response_format"),
        (Endpoint.TRANSCRIPTIONS, {"response_format": "xml"}, "response_format"),
        (Endpoint.TRANSCRIPTIONS, {"temperature": "hot"}, "temperature"),
        (Endpoint.TRANSCRIPTIONS, {"temperature": "inf"}, "temperature"),
        (Endpoint.TRANSCRIPTIONS, {"prompt": "a\0b"}, "prompt"),
        (Endpoint.TRANSCRIPTIONS, {"prompt": ["x"]}, "prompt"),
    ],
)
def test_what_is_wrong_is_named(endpoint, given, param):
    with pytest.raises(BadRequest) as caught:
        ask(endpoint, **given)
    assert caught.value.param == param


@pytest.mark.parametrize("endpoint", MEDIA)
def test_canary_in_every_json_leaf_of_a_request(endpoint):
    body = REQUESTS[endpoint]
    for path, _ in strings(body):
        if path != ("model",):
            changed = planted(body, path, CANARY)
            found = view(changed, endpoint)
            assert containing(found, CANARY), path
            assert CANARY not in json.dumps(without(changed, found, CANARY))


@pytest.mark.parametrize(("endpoint", "answer"), ANSWERS)
def test_canary_in_every_json_leaf_of_an_answer(endpoint, answer):
    for path, _ in strings(answer):
        changed = planted(answer, path, CANARY)
        found = answer_view(changed)
        assert containing(found, CANARY), path
        assert CANARY not in json.dumps(without(changed, found, CANARY))


@pytest.mark.parametrize("name", ["words", "segments"])
@pytest.mark.parametrize("value", [[CANARY], [{"x": CANARY}], [{"word": [CANARY]}], {CANARY: 1}])
def test_canary_of_any_shape_among_what_was_said(name, value):
    changed = {**VERBOSE, name: value}
    assert CANARY not in json.dumps(without(changed, answer_view(changed), CANARY))


def test_what_was_said_is_read_as_one_text_wherever_it_is_split():
    found = answer_view(VERBOSE)
    texts = {leaf.place: leaf.text for leaf in found.leaves}
    assert texts["text"] == texts["segments"] == texts["words"] == "Write to me today."
    index = [leaf.place for leaf in found.leaves].index("words")
    edited = apply(VERBOSE, found, [Edit(index, 6, 11, "***")])
    assert [word["word"] for word in edited["words"]] == ["Write", "***", "", "today."]


def test_a_picture_in_an_answer_is_named():
    assert answer_view(ANSWERS[0][1]).uninspected == ("image", "image")
    (leaf,) = answer_view(ANSWERS[0][1]).leaves
    assert leaf.text == "revised_prompt: a bird\nrevised_prompt: a bird"


def test_what_is_sent_is_what_was_judged():
    for endpoint in MEDIA:
        call = ask(endpoint, stream=None) if endpoint is Endpoint.IMAGES else ask(endpoint)
        sent = native(endpoint).outgoing(call, call.body, TARGET)
        assert sent.operation is endpoint
        assert sent.body == {**REQUESTS[endpoint], "model": "real"}


def test_a_form_is_written_anew_from_the_judged_body():
    call = ask(Endpoint.TRANSCRIPTIONS)._replace(file=b"\x00\xff")
    judged = {**call.body, "prompt": "<NAME>", "file": {**call.body["file"], "filename": "b.mp3"}}
    outgoing = native(Endpoint.TRANSCRIPTIONS).outgoing(call, judged, TARGET)
    errand = Errand("https://h/v1", "real", "sk", stream=False, request_id="r-1", now_s=1.0)
    request = WIRES["openai"].request(outgoing, errand)
    assert request.url == "https://h/v1/audio/transcriptions"
    parts = multipart.read(request.body, request.headers["content-type"])
    assert [(part.name, part.filename, part.data) for part in parts] == [
        ("file", "b.mp3", b"\x00\xff"),
        ("model", "", b"real"),
        ("prompt", "", b"<NAME>"),
        ("language", "", b"en"),
        ("temperature", "", b"0.5"),
        ("response_format", "", b"verbose_json"),
        ("timestamp_granularities[]", "", b"word"),
        ("timestamp_granularities[]", "", b"segment"),
        ("strange", "", b"field"),
    ]
    assert mock_media.form(request.headers["content-type"], request.body)["prompt"] == "<NAME>"


def test_what_is_asked_for_is_accepted():
    errand = Errand("https://h/v1", "real", None, stream=False, request_id="r-1", now_s=1.0)
    for endpoint, accepted in (
        (Endpoint.IMAGES, "application/json"),
        (Endpoint.SPEECH, "audio/*"),
        (Endpoint.TRANSCRIPTIONS, "*/*"),
    ):
        outgoing = native(endpoint).outgoing(ask(endpoint), REQUESTS[endpoint], TARGET)
        assert WIRES["openai"].request(outgoing, errand).headers["accept"] == accepted


def read(endpoint, raw, *, viewed=True):
    return native(endpoint).answer(raw, viewed=viewed, created_s=1)


def test_images_are_answered():
    answer = ANSWERS[0][1]
    ImagesResponse.model_validate(answer, strict=True)
    found = read(Endpoint.IMAGES, orjson.dumps(answer))
    assert (found.body, found.usage) == (answer, Usage(10, 2000))
    assert read(Endpoint.IMAGES, orjson.dumps(ANSWERS[1][1]), viewed=False).usage is None


def test_speech_is_answered():
    found = read(Endpoint.SPEECH, b"{ is how this sound begins")
    assert (found.body, found.usage, found.raw[:4]) == ({}, None, b"{ is")
    assert found.view.uninspected == ("audio",)


def test_transcriptions_are_answered():
    Transcription.model_validate({"text": "x"})
    TranscriptionVerbose.model_validate(VERBOSE)
    told = mock_media.transcription("Hello", "json", "end")
    found = read(Endpoint.TRANSCRIPTIONS, orjson.dumps(told))
    assert (found.body, found.usage, found.text_bytes) == (told, Usage(20, 5), 5)
    assert found.content_type == ""
    found = read(Endpoint.TRANSCRIPTIONS, orjson.dumps(VERBOSE), viewed=False)
    assert (found.usage, found.view.leaves) == (None, ())
    for form in ("text", "srt", "vtt"):
        raw = mock_media.transcription("Grüße", form, "end").encode()
        found = read(Endpoint.TRANSCRIPTIONS, raw)
        assert found.body == {"text": raw.decode()}
        assert found.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("endpoint", "raw"),
    [
        (Endpoint.IMAGES, b"no"),
        (Endpoint.IMAGES, b"{}"),
        (Endpoint.IMAGES, b'{"data": ["x"]}'),
        (Endpoint.IMAGES, b'{"error": {"message": "x"}}'),
        (Endpoint.SPEECH, b""),
        (Endpoint.SPEECH, b'{"error": {"message": "x"}}'),
        (Endpoint.TRANSCRIPTIONS, b"\xff"),
        (Endpoint.TRANSCRIPTIONS, b"{}"),
        (Endpoint.TRANSCRIPTIONS, b'{"text": 3}'),
        (Endpoint.TRANSCRIPTIONS, b'{"error": {"message": "x"}}'),
    ],
)
def test_what_is_no_answer(endpoint, raw):
    with pytest.raises(BadAnswer):
        read(endpoint, raw)


PASSING = Passing(collect=False, limit=1000, keep_usage=False, created_s=1)


def test_sound_is_not_streamed():
    with pytest.raises(BadAnswer):
        native(Endpoint.SPEECH).stream(PASSING)


STREAMED = [
    (Endpoint.IMAGES, mock_media.images({"prompt": "a bird"}, "end")),
    (Endpoint.TRANSCRIPTIONS, mock_media.transcription("Hello you.", "json", "end")),
    (Endpoint.TRANSCRIPTIONS, {"text": "Hello you.", "logprobs": [{"token": "Hello you."}]}),
    (
        Endpoint.TRANSCRIPTIONS,
        {
            "text": "Hello you.",
            "segments": [
                {"id": "s", "start": 0.0, "end": 1.5, "speaker": "A", "text": "Hello you."}
            ],
            "usage": {"type": "duration", "seconds": 2},
        },
    ),
]


@pytest.mark.parametrize(("endpoint", "answer"), STREAMED)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_is_the_whole_answer_in_events_of_the_api(endpoint, answer, size):
    raw = orjson.dumps(answer)

    def through(collect):
        stream = native(endpoint).stream(PASSING._replace(collect=collect))
        fed = [stream.feed(raw[at : at + size]) for at in range(0, len(raw), size)]
        assert not stream.done
        assert b"".join(fed) == b""
        told = stream.close()
        assert (stream.done, stream.failed) == (True, None)
        return stream, told

    passing, told = through(collect=False)
    gathering, nothing = through(collect=True)
    whole = native(endpoint).answer(raw, viewed=True, created_s=1)
    assert nothing == b""
    assert gathering.assemble() == whole
    assert native(endpoint).render(whole, keep_usage=False) == told
    assert passing.usage == whole.usage
    kinds = []
    for event in sse.Parser(1 << 16).feed(told):
        body = EVENTS[endpoint].validate_json(event.data, strict=True)
        assert body.type.encode() == event.name
        kinds.append(body.type)
    assert kinds[-1].endswith((".completed", ".done"))


EVENTS = {
    Endpoint.IMAGES: TypeAdapter(ImageGenStreamEvent),
    Endpoint.TRANSCRIPTIONS: TypeAdapter(TranscriptionStreamEvent),
}


@pytest.mark.parametrize("endpoint", EVENTS)
def test_a_stream_of_what_is_no_answer_has_failed(endpoint):
    for raw in (b"{}", b"\xff", b'{"error": {"message": "no"}}'):
        stream = native(endpoint).stream(PASSING)
        stream.feed(raw)
        assert stream.close() == b""
        assert stream.failed
        assert not stream.done
        with pytest.raises(BadAnswer):
            stream.assemble()


def test_a_stream_that_is_too_long_is_not_kept():
    stream = native(Endpoint.IMAGES).stream(PASSING)
    with pytest.raises(TooLarge):
        stream.feed(b"x" * 1001)


def test_a_stream_is_asked_for_as_a_whole():
    for endpoint, yes in ((Endpoint.IMAGES, True), (Endpoint.TRANSCRIPTIONS, "true")):
        more = {"n": 1} if endpoint is Endpoint.IMAGES else {"response_format": "json"}
        call = ask(endpoint, stream=yes, **more)
        assert call.stream
        sent = native(endpoint).outgoing(call, call.body, TARGET._replace(stream=True))
        assert "stream" not in sent.body
        errand = Errand("https://h/v1", "real", "sk", stream=True, request_id="r", now_s=1.0)
        assert WIRES["openai"].request(sent, errand).headers["accept"] != "text/event-stream"
