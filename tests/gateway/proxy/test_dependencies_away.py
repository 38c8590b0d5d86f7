"""When Redis or PostgreSQL is away, slow or empty, each control does what the docs' table says, in
bounded time, and works again by itself. On servers of their own, which these tests stop."""

import concurrent.futures
import contextlib
import itertools
import os
import signal
import threading
import time

import psycopg
import pytest
import redis
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from gateway.config import load
from gateway.embedded import Servers
from tenants.services.keys import virtual_key_revoke
from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually

GRACE_S = 3.0
AT_ONCE_S = 1.0


class Apart:
    """A PostgreSQL and a Redis that can be taken away and come back where they were."""

    def __init__(self, data):
        self.servers = Servers(durable=False)
        self.endpoints = self.servers.start(load({"GATEHOUSE_DATA": str(data)}))
        self.later = itertools.count(0, 1000)  # they die more often than `revive` would bear

    @contextlib.contextmanager
    def away(self, name):
        """Stop a server for as long as the context lasts."""
        end = {"redis": signal.SIGTERM, "postgres": signal.SIGINT}[name]
        os.kill(self.servers.pids[name], end)
        try:
            yield
        finally:
            eventually(lambda: self.servers.revive(next(self.later)), 60)
            connections.close_all()  # Django's own were lost with the server

    def redis(self):
        return redis.Redis.from_url(self.endpoints.redis_url, decode_responses=True)


@pytest.fixture(scope="module")
def apart(db, tmp_path_factory):
    """The servers, and for as long as they last, Django's connections to them."""
    from django.core.management import call_command  # noqa: PLC0415  (needs the settings)

    apart = Apart(tmp_path_factory.mktemp("apart"))
    urls = {"default": apart.endpoints.database_url, "owner": apart.endpoints.database_owner_url}
    usual = {alias: dict(connections[alias].settings_dict) for alias in urls}
    connections.close_all()
    for alias, url in urls.items():
        parts = conninfo_to_dict(url)
        parts["name"] = parts.pop("dbname")
        connections[alias].settings_dict.update(
            {"OPTIONS": {}} | {name.upper(): str(value) for name, value in parts.items()}
        )
    call_command("migrate", verbosity=0)
    yield apart
    connections.close_all()
    for alias, settings in usual.items():
        connections[alias].settings_dict.update(settings)
    apart.servers.stop()


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


def start(apart, **settings):
    environ = {
        "DATABASE_URL": apart.endpoints.database_url,
        "DATABASE_OWNER_URL": apart.endpoints.database_owner_url,
        "REDIS_URL": apart.endpoints.redis_url,
        "GATEHOUSE_AUTH_GRACE_S": str(GRACE_S),
        "GATEHOUSE_REDIS_TIMEOUT_MS": "50",
        **settings,
    }
    return Gateway(environ=environ)


@pytest.fixture(scope="module")
def gateway(apart):
    """A worker that knows of another one beside it: its share of a limit is a half."""
    with start(apart, WEB_WORKERS="2") as gateway:
        yield gateway


def house(mock, model="mock-tokens-3", **terms):
    route = estate.route((estate.provider(mock.base_url), model), price=books.PRICE)
    return estate.estate(route, **terms)


HARD = [{"limit_micros": 10_000_000}]
SOFT = [{"limit_micros": 1, "mode": "soft"}]


def ask(gateway, home, **fields):
    """Ask once; return the status, the error's code or "ok", and how long it took."""
    began = time.monotonic()
    answer = gateway.chat(home.secret, home.model, **fields)
    took_s = time.monotonic() - began
    code = answer.json()["error"]["code"] if answer.status_code >= 400 else "ok"
    if answer.status_code == 503 or code == "rate_limit_exceeded":
        assert int(answer.headers["retry-after"]) >= 1
    return answer.status_code, code, took_s


def code(gateway, home, **fields):
    return ask(gateway, home, **fields)[1]


