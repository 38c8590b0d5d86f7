"""Each fault of a provider, as a whole answer and as a stream, alone, with somebody else to answer,
with retries, often enough that the deployment is left alone, and where answers are kept.
`faults.py` says what happens."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import books, estate
from tests.caching import asked, house, how, stored
from tests.gateway.proxy.faults import FAULTS, page
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually

ENVIRON = {
    "GATEHOUSE_UPSTREAM_CONNECT_S": "1",
    "GATEHOUSE_UPSTREAM_FIRST_BYTE_S": "0.5",
    "GATEHOUSE_UPSTREAM_IDLE_S": "0.5",
    "GATEHOUSE_UPSTREAM_TOTAL_S": "10",
}
STALE = [
    fault
    for fault in FAULTS
    if fault.name in ("429 retry_after", "500", "reset", "garbage")
    and fault.behaviour.get("retry_after") != 1  # its credential rests, which is another matter
]
"""The faults after which old answers are tried: of one kind each."""

cases = [
    pytest.param(fault, stream, id=f"{fault.name}-{'stream' if stream else 'json'}")
    for fault in FAULTS
    for stream in (False, True)
]
every_case = pytest.mark.parametrize(("fault", "stream"), cases)


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ=ENVIRON) as gateway:
        yield gateway


def nobody():
    """Return a base URL at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def spoilt(mock, fault, times=0):
    """Return a deployment with a fault, which it shows so many times, 0 for ever."""
    if fault.name == "refused":
        return nobody(), "mock"
    model = estate.name("spoilt")
    mock.behave(model, **fault.behaviour, times=times)
    return mock.base_url, model


def heard(answer):
    """Return status and code of an answer, or of the error that ends a stream."""
    if answer.status_code != 200 or not answer.headers["content-type"].startswith("text/event"):
        document = answer.json()
        return answer.status_code, document.get("error", {}).get("code")
    assert answer.text.rstrip().endswith("data: [DONE]")
    events = [line for line in answer.text.splitlines() if line.startswith("data: {")]
    return 200, json.loads(events[-1].removeprefix("data: ")).get("error", {}).get("code")


def settled(house):
    """Return the holds in order; each is settled once, and every attempt has its two records."""
    holds = books.holds(house)
    assert {hold.state for hold in holds.values()} == {"settled"}
    assert books.posted(house) == sum(books.micros(hold.posted_pico) for hold in holds.values())
    kinds = [
        (f"{record.call_id}-{record.attempt}", record.kind)
        for record in books.records(house)
        if record.kind != "refused"  # before any attempt
    ]
    wanted = [(name, kind) for name in holds for kind in ("admitted", "completed")]
    assert sorted(kinds) == sorted(wanted)
    return list(holds.values())


def charged(hold):
    return {0: "nothing", hold.bound_pico: "bound"}.get(hold.posted_pico, "usage")


@every_case
def test_alone(gateway, mock, fault, stream):
    house = books.served(spoilt(mock, fault))
    answer = gateway.chat(house.secret, house.model, stream=stream, max_tokens=20)
    expected = fault.heard_streaming if stream else fault.heard
    assert heard(answer) == expected
    (hold,) = settled(house)
    assert charged(hold) == fault.charged
    completed = books.record(house, "completed")
    assert completed.code == expected[1]
    if expected[0] != 200:
        assert completed.body["status"] == expected[0]


@every_case
def test_failover(gateway, mock, fault, stream):
    house = books.served(spoilt(mock, fault), (mock.base_url, "mock-tokens-3"))
    answer = gateway.chat(house.secret, house.model, stream=stream, max_tokens=20)
    holds = settled(house)
    assert charged(holds[0]) == fault.charged
    if fault.goes_elsewhere(stream=stream):
        assert heard(answer) == (200, None)
        assert "word2" in answer.text
        assert [charged(hold) for hold in holds[1:]] == ["usage"]
    else:
        assert heard(answer) == (fault.heard_streaming if stream else fault.heard)
        assert len(holds) == 1


@every_case
def test_retry(gateway, mock, fault, stream):
    house = books.served(spoilt(mock, fault, times=1), retries=2)
    answer = gateway.chat(house.secret, house.model, stream=stream, max_tokens=20)
    holds = settled(house)
    assert charged(holds[0]) == fault.charged
    if not fault.again:
        assert heard(answer) == (fault.heard_streaming if stream else fault.heard)
        assert len(holds) == 1
    elif fault.name == "refused":  # it is refused every time
        assert heard(answer) == fault.heard
        assert [charged(hold) for hold in holds] == ["nothing"] * 3
    else:
        assert heard(answer) == (200, None)
        assert [charged(hold) for hold in holds[1:]] == ["usage"]


@every_case
def test_breaker(gateway, mock, fault, stream):
    """After five failures nobody is sent there; what does not count is asked as ever."""
    house = books.served(spoilt(mock, fault))

    def call(_):
        return gateway.chat(house.secret, house.model, stream=stream, max_tokens=20)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(call, range(5)))
    answer = call(None)
    if fault.counts:
        assert heard(answer) == (503, "upstream_unavailable")
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert len(books.holds(house)) == 5
        assert books.record(house, "refused").code == "upstream_unavailable"
    else:
        assert heard(answer) == (fault.heard_streaming if stream else fault.heard)


@every_case
def test_cache(gateway, mock, fault, stream):
    """Nothing of a fault is kept; the next good answer is, and then nobody is asked."""
    goes_on = fault.goes_elsewhere(stream=stream)
    at, model = spoilt(mock, fault, times=0 if goes_on else 1)
    others = [(mock.base_url, "mock-tokens-3")] if goes_on else []
    home = books.served((at, model), *others, takes_kept=True, cache_ttl_s=3600)

    def call():
        return gateway.chat(home.secret, home.model, stream=stream, max_tokens=20)

    if not goes_on:
        assert heard(call()) == (fault.heard_streaming if stream else fault.heard)
        settled(home)
        assert not stored(home)
    good = call()
    assert (how(good), heard(good)) == ("miss", (200, None))
    spent, before = settled(home), asked(mock, home)
    hit = call()
    assert (how(hit), hit.text) == ("hit", good.text)
    assert asked(mock, home) == before
    assert len(stored(home)) == 1
    assert [hold.posted_pico for hold in settled(home)[len(spent) :]] == [0]


@pytest.mark.parametrize("fault", STALE, ids=lambda fault: fault.name)
def test_an_old_answer_is_given_only_while_the_deployment_is_left_alone(gateway, mock, fault):
    model = estate.name("spoilt")
    home = house(mock.base_url, model, cache_ttl_s=1, cache_stale_s=600)

    def call(_=None):
        return gateway.chat(home.secret, home.model, max_tokens=20)

    good = call()
    assert how(good) == "miss"
    eventually(lambda: how(call()) == "miss")  # its time is over; it is kept anew
    mock.behave(model, **fault.behaviour)
    eventually(lambda: heard(call()) == fault.heard)  # a fault alone does not bring it up
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(4)))
    before = asked(mock, home)
    last = call()
    if fault.counts:
        assert (how(last), last.json()) == ("hit", good.json())
        assert int(last.headers["age"]) >= 1
        assert asked(mock, home) == before
    else:
        assert heard(last) == fault.heard
    settled(home)


def test_the_page_says_what_is_tested():
    assert Path("docs/faults.md").read_text() == page()
