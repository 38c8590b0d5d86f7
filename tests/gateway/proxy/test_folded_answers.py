"""Answers that a provider folds although it was not asked to: read as any other, within bounds."""

import pytest

from tests import books
from tests.gateway.proxy.folding import FOLDED, header
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway

EVENTS = stream((0, {"content": "hi "}), (0, {"content": "there"}))
ERROR = b'{"error": {"message": "the model does not take images"}}'
every_coding = pytest.mark.parametrize("name", sorted(FOLDED))


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def folding(name, body, status=200):
    return Scripted(FOLDED[name](body), status, {"content-encoding": header(name)})


@every_coding
def test_a_whole_answer(gateway, name):
    with folding(name, completion({"content": "hi there"})) as provider:
        house = books.served((provider.base_url, "mock"))
        answer = gateway.chat(house.secret, house.model)
    assert answer.json()["choices"][0]["message"]["content"] == "hi there"
    assert books.record(house, "completed").body["charge"] == "usage"


@every_coding
def test_a_stream(gateway, name):
    with folding(name, EVENTS) as provider:
        house = books.served((provider.base_url, "mock"))
        answer = gateway.chat(house.secret, house.model, stream=True)
    assert '"content":"hi "' in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")
    assert books.record(house, "completed").body["charge"] == "usage"


@every_coding
def test_an_error(gateway, name):
    with folding(name, ERROR, 400) as provider:
        house = books.served((provider.base_url, "mock"))
        answer = gateway.chat(house.secret, house.model)
    assert answer.status_code == 400
    assert "does not take images" in answer.json()["error"]["message"]


@every_coding
@pytest.mark.parametrize("streams", [False, True])
def test_a_bomb(gateway, name, streams):
    """It unfolds to comments, which no limit for one event would find."""
    with folding(name, b": ping\n\n" * (3 << 20)) as provider:
        house = books.served((provider.base_url, "mock"))
        answer = gateway.chat(house.secret, house.model, stream=streams)
    assert "upstream_error" in answer.text
    assert "longer than an answer may be" in answer.text
    assert books.record(house, "completed").body["charge"] == "bound"