def ready(gateway):
    """Return the status of /readyz, and the names of the checks that fail."""
    with gateway.client() as client:
        answer = client.get("/readyz")
    checks = answer.json()["checks"]
    assert set(checks) == {"database", "migrations", "redis", "keys"}
    return answer.status_code, sorted(name for name, check in checks.items() if not check["ok"])


def metric(gateway, name):
    with gateway.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def counted(apart, home):
    """Return what Redis has as posted and held of a tenant's budgets."""
    with apart.redis() as client:
        found = [client.hgetall(key) for key in client.keys(f"gh:{{{home.tenant.id}}}:b:*")]
    return tuple(
        sum(int(value) for each in found for name, value in each.items() if name.startswith(kind))
        for kind in ("p:", "h:")
    )


# Redis


def test_redis_away_and_back(apart, gateway, mock):
    hard, soft, free = house(mock, budgets=HARD), house(mock, budgets=SOFT), house(mock)
    limited = house(mock, limits=[{"kind": "requests", "amount": 5, "per": "minute", "burst": 5}])
    for home in (hard, soft, free, limited):
        assert code(gateway, home) == "ok"
    eventually(lambda: books.settled(hard))
    spent = books.posted(hard)
    before = metric(gateway, "gatehouse_local_limits_total")
    with apart.away("redis"):
        eventually(lambda: code(gateway, hard) != "ok")
        reached = len(mock.books())
        status, refusal, took_s = ask(gateway, hard)
        assert (status, refusal) == (503, "budget_unavailable")
        assert took_s < AT_ONCE_S
        assert len(mock.books()) == reached
        for home in (soft, free):
            assert code(gateway, home) == "ok"
        found = [code(gateway, limited) for _ in range(4)]
        assert found == ["ok", "ok", "rate_limit_exceeded", "rate_limit_exceeded"]
        assert metric(gateway, "gatehouse_local_limits_total") >= before + 4
        assert eventually(lambda: ready(gateway) == (503, ["redis"]))
    eventually(lambda: code(gateway, hard) == "ok")
    assert eventually(lambda: ready(gateway) == (200, []))
    eventually(lambda: books.settled(hard))
    assert books.posted(hard) > spent
    eventually(lambda: counted(apart, hard) == (books.posted(hard), 0))


def test_case_6_a_redis_that_came_back_empty_is_written_anew(apart, gateway, mock):
    home = house(mock, budgets=HARD)
    assert code(gateway, home) == "ok"
    eventually(lambda: books.settled(home))
    with apart.redis() as client:
        client.flushall()
    assert counted(apart, home) == (0, 0)
    assert code(gateway, home) == "ok"
    eventually(lambda: books.settled(home))
    eventually(lambda: counted(apart, home) == (books.posted(home), 0))
    assert books.posted(home) == sum(map(books.billed, mock.books()[-2:]))


def test_p27_a_slow_redis_holds_no_call_up(apart, gateway, mock):
    """A reply is waited for as long as `GATEHOUSE_REDIS_TIMEOUT_MS` says, then Redis is away."""
    hard, soft, free = house(mock, budgets=HARD), house(mock, budgets=SOFT), house(mock)
    for home in (hard, soft, free):
        assert code(gateway, home) == "ok"
    with apart.redis() as client:
        client.execute_command("CLIENT", "PAUSE", 1500, "ALL")
    for home, expected in ((hard, "budget_unavailable"), (soft, "ok"), (free, "ok")):
        _, found, took_s = ask(gateway, home)
        assert (found, took_s < AT_ONCE_S) == (expected, True)
    eventually(lambda: code(gateway, hard) == "ok")


