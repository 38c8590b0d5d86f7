"""A deployment that keeps failing is left alone by every worker, until it is well again."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from gateway import circuits as shown
from gateway.models import Deployment, Provider
from gateway.proxy.errors import UpstreamFailed
from gateway.proxy.gate import Gate
from gateway.proxy.keyring import NONE, Keyring
from gateway.proxy.probes import Probes
from gateway.proxy.sharing import Sharing
from gateway.proxy.stations import Stations
from gateway.proxy.store import circuits
from gateway.proxy.store.circuits import Opened
from gateway.proxy.store.connection import Connection
from gateway.routing import circuit
from tests import books, estate
from tests.gateway.routing.test_order import deployment
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually

URL = settings.GATEHOUSE.redis_url


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(workers=2) as gateway:
        yield gateway


def code(answer):
    return answer.status_code, answer.json().get("error", {}).get("code")


def stations(clock=time.time):
    return Stations(clock, Keyring(clock), lambda: Gate(9, 9, 1, lambda: None))


def broken(mock, **plan):
    """Make a house whose one deployment fails until the mock is told otherwise."""
    model = estate.name("spoilt")
    mock.behave(model, status=500)
    return model, books.served((mock.base_url, model), **plan)


def opened(gateway, house):
    """Fail often enough that a circuit opens in some worker."""
    for _ in range(40):
        answer = gateway.chat(house.secret, house.model)
        if answer.status_code == 503:
            return answer
    raise AssertionError("no circuit opened")


def refused_by_both(gateway, house):
    """Each call has a connection of its own, so that either worker has its turn."""
    answers = {gateway.chat(house.secret, house.model).status_code for _ in range(5)}
    return answers == {503}


def test_every_worker_leaves_it_alone_within_a_second_and_it_is_seen(gateway, mock):
    model, house = broken(mock)
    answer = opened(gateway, house)
    assert "has been failing" in answer.json()["error"]["message"]
    time_s = time.monotonic()

    eventually(lambda: refused_by_both(gateway, house), 2.0)
    assert time.monotonic() - time_s < 2.5
    (row,) = Deployment.objects.filter(route__name=house.model)
    (state,) = shown.circuits_of([row], timezone.now())
    assert (state.state, state.why) == ("open", "calls to it were failing")
    metrics = httpx.get(f"{gateway.base_url}/metrics").text
    assert f'model="{model}"' in metrics
    mock.behave(model)

    def well():
        """Half open after 5 s: two calls of one worker that succeed close it for both."""
        answer = gateway.chat(house.secret, house.model)
        return answer.status_code == 200 and str(row.id) not in circuits.seen(URL, time.time())

    eventually(well, 15.0)


def test_the_others_answer_meanwhile(gateway, mock):
    model = estate.name("spoilt")
    mock.behave(model, status=500)
    house = books.served((mock.base_url, model), (mock.base_url, "mock"))
    for _ in range(12):
        assert gateway.chat(house.secret, house.model).status_code == 200
    failures = [one for one in mock.books() if one["model"] == model]
    assert 5 <= len(failures) <= 10  # five in each worker at the most


def test_one_call_of_all_workers_is_the_probe(gateway, mock):
    model, house = broken(mock)
    opened(gateway, house)
    # Five calls may all have been one worker's: the other has heard of it by the end of a second.
    opened_s = time.monotonic()
    eventually(lambda: refused_by_both(gateway, house) and time.monotonic() - opened_s > 1.5, 30.0)
    mock.behave(model, latency=3000)
    calls = len(mock.books())
    clients = [gateway.client(house.secret) for _ in range(8)]
    together = Barrier(len(clients))
    asked = {"model": house.model, "messages": [{"role": "user", "content": "Are you well?"}]}

    def one_of_them(client):
        """Wait for the others, lest the last begins when the probe has been answered."""
        together.wait(30)
        return client.post("/v1/chat/completions", json=asked)

    def probed():
        answers = [code(one) for one in pool.map(one_of_them, clients)]
        return [len(mock.books()) - calls, answers] if len(mock.books()) > calls else None

    with ThreadPoolExecutor(len(clients)) as pool:
        probes, answers = eventually(probed, 30)
    for client in clients:
        client.close()
    assert probes == 1
    assert sorted(answers) == [(200, None)] + [(503, "upstream_unavailable")] * 7


# Without a network


@pytest.fixture
def two(loop):
    """Two workers' permits, their connections kept up; and how Redis goes away."""
    connections = [Connection(URL, 1.0) for _ in range(2)]
    keeping = [loop.spawn(each.keep()) for each in connections]

    async def up():
        for each in connections:
            await asyncio.wait_for(each.up.wait(), 10)

    async def away():
        for task in keeping:
            task.cancel()
        await asyncio.wait(keeping)

    loop.run(up())
    return [Probes(each, f"w{at}") for at, each in enumerate(connections)], away


def half_open(name):
    station = stations().of(deployment(name))
    station.circuit = circuit.Circuit(until_s=1.0, trips=1)
    return station


