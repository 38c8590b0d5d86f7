"""Images and sound through a running gateway, with the official client."""

import base64

import openai
import pytest

from tests import books, estate, mock_media
from tests.gateway.proxy.test_answers import DENY_ANSWERS, MASK_ANSWERS
from tests.gateway.proxy.test_responses import MASK_REQUESTS
from tests.mock_provider import start_mock_provider
from tests.openai_client import Client
from tests.planting import MAIL, house, leaks
from tests.scripted import Scripted
from tests.stack import Gateway

FREE = ("USD", "0", "0")
PER_REQUEST = ("USD", "0", "0", 40_000)
SOFT = ({"limit_micros": 10_000_000, "mode": "soft"},)
SOUND = ("said.mp3", b"\xff\xf3 \r\n--x\r\n a sound", "audio/mpeg")


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(params=["sync", "async"])
def sdk(request, gateway):
    return Client(request.param, gateway)


def home_of(mock, policy=estate.OPEN, price=books.PRICE, budgets=(), model="mock"):
    route = estate.route((estate.provider(mock.base_url), model), price=price)
    return estate.estate(route, policy=policy, budgets=list(budgets))


def draw(sdk, home, prompt="A bird.", **fields):
    return sdk.do(
        home.secret, lambda c: c.images.generate(model=home.model, prompt=prompt, **fields)
    )


def speak(sdk, home, text="Hello there.", **fields):
    fields = {"model": home.model, "input": text, "voice": "alloy", **fields}
    return sdk.do(home.secret, lambda c: c.audio.speech.create(**fields))


def hear(sdk, home, **fields):
    fields = {"model": home.model, "file": SOUND, **fields}
    return sdk.do(home.secret, lambda c: c.audio.transcriptions.create(**fields))


def test_images_are_drawn_and_paid_by_what_the_provider_tells(sdk, mock):
    home = home_of(mock, budgets=SOFT)
    before = len(mock.books())
    found = draw(sdk, home, n=2, size="1024x1024", quality="low", user="alice")
    assert [image.b64_json for image in found.data] == [mock_media.PIXEL] * 2
    assert base64.b64decode(found.data[0].b64_json)
    (entry,) = mock.books()[before:]
    assert entry["path"] == "/v1/images/generations"
    assert entry["body"] == {
        "model": "mock",
        "prompt": "A bird.",
        "n": 2,
        "size": "1024x1024",
        "quality": "low",
        "user": "alice",
    }
    assert found.usage.output_tokens == 2000
    (hold,) = books.holds(home).values()
    assert books.micros(hold.posted_pico) == books.billed(entry)


def test_images_are_masked_both_ways(sdk, mock):
    masked = draw(sdk, home_of(mock, MASK_REQUESTS), f"The house of {MAIL}.")
    assert masked.data[0].revised_prompt == "The house of <EMAIL_ADDRESS>."
    masked = draw(sdk, home_of(mock, MASK_ANSWERS), f"The house of {MAIL}.")
    assert masked.data[0].revised_prompt == "The house of <EMAIL_ADDRESS>."
    with pytest.raises(openai.PermissionDeniedError) as caught:
        draw(sdk, home_of(mock, DENY_ANSWERS), f"The house of {MAIL}.")
    assert not leaks(str(caught.value))


@pytest.mark.parametrize("ask", [draw, speak, hear])
def test_what_has_no_upper_bound_is_refused_under_a_hard_budget(sdk, mock, ask):
    before = len(mock.books())
    with pytest.raises(openai.BadRequestError) as caught:
        ask(sdk, home_of(mock, budgets=books.HARD))
    assert (caught.value.code, caught.value.param) == ("model_unpriced", "model")
    assert caught.value.body["rule"] == "budget-0"
    assert len(mock.books()) == before


@pytest.mark.parametrize("ask", [draw, speak, hear])
def test_what_costs_nothing_by_its_price_may_pass_a_hard_budget(sdk, mock, ask):
    home = home_of(mock, price=FREE, budgets=books.HARD)
    assert ask(sdk, home)
    books.holds(home)
    assert books.posted(home) == 0