def test_no_overspend_while_redis_forgets_everything(apart, gateway, mock):
    """M1 by the provider's own books: FLUSHALL again and again under calls in flight."""
    home = house(mock, "mock-latency-5-seed-5", budgets=[{"limit_micros": 6_000}])
    began, done = len(mock.books()), threading.Event()

    def forget():
        with apart.redis() as client:
            while not done.wait(0.05):
                client.flushall()

    forgetting = threading.Thread(target=forget)
    forgetting.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(lambda _: code(gateway, home, max_tokens=40), range(120)))
    finally:
        done.set()
        forgetting.join()
    assert set(codes) <= {"ok", "insufficient_quota", "budget_unavailable"}
    assert codes.count("ok") > 5
    eventually(lambda: books.settled(home))
    billed = sum(map(books.billed, mock.books()[began:]))
    assert books.posted(home) == billed <= 6_000
    assert metric(gateway, "gatehouse_hold_overruns_total") == 0


def test_case_6_a_redis_that_may_evict_is_not_ready(apart, gateway):
    with apart.redis() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert ready(gateway) == (503, ["redis"])
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert ready(gateway) == (200, [])


# PostgreSQL


def test_a1_no_record_no_call_while_postgresql_is_away(apart, mock):
    with start(apart) as gateway:
        hard, free, unknown = house(mock, budgets=HARD), house(mock), house(mock)
        for home in (hard, free):
            assert code(gateway, home) == "ok"
        eventually(lambda: books.settled(free) and books.settled(hard))
        with apart.away("postgres"):
            reached, began = len(mock.books()), time.monotonic()
            status, refusal, took_s = ask(gateway, free)
            # The first one waits whether it comes back, at most until the grace for its key ends.
            assert status == 503
            assert refusal in {"evidence_unavailable", "authentication_unavailable"}
            assert took_s < 7
            for home in (free, hard):
                status, refusal, took_s = ask(gateway, home)
                assert status == 503
                assert refusal in {"evidence_unavailable", "authentication_unavailable"}
                assert took_s < AT_ONCE_S
            _, refusal, took_s = ask(gateway, unknown)
            assert (refusal, took_s < 3) == ("authentication_unavailable", True)
            eventually(lambda: time.monotonic() - began > GRACE_S + 0.5)
            assert code(gateway, free) == "authentication_unavailable"
            assert ready(gateway) == (503, ["database", "keys", "migrations"])
            assert len(mock.books()) == reached
        for home in (free, hard, unknown):
            eventually(lambda home=home: code(gateway, home) == "ok", 4)
        assert eventually(lambda: ready(gateway) == (200, []))
        eventually(lambda: books.settled(hard) and books.settled(free))
        assert books.posted(hard) == sum(
            books.billed(entry)
            for entry in mock.books()
            if entry["request_id"] in books.holds(hard)
        )
        assert "internal_error" not in gateway.output()


def test_a_call_in_flight_ends_well_and_is_booked_when_postgresql_is_back(apart, mock):
    """Once a call has left, the client has its answer, or hears why not, without waiting for us."""
    with start(apart) as gateway:
        good = house(mock, "mock-latency-600-pace-20", budgets=HARD)
        bad = house(mock, "mock-latency-600-reset", budgets=HARD)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            calls = [
                pool.submit(gateway.chat, good.secret, good.model),
                pool.submit(gateway.chat, good.secret, good.model, stream=True),
                pool.submit(ask, gateway, bad),
            ]
            eventually(lambda: len(books.records(good)) == 2 and books.records(bad))
            with apart.away("postgres"):
                whole, streamed, (status, refusal, took_s) = (call.result(10) for call in calls)
                assert whole.status_code == streamed.status_code == 200
                assert streamed.text.endswith("data: [DONE]\n\n")
                assert "error" not in streamed.text
                assert (status, refusal) == (502, "upstream_error")
                assert took_s < 5
        for home in (good, bad):
            eventually(lambda home=home: books.settled(home))
        assert len(books.records(good, "completed")) == 2
        assert books.posted(good) == sum(
            books.billed(entry)
            for entry in mock.books()
            if entry["request_id"] in books.holds(good)
        )
        (hold,) = books.holds(bad).values()
        assert hold.posted_pico == hold.bound_pico