def test_the_permit_is_one_for_all_and_only_its_owner_gives_it_back(loop, two):
    (one, other), away = two
    station = half_open(estate.name("d"))

    async def story():
        assert await one.permits(station)
        assert not await other.permits(station)
        other.over(station)  # which it had not
        assert not await other.permits(station)
        one.over(station)
        await asyncio.gather(*one._returning)
        assert await other.permits(station)
        other.over(station)
        await asyncio.gather(*other._returning)
        await away()
        assert await one.permits(station)  # Redis is away: each goes by its own circuit
        assert await other.permits(station)

    loop.run(story())


def test_who_is_well_needs_no_permit(loop, two):
    (one, other), _ = two
    station = stations().of(deployment(estate.name("d")))

    async def story():
        assert await one.permits(station)
        assert await other.permits(station)

    loop.run(story())


def test_a_permit_that_was_asked_for_in_vain_is_given_back(loop, two):
    (one, other), _ = two
    station = half_open(estate.name("d"))

    async def story():
        asking = asyncio.ensure_future(one.permits(station))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.gather(*one._returning)
        assert await other.permits(station)

    loop.run(story())


def test_shared_by_two_workers_and_local_without_redis(loop):
    one, other = stations(), stations()
    mine = deployment(estate.name("d"))

    async def fail(times):
        for _ in range(times):
            one.began(mine)
            failure = circuit_failure()
            one.ended(mine, NONE, failure, learned=True)

    async def story():
        connections = [Connection(URL, 1.0) for _ in range(2)]
        keeping = [asyncio.ensure_future(each.keep()) for each in connections]
        for each in connections:
            await asyncio.wait_for(each.up.wait(), 10)
        sharing = [Sharing(at, each) for at, each in zip((one, other), connections, strict=True)]
        running = [asyncio.ensure_future(each.keep()) for each in sharing]
        other.of(mine)
        try:
            await fail(5)
            assert one.refusal(mine, (NONE,)).code == "upstream_unavailable"
            await until(lambda: other.refusal(mine, (NONE,)) is not None)
            one.close(one.of(mine))
            one.changed(one.of(mine))
            await until(lambda: other.refusal(mine, (NONE,)) is None)
            for task in keeping:  # Redis is away: each goes by its own
                task.cancel()
            await asyncio.wait(keeping)
            await fail(5)
            assert one.refusal(mine, (NONE,)) is not None
            await asyncio.sleep(0)
            assert other.refusal(mine, (NONE,)) is None
        finally:
            for task in (*running, *keeping):
                task.cancel()
            await asyncio.wait((*running, *keeping))

    loop.run(story())


async def until(check):
    async with asyncio.timeout(2):
        while not check():
            await asyncio.sleep(0.01)


def circuit_failure():

    return UpstreamFailed("upstream_error", "it failed")


def test_what_is_stale_is_forgotten(loop):
    name = estate.name("d")
    circuits.mark(URL, {name: Opened(time.time() - circuits.STALE_S - 1, "calls")}, [])
    assert name not in circuits.seen(URL, time.time())

    async def look():
        connection = Connection(URL, 1.0)
        keeping = asyncio.ensure_future(connection.keep())
        await asyncio.wait_for(connection.up.wait(), 10)
        found = await circuits.look(connection, time.time())
        left = await connection.execute("HEXISTS", circuits.KEY, name)
        keeping.cancel()
        await asyncio.wait([keeping])
        return found, left

    found, left = loop.run(look())
    assert name not in found
    assert left == 0


def test_redis_away_is_told_as_not_known():
    nowhere = "redis://127.0.0.1:1/0"
    assert circuits.seen(nowhere, 0.0) is None
    assert circuits.mark(nowhere, {"d": Opened(1.0, "calls")}, ["e"]) is False


def test_a_call_that_was_ended_by_its_client_says_nothing_of_the_provider():
    at, mine = stations(), deployment("d")
    for _ in range(9):
        at.began(mine)
        at.ended(mine, NONE, circuit_failure(), learned=False)
    assert at.refusal(mine, (NONE,)) is None
    assert (at.of(mine).in_flight, at.of(mine).circuit) == (0, circuit.CLOSED)


# Health checks


def test_a_health_check_leaves_a_silent_provider_alone_and_finds_it_again(db, mock):
    at = estate.provider(mock.base_url)
    route = estate.route((at, "mock"))
    (row,) = Deployment.objects.filter(route=route)
    Provider.objects.filter(pk=at.pk).update(health_check=True)
    now = timezone.now()
    assert at.name not in shown.look_after(now)
    Provider.objects.filter(pk=at.pk).update(base_url="http://127.0.0.1:9/v1")
    assert at.name in shown.look_after(now)
    (state,) = shown.circuits_of([row], now)
    assert (state.state, state.why) == ("open", "it did not answer its health check")
    Provider.objects.filter(pk=at.pk).update(base_url=mock.base_url)
    assert at.name not in shown.look_after(now)
    assert str(row.id) not in circuits.seen(URL, time.time())
    opened_by_calls = {str(row.id): Opened(time.time() + 60, "calls")}
    circuits.mark(URL, opened_by_calls, [])
    shown.look_after(now)  # what failing calls have opened is for calls to close
    assert str(row.id) in circuits.seen(URL, time.time())
    circuits.mark(URL, {}, [str(row.id)])
    Provider.objects.filter(pk=at.pk).update(health_check=False)