@pytest.mark.parametrize("ask", [draw, speak, hear])
def test_a_price_for_each_request_is_held_and_charged(sdk, mock, ask):
    home = home_of(mock, price=PER_REQUEST, budgets=books.HARD)
    assert ask(sdk, home)
    (hold,) = books.holds(home).values()
    assert books.posted(home) == books.micros(hold.bound_pico) == 40_000


@pytest.mark.parametrize(("fields", "param"), [({"n": 2}, "n"), ({"quality": "hd"}, "quality")])
def test_a_price_for_each_request_is_for_one_image_as_it_is(sdk, mock, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        draw(sdk, home_of(mock, price=PER_REQUEST, budgets=books.HARD), **fields)
    assert caught.value.param == param


def test_what_changes_a_price_does_not_matter_where_it_is_nothing(sdk, mock):
    home = home_of(mock, price=FREE, budgets=books.HARD)
    assert draw(sdk, home, size="1024x1024", quality="high").data


@pytest.mark.parametrize("ask", [draw, speak, hear])
def test_what_no_provider_of_the_model_serves_is_refused(sdk, mock, ask):
    at = estate.provider(mock.base_url, dialect="anthropic")
    with pytest.raises(openai.BadRequestError) as caught:
        ask(sdk, estate.estate(estate.route((at, "mock"))))
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("ask", "fields", "param"),
    [
        (draw, {"stream": True, "partial_images": 1}, "partial_images"),
        (draw, {"n": 11}, "n"),
        (speak, {"stream_format": "sse"}, "stream_format"),
        (hear, {"stream": True, "response_format": "srt"}, "response_format"),
        (hear, {"response_format": "xml"}, "response_format"),
    ],
)
def test_what_is_not_done_is_refused_by_name(sdk, mock, ask, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(sdk, home_of(mock), **fields)
    assert caught.value.param == param


@pytest.mark.parametrize("kind", ["opus", "wav"])
def test_sound_is_passed_on_as_what_it_is(sdk, mock, kind):
    home = home_of(mock, MASK_REQUESTS)
    before = len(mock.books())
    found = speak(sdk, home, f"I am {MAIL}.", response_format=kind)
    assert found.content == mock_media.SOUND * 1000
    assert found.response.headers["content-type"] == f"audio/{kind}"
    assert found.response.headers["x-gatehouse-model"] == home.model
    (entry,) = mock.books()[before:]
    assert entry["body"]["input"] == "I am <EMAIL_ADDRESS>."
    assert books.record(home, "completed").body["digest"]


@pytest.mark.parametrize("told", ["text/html", "audio/x; q=1\t", "audio/" + "a" * 50, ""])
def test_what_calls_itself_no_sound_is_bytes(sdk, told):
    with Scripted(b"<b>sound</b>", headers={"content-type": told}) as provider:
        found = speak(sdk, house(estate.OPEN, (provider.base_url, "m")))
    assert found.content == b"<b>sound</b>"
    expected = "audio/x" if told.startswith("audio/x") else "application/octet-stream"
    assert found.response.headers["content-type"] == expected


def test_sound_costs_its_bound_where_no_usage_is_told(sdk, mock):
    home = home_of(mock, budgets=SOFT)
    speak(sdk, home)
    (hold,) = books.holds(home).values()
    assert books.micros(hold.posted_pico) == books.micros(hold.bound_pico) > 0


def test_a_transcription_and_what_the_provider_hears(sdk, mock):
    home = home_of(mock, MASK_REQUESTS, budgets=SOFT)
    before = len(mock.books())
    found = hear(
        sdk,
        home,
        prompt=f"Names: {MAIL}.",
        language="en",
        temperature=0.5,
        timestamp_granularities=["word", "segment"],
    )
    assert found.text == "Names: <EMAIL_ADDRESS>."
    (entry,) = mock.books()[before:]
    assert entry["body"] == {
        "model": "mock",
        "prompt": "Names: <EMAIL_ADDRESS>.",
        "language": "en",
        "temperature": "0.5",
        "timestamp_granularities[]": ["word", "segment"],
        "file": {"filename": "said.mp3", "content_type": "audio/mpeg", "bytes": len(SOUND[1])},
    }
    (hold,) = books.holds(home).values()
    assert books.micros(hold.posted_pico) == books.billed(entry) == 30
    facts = books.record(home, "admitted").body["facts"]
    assert (facts["call.audio"], facts["uninspected.kinds"]) == (1, ["audio"])


@pytest.mark.parametrize("form", ["json", "verbose_json", "text", "srt", "vtt"])
def test_a_transcription_is_masked_in_whichever_form_it_comes(sdk, mock, form):
    said = f"Write to {MAIL} today."
    found = hear(sdk, home_of(mock, MASK_ANSWERS), prompt=said, response_format=form)
    shown = found if isinstance(found, str) else found.to_json()
    assert "<EMAIL_ADDRESS>" in shown
    assert not leaks(shown)
    if form == "verbose_json":
        assert [word.word for word in found.words][2] == "<EMAIL_ADDRESS>"


def test_a_transcription_that_is_forbidden_is_not_shown(sdk, mock):
    with pytest.raises(openai.PermissionDeniedError) as caught:
        hear(sdk, home_of(mock, DENY_ANSWERS), prompt=MAIL, response_format="text")
    assert not leaks(str(caught.value))


def test_the_azure_client_hears_too(gateway, mock):
    home = home_of(mock)
    with openai.AzureOpenAI(
        azure_endpoint=gateway.base_url, api_key=home.secret, api_version="2024-10-21"
    ) as client:
        found = client.audio.transcriptions.create(model=home.model, file=SOUND, prompt="Hi")
        assert found.text == "Hi"
        assert client.images.generate(model=home.model, prompt="A bird.").data
        assert client.audio.speech.create(model=home.model, input="Hi", voice="alloy").content


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"json": {"model": "m"}}, 415),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 415),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400),
        ({"data": {"model": "m"}, "files": {"image": SOUND}}, 400),
        ({"data": {"model": "m"}, "files": [("file", SOUND), ("file", SOUND)]}, 400),
        ({"data": {"model": b"\xff"}, "files": {"file": SOUND}}, 400),
        ({"data": {"model": "m", "prompt": "x" * 65_537}, "files": {"file": SOUND}}, 400),
        ({"data": {f"f{n}": "x" for n in range(65)}, "files": {"file": SOUND}}, 400),
    ],
)
def test_what_is_no_plain_form_is_refused(gateway, mock, content, status):
    with gateway.client(home_of(mock).secret) as client:
        answer = client.post("/v1/audio/transcriptions", **content)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] in ("invalid_request", "unsupported_media_type")


