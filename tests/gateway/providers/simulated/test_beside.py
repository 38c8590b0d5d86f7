"""What the simulated provider answers beside chats: small, always the same, as the API's types
want it, and within every bound."""

import base64
import io
import struct
import wave
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import ImagesResponse, ModerationCreateResponse
from openai.types.audio import Transcription, TranscriptionDiarized, TranscriptionVerbose

from gateway.exchange import Endpoint, Usage
from gateway.providers.dialects import NATIVE, PARSERS
from gateway.providers.openai.upstream import error_message, input_bound
from gateway.providers.simulated.answer import simulate

FILE = {"filename": "talk.mp3", "content_type": "audio/mpeg"}
SOUND = b"\0" * 40_000


def answered(endpoint, model="simulated", file=b"", **body):
    """Return the answer that the gateway reads, and the simulation that it comes from."""
    simulation = simulate(endpoint, {"model": model, **body}, model, file)
    assert simulation == simulate(endpoint, {"model": model, **body}, model, file)
    assert (simulation.status, simulation.hang) == (200, False)
    raw = b"".join(chunk for _, chunk in simulation.chunks)
    reader = NATIVE[endpoint, "simulated"]
    return reader.answer(raw, viewed=True, created_s=1), simulation


def moderated(given, **more):
    found, _ = answered(Endpoint.MODERATIONS, input=given, **more)
    return ModerationCreateResponse.model_validate(found.body)


def test_a_text_is_flagged_for_what_it_names():
    (found,) = moderated("All about Self-Harm.").results
    assert found.flagged
    assert found.categories.self_harm
    assert not found.categories.violence
    assert found.category_scores.self_harm > found.category_scores.violence


def test_each_text_of_a_list_is_judged_and_all_parts_together():
    assert [one.flagged for one in moderated(["a word", "violence"]).results] == [False, True]
    parts = [
        {"type": "text", "text": "violence"},
        {"type": "image_url", "image_url": {"url": "https://h/i.png"}},
    ]
    (found,) = moderated(parts).results
    assert found.flagged
    assert found.category_applied_input_types.violence == ["text", "image"]
    assert found.category_applied_input_types.hate == ["text"]


def pictures(**fields):
    found, _ = answered(Endpoint.IMAGES, prompt="a bird", **fields)
    return found, ImagesResponse.model_validate(found.body)


def test_pictures_are_pngs():
    found, body = pictures(n=2)
    first, second = (base64.b64decode(one.b64_json) for one in body.data)
    assert first != second
    for png in (first, second):
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">II", png[16:24]) == (64, 64)
        begin = png.index(b"IDAT") + 4
        rows = zlib.decompressobj().decompress(png[begin:])
        assert len(rows) == 64 * (1 + 3 * 64)
    assert found.usage == Usage(2, 128)


def test_a_picture_may_be_at_an_address_that_holds_it():
    _, body = pictures(response_format="url")
    assert body.data[0].url.startswith("data:image/png;base64,iVBOR")


def test_a_text_is_spoken_as_wav_or_as_its_samples():
    found, simulation = answered(Endpoint.SPEECH, input="one two three", voice="alloy")
    assert simulation.content_type == "audio/wav"
    with wave.open(io.BytesIO(found.raw)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 24_000)
        assert 0.1 < sound.getnframes() / sound.getframerate() < 0.2
        samples = sound.readframes(sound.getnframes())
    plain, simulation = answered(
        Endpoint.SPEECH, input="one two three", voice="alloy", response_format="pcm"
    )
    assert (plain.raw, simulation.content_type) == (samples, "audio/pcm")


def test_a_long_text_makes_no_long_sound():
    found, _ = answered(Endpoint.SPEECH, input="word " * 5000, voice="alloy")
    assert len(found.raw) < 1 << 20


def test_what_is_not_spoken_is_refused():
    body = {"input": "x", "voice": "alloy", "response_format": "mp3"}
    found = simulate(Endpoint.SPEECH, body, "simulated")
    assert found.status == 400
    assert "wav or pcm, not in mp3" in error_message(found.chunks[0][1])


def heard(form):
    """Return what the gateway reads of a transcription, and the bytes that it comes in."""
    body = {"file": FILE, "prompt": "names", "response_format": form}
    simulation = simulate(Endpoint.TRANSCRIPTIONS, body, "simulated", SOUND)
    raw = b"".join(chunk for _, chunk in simulation.chunks)
    reader = NATIVE[Endpoint.TRANSCRIPTIONS, "simulated"]
    return reader.answer(raw, viewed=True, created_s=1), raw


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("json", Transcription),
        ("verbose_json", TranscriptionVerbose),
        ("diarized_json", TranscriptionDiarized),
    ],
)
def test_a_recording_is_described(form, kind):
    found, _ = heard(form)
    parsed = kind.model_validate(found.body)
    assert parsed.text == 'This is talk.mp3, a recording of 40000 bytes. You said of it: "names".'
    assert (found.usage is None) == (form != "json")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("text", "This is talk.mp3, a recording of 40000 bytes."),
        ("srt", "1\n00:00:00,000 --> 00:00:02,000\n"),
        ("vtt", "WEBVTT\n\n00:00.000 --> 00:02.000\n"),
    ],
)
def test_a_recording_is_described_in_plain_text(form, text):
    found, raw = heard(form)
    assert raw.decode().startswith(text)
    assert found.content_type.startswith("text/plain")


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
    st.integers(0, 20_000),
)
def test_nothing_counts_more_than_its_bound(text, size):
    body = {"model": "simulated", "prompt": text}
    call = PARSERS[Endpoint.IMAGES](Endpoint.IMAGES, body, 1)
    found, _ = answered(Endpoint.IMAGES, prompt=text)
    assert found.usage.input_tokens <= input_bound(len(orjson.dumps(body)), call)
    simulation = simulate(
        Endpoint.TRANSCRIPTIONS, {"file": FILE, "prompt": text}, "simulated", b"x" * size
    )
    usage = orjson.loads(simulation.chunks[0][1])["usage"]
    assert usage["input_tokens"] <= max(1, len(text.encode()) + size)


ENDPOINTS = {
    Endpoint.MODERATIONS: {"input": "text"},
    Endpoint.IMAGES: {"prompt": "text"},
    Endpoint.SPEECH: {"input": "text", "voice": "alloy"},
    Endpoint.TRANSCRIPTIONS: {"file": FILE},
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_model_misbehaves_as_its_name_says(endpoint):
    body = ENDPOINTS[endpoint]
    assert simulate(endpoint, body, "simulated-hang").hang
    assert simulate(endpoint, body, "simulated-error-429").status == 429
    assert simulate(endpoint, body, "simulated-slow").chunks[0][0] == 1500
    whole = simulate(endpoint, body, "simulated").chunks[0][1]
    cut = simulate(endpoint, body, "simulated-cut").chunks[0][1]
    assert len(cut) < len(whole)
    silent = simulate(endpoint, body, "simulated-no-usage").chunks[0][1]
    assert b'"usage"' not in silent
