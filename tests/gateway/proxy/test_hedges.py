"""A second attempt beside a silent first: its own hold, its own record, one answer."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenants.services.keys import virtual_key_revoke
from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ={"GATEHOUSE_UPSTREAM_FIRST_BYTE_S": "4"}) as gateway:
        yield gateway


def hedged(mock, *models, after_ms=150, **plan):
    return books.served(*((mock.base_url, model) for model in models), hedge_after_ms=after_ms)


def closed(house):
    """Return the completions by attempt, once there is one for each admission."""
    count = len(books.holds(house))
    eventually(lambda: len(books.records(house, "completed")) == count)
    return {record.attempt: record for record in books.records(house, "completed")}


@pytest.mark.parametrize("stream", [False, True])
def test_case_05_a_hedge_is_an_attempt_with_its_own_hold(gateway, mock, stream):
    house = hedged(mock, "mock-latency-3000", "mock-tokens-3")
    began_s = time.monotonic()
    answer = gateway.chat(house.secret, house.model, stream=stream, max_tokens=9)
    assert time.monotonic() - began_s < 2.5
    assert answer.status_code == 200
    assert "word2" in answer.text
    beaten, winner = books.holds(house).values()
    assert beaten.posted_pico == beaten.bound_pico  # it was sent: nobody can prove it unbilled
    (entry,) = [one for one in books.entries(mock, house) if one["model"] == "mock-tokens-3"]
    assert books.micros(winner.posted_pico) == books.billed(entry)
    ends = closed(house)
    assert (ends[1].code, ends[1].body["finish"], ends[1].body["charge"]) == (
        "",
        "hedge_lost",
        "bound",
    )
    assert (ends[2].code, ends[2].body["charge"]) == ("", "usage")
    assert books.posted(house) == sum(
        books.micros(hold.posted_pico) for hold in books.holds(house).values()
    )
    cut = [one for one in books.entries(mock, house) if one["model"] == "mock-latency-3000"]
    assert eventually(lambda: cut and books.entries(mock, house)[0]["cut_off"])


def test_a_first_that_answers_in_time_is_alone(gateway, mock):
    house = hedged(mock, "mock-tokens-3", "mock", after_ms=2000)
    assert gateway.chat(house.secret, house.model).status_code == 200
    assert len(books.holds(house)) == 1


def test_the_first_may_win_after_all(gateway, mock):
    house = hedged(mock, "mock-latency-700-tokens-3", "mock-latency-3500")
    answer = gateway.chat(house.secret, house.model, max_tokens=9)
    assert "word2" in answer.text
    ends = closed(house)
    assert [ends[number].body["charge"] for number in (1, 2)] == ["usage", "bound"]
    assert ends[2].body["finish"] == "hedge_lost"
    assert ends[2].code == ""  # the call was answered, and its highest attempt says so


def test_a_first_that_fails_leaves_the_call_to_the_second(gateway, mock):
    model = estate.name("late")
    mock.behave(model, mode="reset", latency=600)
    house = hedged(mock, model, "mock-latency-1200-tokens-3")
    answer = gateway.chat(house.secret, house.model, max_tokens=9)
    assert answer.status_code == 200
    ends = closed(house)
    assert [ends[number].code for number in (1, 2)] == ["upstream_error", ""]


def test_where_both_fail_the_failure_is_told(gateway, mock):
    models = [estate.name("late") for _ in range(2)]
    for model in models:
        mock.behave(model, status=500, mode="answer")
    slow = estate.name("slow")
    mock.behave(slow, mode="reset", latency=600)
    house = hedged(mock, slow, models[0])
    answer = gateway.chat(house.secret, house.model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
    assert {end.code for end in closed(house).values()} == {"upstream_error"}


def test_without_budget_for_a_second_the_first_goes_on(gateway, mock):
    at = estate.provider(mock.base_url)
    route = estate.route(
        (at, "mock-latency-600-tokens-3"), (at, "mock"), price=("USD", "1", "2"),
        hedge_after_ms=100,
    )  # fmt: skip
    house = estate.estate(route, budgets=[{"limit_micros": 400}])
    answer = gateway.chat(house.secret, house.model, max_tokens=20)
    assert answer.status_code == 200
    assert len(books.holds(house)) == 1


def test_who_hangs_up_on_two_attempts_pays_for_both(gateway, mock):
    """The stream is read to its end for the one; the other was beaten."""
    house = hedged(mock, "mock-latency-3000", "mock-pace-50-tokens-20")
    with gateway.client(house.secret) as client:
        body = {
            "model": house.model,
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": True,
            "max_tokens": 20,
        }
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_bytes())
    ends = closed(house)
    assert [ends[number].body["charge"] for number in (1, 2)] == ["bound", "usage"]


def test_case_18_a_revoked_key_ends_both_attempts(gateway, mock):
    house = hedged(mock, "mock-hang", "mock-latency-3800")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(gateway.chat, house.secret, house.model)
        eventually(lambda: len(books.records(house, "admitted")) == 2)
        virtual_key_revoke(actor=estate.ACTOR, key=house.key)
        answer = call.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "key_revoked")
    assert {hold.posted_pico == hold.bound_pico for hold in books.holds(house).values()} == {True}
    assert {end.code for end in closed(house).values()} == {"key_revoked"}
