"""M3: rate limits are exact over all workers, say where one stands, and refuse at little cost.

Limits are per day here, so that nothing comes back while a test runs.
"""

import concurrent.futures
import contextlib
import json
import os
import signal
import time
from http import HTTPStatus

import httpx
import pytest
import redis

from tenants.services.keys import virtual_key_issue
from tenants.services.limits import rate_limit_create, rate_limit_update
from tests import estate
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually

WORKERS = 2


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(workers=WORKERS) as gateway:
        yield gateway


def limited(*limits, model="simulated", at=None):
    wanted = [{"per": "day", **terms} for terms in limits]
    return estate.estate(estate.route((at or estate.simulated(), model)), limits=wanted)


@contextlib.contextmanager
def only(gateway, worker):
    """Let one worker alone answer: the others stand still. It may have stood still before, and
    have to find Redis again."""
    others = [process for number, process in enumerate(gateway.workers) if number != worker]
    for process in others:
        process.send_signal(signal.SIGSTOP)
    try:
        eventually(
            lambda: httpx.get(f"{gateway.base_url}/readyz", timeout=10).status_code == HTTPStatus.OK
        )
        yield
    finally:
        for process in others:
            process.send_signal(signal.SIGCONT)


def code(answer):
    return answer.json()["error"]["code"] if answer.status_code >= 400 else "ok"


def ask(gateway, house, **fields):
    return code(gateway.chat(house.secret, house.model, **fields))


def at_once(gateway, house, times, **fields):
    """Ask many times at the same moment; return how often each outcome was met."""
    sent = {"model": house.model, "messages": [{"role": "user", "content": "Hello"}], **fields}
    found = together(gateway, house, sent, times)
    return {outcome: found.count(outcome) for outcome in set(found)}


def together(gateway, house, sent, times):
    """Send a request many times over connections of one client; return the outcomes."""
    with (
        gateway.client(house.secret) as client,
        concurrent.futures.ThreadPoolExecutor(times) as pool,
    ):
        answers = pool.map(lambda _: client.post("/v1/chat/completions", json=sent), range(times))
        return [code(answer) for answer in answers]


