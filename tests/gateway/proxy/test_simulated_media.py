"""Every endpoint tried with the official client on the simulated provider, under a hard budget."""

import base64

import pytest

from tests import books, estate
from tests.openai_client import Client
from tests.stack import Gateway

PER_REQUEST = ("USD", "0", "0", 10_000)


@pytest.fixture(scope="module")
def sdk(db):
    with Gateway() as gateway:
        yield Client("sync", gateway)


@pytest.fixture
def house(db):
    route = estate.route((estate.simulated(), "simulated"), price=PER_REQUEST)
    return estate.estate(route, budgets=list(books.HARD))


def paid(house):
    books.holds(house)
    return books.posted(house)


def test_a_picture(sdk, house):
    found = sdk.do(house.secret, lambda c: c.images.generate(model=house.model, prompt="A bird."))
    assert base64.b64decode(found.data[0].b64_json).startswith(b"\x89PNG")
    assert paid(house) == 10_000


def test_speech_that_is_heard_again(sdk, house):
    spoken = sdk.do(
        house.secret,
        lambda c: c.audio.speech.create(model=house.model, input="Hello there.", voice="alloy"),
    )
    assert spoken.response.headers["content-type"] == "audio/wav"
    assert spoken.content.startswith(b"RIFF")
    file = ("said.wav", spoken.content)
    heard = sdk.do(
        house.secret, lambda c: c.audio.transcriptions.create(model=house.model, file=file)
    )
    assert heard.text == f"This is said.wav, a recording of {len(spoken.content)} bytes."
    assert paid(house) == 20_000


def test_a_moderation(sdk, house):
    found = sdk.do(
        house.secret, lambda c: c.moderations.create(model=house.model, input=["hi", "violence"])
    )
    assert [one.flagged for one in found.results] == [False, True]
    assert paid(house) == 10_000