def test_p27_a_postgresql_that_hangs_bounds_the_wait(apart, mock):
    with start(apart) as gateway:
        home = house(mock)
        assert code(gateway, home) == "ok"
        with psycopg.connect(apart.endpoints.database_owner_url) as blocker:
            blocker.execute("LOCK TABLE tenants_hold IN ACCESS EXCLUSIVE MODE")
            reached = len(mock.books())
            status, refusal, took_s = ask(gateway, home)
            assert (status, refusal) == (503, "evidence_unavailable")
            assert took_s < 11
            assert ask(gateway, home)[2] < AT_ONCE_S
            assert len(mock.books()) == reached
            assert ready(gateway)[0] == 200  # it answers reads
        eventually(lambda: code(gateway, home) == "ok")


# Ourselves


def stream_and_stop(gateway, home):
    """Open a stream, send SIGTERM at its first piece; return its text, and the time of the exit."""
    fields = {"model": home.model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    text = []
    with (
        gateway.client(home.secret) as client,
        client.stream("POST", "/v1/chat/completions", json=fields) as answer,
    ):
        for piece in answer.iter_text():
            if not text:
                began = time.monotonic()
                gateway.workers[0].send_signal(signal.SIGTERM)
            text.append(piece)
    # Its own end: whatever was to be written is written, then the signal takes its usual effect.
    assert gateway.workers[0].wait(20) in (0, -signal.SIGTERM)
    return "".join(text), time.monotonic() - began


def test_sigterm_lets_a_stream_end(apart, mock):
    home = house(mock, "mock-pace-100-tokens-12", budgets=HARD)
    with start(apart, GATEHOUSE_DRAIN_S="10") as gateway:
        text, took_s = stream_and_stop(gateway, home)
    assert text.endswith("data: [DONE]\n\n")
    assert "error" not in text
    assert took_s < 6
    assert books.settled(home)  # before the process ended
    assert books.record(home, "completed").body["charge"] == "usage"
    assert books.posted(home) == books.billed(mock.books()[-1])


def test_sigterm_cuts_what_does_not_end_and_books_it(apart, mock):
    home = house(mock, "mock-pace-100-tokens-200", budgets=HARD)
    hanging = house(mock, "mock-hang", budgets=HARD)
    with (
        start(apart, GATEHOUSE_DRAIN_S="1") as gateway,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        whole = pool.submit(ask, gateway, hanging)
        eventually(lambda: books.records(hanging, "admitted"))
        text, took_s = stream_and_stop(gateway, home)
        assert whole.result()[:2] == (503, "overloaded")
    assert '"code":"overloaded"' in text
    assert text.endswith("data: [DONE]\n\n")
    assert took_s < 6
    for each in (home, hanging):
        assert books.settled(each)
        (hold,) = books.holds(each).values()
        assert hold.posted_pico == hold.bound_pico
        assert books.record(each, "completed").code == "overloaded"
    assert "Exception in ASGI" not in gateway.output()


def test_case_18_a_call_that_waits_to_be_recorded_is_ended_too(apart, mock):
    """A key is revoked while the admission hangs: who waits hears why, and pays nothing."""
    with start(apart) as gateway, concurrent.futures.ThreadPoolExecutor(1) as pool:
        home = house(mock, budgets=HARD)
        assert code(gateway, home) == "ok"
        reached = len(mock.books())
        with psycopg.connect(apart.endpoints.database_owner_url) as blocker:
            blocker.execute("LOCK TABLE tenants_hold IN ACCESS EXCLUSIVE MODE")
            call = pool.submit(ask, gateway, home)
            time.sleep(0.3)  # nothing that could be seen happens while it waits
            virtual_key_revoke(actor=estate.ACTOR, key=home.key)
            status, refusal, took_s = call.result()
        assert (status, refusal) == (401, "key_revoked")
        assert took_s < 2.5
        assert len(mock.books()) == reached
        eventually(lambda: books.settled(home))
        assert books.posted(home) == books.billed(mock.books()[-1])