def scripts_run():
    """Return how many scripts Redis has run."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        stats = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))


# Exact counts


def test_requests_are_counted_over_all_workers(gateway):
    house = limited({"kind": "requests", "amount": 24, "burst": 5})
    found = []
    for turn in range(7):
        with only(gateway, turn % WORKERS):
            found.append(ask(gateway, house))
    assert found == ["ok"] * 5 + ["rate_limit_exceeded"] * 2


def test_a_burst_at_once_is_admitted_exactly(gateway):
    house = limited({"kind": "requests", "amount": 24, "burst": 7})
    assert at_once(gateway, house, 40) == {"ok": 7, "rate_limit_exceeded": 33}


def test_tokens_are_held_exactly_while_calls_are_in_flight(gateway, mock):
    """What a call may use is held until it is known what it used: room for 6 of them is for 6."""
    at = estate.provider(mock.base_url)
    probe = limited(model="mock-latency-500", at=at)
    message = {"role": "user", "content": "x" * 100}
    sent = {"model": probe.model, "messages": [message], "max_tokens": 50}
    size = len(json.dumps(sent, separators=(",", ":")))
    estimate = size // 4 + 50
    rate_limit_create(
        actor=estate.ACTOR,
        tenant=probe.tenant,
        name="tokens",
        kind="tokens",
        amount=6 * estimate + estimate // 2,
        per="day",
    )
    probe.publish()
    with gateway.client(probe.secret) as client:
        found = client.post("/v1/chat/completions", json=sent)
    held = 6 * estimate + estimate // 2 - estimate
    assert int(found.headers["x-ratelimit-remaining-tokens"]) == held
    used = found.json()["usage"]["total_tokens"]

    left = 6 * estimate + estimate // 2 - used
    eventually(lambda: remaining(probe) == left)
    outcomes = together(gateway, probe, sent, 20)
    assert outcomes.count("ok") == left // estimate
    assert outcomes.count("tokens_limit_exceeded") == 20 - left // estimate
    eventually(lambda: remaining(probe) == left - used * (left // estimate))


def remaining(house):
    """Return the room in a tenant's only limit of tokens, as Redis has it."""
    (limit,) = house.tenant.limits.filter(kind="tokens")
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        level = int(client.hget(f"gh:{{{house.tenant.id}}}:r:{limit.id}", "level"))
    period_ms = 86400 * 1000
    tick = 1 if limit.amount * period_ms <= 2**52 else 1000
    return limit.amount - -(-level * tick // period_ms)


def test_concurrency_is_exact_and_comes_back(gateway, mock):
    at = estate.provider(mock.base_url)
    house = limited(
        {"kind": "concurrency", "amount": 3, "per": ""}, model="mock-latency-700", at=at
    )
    for _ in range(2):
        found = at_once(gateway, house, 12)
        assert found == {"ok": 3, "concurrency_limit_exceeded": 9}
        eventually(lambda: running(house) == 0)
    assert at_once(gateway, house, 3, stream=True) == {"ok": 3}


def running(house):
    """Return how many leases of a tenant's limits on calls at once are taken."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        keys = client.keys(f"gh:{{{house.tenant.id}}}:r:*")
        return sum(client.zcard(key) for key in keys if client.type(key) == b"zset")


def test_a_failed_call_gives_its_place_and_its_tokens_back(gateway, mock):
    at = estate.provider(mock.base_url)
    house = limited(
        {"kind": "concurrency", "amount": 1, "per": ""},
        {"kind": "tokens", "amount": 500},
        model="mock-status-400",
        at=at,
    )
    for _ in range(4):
        answer = gateway.chat(house.secret, house.model, max_tokens=300)
        assert code(answer) == "upstream_rejected"
        eventually(lambda: running(house) == 0)


def test_m3_a_refused_call_burns_nothing(gateway):
    """Refused for its tokens, a call takes no request; refused for money, neither."""
    house = limited(
        {"kind": "requests", "amount": 24, "burst": 2, "name": "calls"},
        {"kind": "tokens", "amount": 200, "name": "tokens"},
    )
    for _ in range(3):
        assert ask(gateway, house, max_tokens=1000) == "tokens_limit_exceeded"
    found = [ask(gateway, house, max_tokens=5) for _ in range(3)]
    assert found == ["ok", "ok", "rate_limit_exceeded"]


def test_a_limit_of_one_key_is_not_anothers(gateway):
    house = limited()
    key, issued = virtual_key_issue(
        actor=estate.ACTOR, app=house.app, name="other", pepper=estate.pepper()
    )
    rate_limit_create(
        actor=estate.ACTOR,
        tenant=house.tenant,
        name="mine",
        kind="requests",
        amount=1,
        per="day",
        key=key,
    )
    house.publish()
    other = estate.Estate(house.tenant, house.app, key, issued.secret, house.model)
    assert [ask(gateway, other) for _ in range(2)] == ["ok", "rate_limit_exceeded"]
    assert [ask(gateway, house) for _ in range(2)] == ["ok", "ok"]


# What the caller is told


def test_headers_tell_the_tightest_limits(gateway):
    house = limited(
        {"kind": "requests", "amount": 1000},
        {"kind": "requests", "amount": 24, "burst": 3},
        {"kind": "tokens", "amount": 100_000},
    )
    told = [gateway.chat(house.secret, house.model, max_tokens=10).headers for _ in range(2)]
    assert [headers["x-ratelimit-limit-requests"] for headers in told] == ["24", "24"]
    assert [headers["x-ratelimit-remaining-requests"] for headers in told] == ["2", "1"]
    assert [headers["x-ratelimit-reset-requests"] for headers in told] == ["3600s", "7200s"]
    assert told[0]["x-ratelimit-limit-tokens"] == "100000"
    assert 99_900 < int(told[0]["x-ratelimit-remaining-tokens"]) < 100_000
    assert told[0]["x-ratelimit-reset-tokens"].endswith("s")
    free = gateway.chat(limited().secret, house.model)
    assert not [name for name in free.headers if name.startswith("x-ratelimit")]


def test_a_refusal_names_the_limit_and_the_time(gateway):
    house = limited({"kind": "requests", "amount": 24, "burst": 1, "name": "hourly"})
    assert ask(gateway, house) == "ok"
    for _ in range(2):  # from Redis, then from memory
        answer = gateway.chat(house.secret, house.model)
        error = answer.json()["error"]
        assert (answer.status_code, error["type"]) == (429, "rate_limit_error")
        assert error["rule"] == "hourly"
        assert "24 requests" in error["message"]
        assert 3500 < int(answer.headers["retry-after"]) <= 3600
        assert "x-should-retry" not in answer.headers


def test_what_can_never_fit_is_not_asked_to_come_back(gateway):
    house = limited({"kind": "tokens", "amount": 100, "name": "small"})
    answer = gateway.chat(house.secret, house.model, max_tokens=500)
    assert code(answer) == "tokens_limit_exceeded"
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    assert "100 tokens" in answer.json()["error"]["message"]
    assert "less" in answer.json()["error"]["remedy"]


def test_after_the_time_told_a_call_passes(gateway):
    house = estate.estate(
        estate.route((estate.simulated(), "simulated")),
        limits=[{"kind": "requests", "amount": 2, "per": "second", "burst": 1}],
    )
    assert ask(gateway, house) == "ok"
    refused = gateway.chat(house.secret, house.model)
    assert code(refused) == "rate_limit_exceeded"
    time.sleep(0.55)  # half a second for one of two a second
    assert refused.headers["retry-after"] == "1"
    assert ask(gateway, house) == "ok"


# The memory of refusals


def test_case_14_a_flood_of_refused_calls_costs_no_trip_to_redis(gateway):
    house = limited({"kind": "requests", "amount": 24, "burst": 1})
    with only(gateway, 0):
        assert [ask(gateway, house) for _ in range(2)] == ["ok", "rate_limit_exceeded"]
        before = scripts_run()
        found = [ask(gateway, house) for _ in range(20)]
    assert set(found) == {"rate_limit_exceeded"}
    assert scripts_run() == before


def test_case_14_a_raised_limit_is_felt_at_once(gateway):
    house = limited({"kind": "requests", "amount": 24, "burst": 1})
    assert "rate_limit_exceeded" in [ask(gateway, house) for _ in range(4)]
    (limit,) = house.tenant.limits.all()
    rate_limit_update(actor=estate.ACTOR, limit=limit, burst=5)
    house.publish()
    for worker in range(WORKERS):
        with only(gateway, worker):
            eventually(lambda: ask(gateway, house) == "ok", 2)


def test_refusals_for_tokens_are_not_remembered(gateway):
    """The next call may ask for less."""
    house = limited({"kind": "tokens", "amount": 300})
    with only(gateway, 0):
        assert ask(gateway, house, max_tokens=290) == "tokens_limit_exceeded"
        assert ask(gateway, house, max_tokens=50) == "ok"
