"""M1 through real workers, PostgreSQL and Redis: no budget is overspent, whatever happens."""

import asyncio
import concurrent.futures
import os
import socket

import httpx
import pytest
import redis

from audit.models import Record
from gateway.proxy.sweep import sweep
from tenants.models import Hold, LedgerPosting
from tests import estate
from tests.stack import Gateway, eventually

# 1 micro a token in, 2 micros a token out.
PRICE = ("USD", "1", "2")


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(workers=2) as gateway:
        yield gateway


def posted(house):
    postings = LedgerPosting.objects.filter(tenant_id=house.tenant.id)
    return sum(posting.delta_micros for posting in postings)


def settled(house):
    return not Hold.objects.filter(tenant_id=house.tenant.id, state="open").exists()


def counters(house):
    """Return what Redis has as posted and held, over all budgets and groups of a tenant."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as client:
        found = [client.hgetall(key) for key in client.keys(f"gh:{{{house.tenant.id}}}:b:*")]
    fields = [(name[:2], int(value)) for each in found for name, value in each.items()]
    return (
        sum(value for kind, value in fields if kind == "p:"),
        sum(value for kind, value in fields if kind == "h:"),
    )


def budgeted(limit_micros, model="simulated", **terms):
    route = estate.route((estate.simulated(), model), price=PRICE)
    return estate.estate(route, budgets=[{"limit_micros": limit_micros, **terms}])


def test_a_call_costs_what_the_provider_counted(gateway):
    house = budgeted(1_000_000)
    answer = gateway.chat(house.secret, house.model, "Hello", max_tokens=50)
    usage = answer.json()["usage"]
    cost = usage["prompt_tokens"] + 2 * usage["completion_tokens"]
    assert answer.headers["x-gatehouse-cost-micros"] == str(cost)
    eventually(lambda: settled(house))
    assert posted(house) == cost
    eventually(lambda: counters(house) == (cost, 0))


def test_parallel_calls_never_pass_the_limit_together(gateway):
    """P1 of the field notes: 60 at once, room for a few; the books stay within the limit."""
    house = budgeted(3_000)
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        answers = list(
            pool.map(lambda _: gateway.chat(house.secret, house.model, max_tokens=100), range(60))
        )
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    eventually(lambda: settled(house))
    total = sum(int(a.headers["x-gatehouse-cost-micros"]) for a in answers if a.status_code == 200)
    assert posted(house) == total <= 3_000
    refused = next(answer for answer in answers if answer.status_code == 429)
    error = refused.json()["error"]
    assert (error["code"], error["type"]) == ("insufficient_quota", "budget_exceeded")
    assert error["rule"] == "budget-0"
    assert refused.headers["x-should-retry"] == "false"
    assert "left" in error["message"]
    assert "month" in error["remedy"]


def test_a_refused_call_costs_nothing_and_is_recorded(gateway):
    house = budgeted(10)
    answer = gateway.chat(house.secret, house.model, max_tokens=100)
    assert answer.status_code == 429
    record = eventually(lambda: Record.objects.filter(tenant_id=house.tenant.id).first())
    assert (record.kind, record.code, record.cost_micros) == ("refused", "insufficient_quota", None)
    assert str(record.call_id) == answer.json()["error"]["decision_id"]
    assert posted(house) == 0


def test_the_default_cap_bounds_a_call_that_asks_for_none(gateway):
    route = estate.route((estate.simulated(), "simulated"), price=PRICE, default_output=20)
    house = estate.estate(route, budgets=[{"limit_micros": 1_000_000}])
    answer = gateway.chat(house.secret, house.model, "word " * 200)
    assert answer.json()["usage"]["completion_tokens"] <= 20


def test_unknown_usage_costs_the_whole_bound(gateway):
    house = budgeted(1_000_000, model="simulated-no-usage")
    answer = gateway.chat(house.secret, house.model, max_tokens=50)
    assert answer.status_code == 200
    eventually(lambda: settled(house))
    hold = Hold.objects.get(tenant_id=house.tenant.id)
    assert posted(house) == -(-int(hold.bound_pico) // 1_000_000) > 100
    assert answer.headers["x-gatehouse-cost-micros"] == str(posted(house))


def test_half_a_stream_costs_the_whole_bound_and_ends_well_formed(gateway):
    house = budgeted(1_000_000, model="simulated-cut")
    answer = gateway.chat(house.secret, house.model, stream=True, max_tokens=50)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert '"code":"upstream_error"' in answer.text
    eventually(lambda: settled(house))
    hold = Hold.objects.get(tenant_id=house.tenant.id)
    assert posted(house) == -(-int(hold.bound_pico) // 1_000_000)


def test_who_hangs_up_pays_all_the_same(gateway):
    house = budgeted(1_000_000, model="simulated-slow")
    body = (
        f'{{"model": "{house.model}", "stream": true, "max_tokens": 20, '
        '"messages": [{"role": "user", "content": "Hello"}]}'
    )
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
            f"authorization: Bearer {house.secret}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}".encode()
        )
        connection.recv(1000)
    eventually(lambda: Record.objects.filter(tenant_id=house.tenant.id, kind="completed").exists())
    record = Record.objects.get(tenant_id=house.tenant.id, kind="completed")
    usage = record.body["usage"]
    assert record.body["charge"] == "usage"
    assert record.cost_micros == posted(house) == usage[0] + 2 * usage[1] > 0
    eventually(lambda: counters(house)[1] == 0)


def test_a_model_without_price_is_refused_under_a_hard_budget_only(gateway):
    route = estate.route((estate.simulated(), "simulated"), price=None)
    bound = estate.estate(route, budgets=[{"limit_micros": 1_000_000}])
    answer = gateway.chat(bound.secret, bound.model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_unpriced")
    for budgets in ([], [{"limit_micros": 1, "mode": "soft"}]):
        free = estate.estate(route, budgets=budgets)
        assert gateway.chat(free.secret, free.model).status_code == 200


def test_a_budget_in_another_currency_makes_the_model_unpriced(gateway):
    route = estate.route((estate.simulated(), "simulated"), price=("EUR", "1", "2"))
    house = estate.estate(route, budgets=[{"limit_micros": 1_000_000}])
    assert gateway.chat(house.secret, house.model).json()["error"]["code"] == "model_unpriced"


def test_case_15_unknown_and_priced_fields_are_refused_under_a_hard_budget(gateway):
    house = budgeted(1_000_000)
    for field, value in (("brand_new_field", 1), ("service_tier", "priority")):
        answer = gateway.chat(house.secret, house.model, **{field: value})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert gateway.chat(house.secret, house.model, seed=7, top_p=0.5).status_code == 200


def test_case_9_what_clients_declare_is_grouped_and_bounded_above(gateway):
    route = estate.route((estate.simulated(), "simulated"), price=PRICE)
    house = estate.estate(
        route,
        budgets=[
            {"limit_micros": 1_000_000, "name": "all"},
            {"limit_micros": 400, "name": "per-user", "group_by": ["user"]},
        ],
    )
    ask = {"max_tokens": 50}
    assert gateway.chat(house.secret, house.model, user="ann", **ask).status_code == 200
    eventually(lambda: settled(house))
    refused = [gateway.chat(house.secret, house.model, user="ann", **ask) for _ in range(4)][-1]
    assert refused.json()["error"]["rule"] == "per-user"
    assert gateway.chat(house.secret, house.model, user="bob", **ask).status_code == 200


def test_case_5_each_attempt_has_its_own_hold_and_price(gateway):
    at = estate.simulated()
    route = estate.route((at, "simulated-error-500"), (at, "simulated"), price=PRICE)
    house = estate.estate(route, budgets=[{"limit_micros": 1_000_000}])
    answer = gateway.chat(house.secret, house.model, max_tokens=30)
    assert answer.status_code == 200
    eventually(lambda: settled(house))
    holds = {hold.attempt: hold for hold in Hold.objects.filter(tenant_id=house.tenant.id)}
    assert sorted(holds) == [1, 2]
    assert holds[1].posted_pico == 0  # a 500 is not charged for
    assert int(holds[2].posted_pico) == int(answer.headers["x-gatehouse-cost-micros"]) * 1_000_000
    kinds = Record.objects.filter(tenant_id=house.tenant.id).order_by("attempt", "kind")
    assert [(r.attempt, r.kind, r.code) for r in kinds] == [
        (1, "admitted", ""),
        (1, "completed", "upstream_error"),
        (2, "admitted", ""),
        (2, "completed", ""),
    ]


def test_redis_that_lost_everything_is_rebuilt_from_the_ledger(gateway):
    house = budgeted(2_000)
    first = gateway.chat(house.secret, house.model, max_tokens=50)
    eventually(lambda: settled(house))
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.delete(*client.keys(f"gh:{{{house.tenant.id}}}:*"))
    second = gateway.chat(house.secret, house.model, max_tokens=50)
    assert (first.status_code, second.status_code) == (200, 200)
    eventually(lambda: settled(house))
    eventually(lambda: counters(house) == (posted(house), 0))
    assert posted(house) == sum(
        int(answer.headers["x-gatehouse-cost-micros"]) for answer in (first, second)
    )


def test_case_8_a_lowered_limit_stops_new_calls_at_once(gateway):
    from tenants.services.budgets import budget_update  # noqa: PLC0415

    house = budgeted(1_000_000)
    assert gateway.chat(house.secret, house.model, max_tokens=20).status_code == 200
    (budget,) = house.tenant.budgets.all()
    budget_update(actor=estate.ACTOR, budget=budget, limit_micros=1)
    house.publish()
    eventually(lambda: gateway.chat(house.secret, house.model).status_code == 429, 3)


def test_a_killed_worker_leaves_a_lost_call_that_is_paid_in_full(db):
    """Case 7, with SIGKILL in the middle of a stream."""
    house = budgeted(1_000_000, model="simulated-slow")
    fields = {
        "model": house.model,
        "stream": True,
        "max_tokens": 40,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    with (
        Gateway(environ={"GATEHOUSE_UPSTREAM_TOTAL_S": "3"}) as gateway,
        gateway.client(house.secret) as client,
        pytest.raises(httpx.TransportError),
        client.stream("POST", "/v1/chat/completions", json=fields) as answer,
    ):
        for _ in answer.iter_bytes():
            gateway.kill()
    assert not settled(house)

    def swept():
        asyncio.run(sweep(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], 2.0))
        return settled(house)

    eventually(swept, 15)
    hold = Hold.objects.get(tenant_id=house.tenant.id)
    assert hold.state == "lost"
    assert posted(house) == -(-int(hold.bound_pico) // 1_000_000)
    record = Record.objects.get(tenant_id=house.tenant.id, kind="lost")
    assert record.cost_micros == posted(house)

    def released():
        asyncio.run(sweep(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], 2.0))
        return counters(house) == (posted(house), 0)

    eventually(released, 15)
