"""More than can be carried: who is let in is served, the rest hears so at once, nobody starves."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from gateway.models import Deployment, Route
from gateway.services.routes import deployment_update, route_update
from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually

HELLO = [{"role": "user", "content": "Hello"}]
TIGHT = {
    "GATEHOUSE_MAX_IN_FLIGHT": "12",
    "GATEHOUSE_PROVIDER_IN_FLIGHT": "4",
    "GATEHOUSE_QUEUE": "3",
    "GATEHOUSE_QUEUE_S": "0.4",
}


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def tight(db):
    with Gateway(environ=TIGHT) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def many(gateway, house, count, **fields):
    """Make so many calls at the same moment; return the answers."""
    together = threading.Barrier(count)

    def call(_):
        with gateway.client(house.secret) as client:
            client.get("/livez")  # the connection is there
            together.wait()
            body = {"model": house.model, "messages": HELLO, **fields}
            return client.post("/v1/chat/completions", json=body)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_what_is_beyond_bound_and_queue_is_refused_at_once(tight, mock):
    """One provider may have 4; 8 more are in and wait for it, 3 before the door; the rest goes."""
    house = books.served((mock.base_url, "mock-latency-2500"))
    answers = many(tight, house, 40)
    good = [one for one in answers if one.status_code == 200]
    refused = [one for one in answers if one.status_code != 200]
    assert len(good) == 4
    assert {(one.status_code, one.json()["error"]["code"]) for one in refused} == {
        (503, "overloaded")
    }
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert max(one.elapsed.total_seconds() for one in refused) < 2.4
    assert len(books.holds(house)) == 4  # who is refused holds nothing
    with tight.client() as client:
        metrics = client.get("/metrics").text
    assert 'gatehouse_shed_total{where="worker"}' in metrics
    assert 'gatehouse_shed_total{where="provider"}' in metrics
    assert tight.chat(house.secret, house.model).status_code == 200  # every slot is free again


def test_one_slow_provider_does_not_starve_the_others(tight, mock):
    slow = books.served((mock.base_url, "mock-latency-2500"))
    quick = books.served((mock.base_url, "mock-tokens-3"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(many, tight, slow, 8)
        eventually(lambda: len(books.records(slow, "admitted")) >= 4)
        for _ in range(5):
            answer = tight.chat(quick.secret, quick.model)
            assert answer.status_code == 200
            assert answer.elapsed.total_seconds() < 2
        assert sum(one.status_code == 200 for one in waiting.result()) == 4


def test_who_would_wait_for_one_provider_goes_to_another(tight, mock):
    """Mid-queue another is tried; mid-answer nobody is."""
    first, second = estate.provider(mock.base_url), estate.provider(mock.base_url)
    route = estate.route((first, "mock-latency-1500"), (second, "mock-tokens-3"), price=books.PRICE)
    house = estate.estate(route, budgets=list(books.HARD))
    answers = many(tight, house, 8)
    assert [one.status_code for one in answers] == [200] * 8
    models = sorted(entry["model"] for entry in books.entries(mock, house))
    assert models == ["mock-latency-1500"] * 4 + ["mock-tokens-3"] * 4


def resident_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def test_a_slow_reader_fills_no_memory(gateway, mock):
    """24 MB are on their way to somebody who does not read: they stay with the provider."""
    model = estate.name("long")
    mock.behave(model, content=("x" * 8000 + " ") * 3000)
    house = books.served((mock.base_url, model))
    gateway.chat(house.secret, house.model, max_tokens=5)
    body = orjson.dumps(
        {"model": house.model, "messages": HELLO, "stream": True, "max_tokens": 4000}
    )
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.secret}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    before_mb = resident_mb(gateway.workers[0].pid)
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(head.encode() + body)
        first = client.recv(1024)
        assert b" 200 " in first
        time.sleep(1.5)  # nothing that could be seen happens while nobody reads
        assert resident_mb(gateway.workers[0].pid) - before_mb < 8
        assert not mock.books()[-1]["finished"]
        got = len(first)
        while piece := client.recv(1 << 20):
            got += len(piece)
            if piece.endswith(b"0\r\n\r\n"):
                break
    assert got > 24_000_000
    assert books.records(house, "completed")
    assert len(books.holds(house)) == 2


def test_a_new_bundle_drops_no_call(gateway, mock):
    house = books.served((mock.base_url, "mock-latency-20-tokens-3"))
    route, stop, answers = Route.objects.get(name=house.model), threading.Event(), []

    def call():
        with gateway.client(house.secret) as client:
            while not stop.is_set():
                body = {"model": house.model, "messages": HELLO, "stream": len(answers) % 2 == 0}
                answer = client.post("/v1/chat/completions", json=body)
                answers.append((answer.status_code, "word2" in answer.text))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for number in range(8):
        route_update(actor=estate.ACTOR, route=route, max_output_tokens=1000 + number)
        house.publish()
        enough = len(answers) + 12
        eventually(lambda enough=enough: len(answers) >= enough)
    stop.set()
    for caller in callers:
        caller.join()
    assert set(answers) == {(200, True)}
    assert len(answers) > 90


# How long a deployment may take


def timed(mock, model, **timeouts):
    house = books.served((mock.base_url, model))
    (row,) = Deployment.objects.filter(route__name=house.model)
    deployment_update(actor=estate.ACTOR, deployment=row, **timeouts)
    house.publish()
    return house


@pytest.mark.parametrize(
    ("model", "timeouts", "stream"),
    [
        ("mock-hang", {"first_byte_s": 1}, False),
        ("mock-stall", {"idle_s": 1}, True),
        ("mock-stall", {"idle_s": 1}, False),
        ("mock-pace-100-tokens-200", {"total_s": 1}, True),
        ("mock-latency-5000", {"total_s": 1}, False),
    ],
)
def test_a_deployment_may_have_a_time_of_its_own(gateway, mock, model, timeouts, stream):
    house = timed(mock, model, **timeouts)
    answer = gateway.chat(house.secret, house.model, stream=stream, max_tokens=200)
    assert '"code":"upstream_timeout"' in answer.text
    assert 0.9 < answer.elapsed.total_seconds() < 3
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico
