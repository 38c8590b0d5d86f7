"""What providers do differently, and is no fault: each as often as would open a circuit, with
retries and somebody else to go to, which nobody needs. `faults.py` says what is paid."""

import pytest

from tests import books, estate
from tests.gateway.proxy.faults import MANNERS
from tests.gateway.proxy.test_faults import charged, heard
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway

CALLS = 6
"""One more than the failures that open a circuit."""

cases = [
    pytest.param(manner, stream, id=f"{manner.name}-{'stream' if stream else 'json'}")
    for manner in MANNERS
    for stream in (False, True)
    if stream or not manner.only_streams
]


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.mark.parametrize(("manner", "stream"), cases)
def test_it_is_served_and_paid_once_and_nobody_else_is_asked(gateway, mock, manner, stream):
    model = estate.name("odd")
    mock.behave(model, tokens=3, **manner.behaviour)
    house = books.served((mock.base_url, model), (mock.base_url, "mock-tokens-1"), retries=2)
    for _ in range(CALLS):
        answer = gateway.chat(house.secret, house.model, stream=stream, max_tokens=20)
        assert heard(answer) == (200, None)
        assert "word2" in answer.text
    holds = list(books.holds(house).values())
    assert [charged(hold) for hold in holds] == [manner.charged] * CALLS
    assert books.posted(house) == sum(books.micros(hold.posted_pico) for hold in holds)
    kinds = [(record.attempt, record.kind) for record in books.records(house)]
    assert kinds == [(1, "admitted"), (1, "completed")] * CALLS
    entries = books.entries(mock, house)
    assert [entry["model"] for entry in entries] == [model] * CALLS
    if manner.charged == "usage":
        assert books.posted(house) == sum(books.billed(entry) for entry in entries)