def test_a_form_is_taken_where_one_is_wanted_alone(gateway, mock):
    with gateway.client(home_of(mock).secret) as client:
        answer = client.post("/v1/images/generations", data={"model": "m"}, files={"file": SOUND})
    assert answer.status_code == 415


def test_a_stream_of_a_picture_is_one_event_with_all_of_it(sdk, mock):
    home = home_of(mock, price=FREE, budgets=books.HARD)
    (event,) = draw(sdk, home, stream=True)
    assert event.type == "image_generation.completed"
    assert event.b64_json == mock_media.PIXEL
    assert event.usage.output_tokens == 1000
    (entry,) = books.entries(mock, home)
    assert "stream" not in entry["body"]


@pytest.mark.parametrize("policy", [estate.OPEN, MASK_ANSWERS], ids=["open", "masked"])
def test_a_stream_of_a_transcription_is_judged_whole(sdk, mock, policy):
    home = home_of(mock, policy, price=FREE, budgets=books.HARD)
    *_, delta, done = hear(sdk, home, stream=True, prompt=f"Write to {MAIL}.")
    assert (delta.type, done.type) == ("transcript.text.delta", "transcript.text.done")
    assert delta.delta == done.text
    assert (MAIL in done.text) == (policy == estate.OPEN)
    assert done.usage.output_tokens == 5
    (entry,) = books.entries(mock, home)
    assert "stream" not in entry["body"]


def test_a_stream_of_a_transcription_that_is_forbidden_is_an_error(sdk, mock):
    with pytest.raises(openai.PermissionDeniedError):
        hear(sdk, home_of(mock, DENY_ANSWERS), stream=True, prompt=f"Write to {MAIL}.")
