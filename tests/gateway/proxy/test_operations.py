"""What an operator sees: liveness, readiness, metrics of few words, a line of JSON a call."""

import json
import re
import socket

import pytest

from gateway.exchange import Endpoint
from gateway.providers.walk import words
from tests import books, estate
from tests.stack import Gateway, eventually

TOKEN = "a-token-of-metrics-0123456789"
CODES = words(
    """
    ok client_gone internal_error invalid_request model_unpriced upstream_rejected
    invalid_api_key key_expired key_revoked policy_denied model_not_allowed
    endpoint_not_allowed ip_not_allowed tenant_suspended detector_failed
    obligation_unenforceable model_not_found not_found method_not_allowed request_timeout
    request_too_large unsupported_media_type headers_too_large rate_limit_exceeded
    tokens_limit_exceeded concurrency_limit_exceeded upstream_rate_limited
    insufficient_quota not_governable upstream_error upstream_credential_rejected
    upstream_timeout evidence_unavailable budget_unavailable authentication_unavailable
    policy_unavailable overloaded
    """
)


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ={"GATEHOUSE_MAX_BODY_BYTES": "2000000"}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def house(db):
    return estate.estate(
        estate.route((estate.simulated(), "simulated"), price=books.PRICE),
        budgets=list(books.HARD),
    )


def get(gateway, path, **headers):
    with gateway.client() as client:
        return client.get(path, headers=headers)


def raw(gateway, data, until):
    """Send bytes; return what came back when it satisfies `until`."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(data)
        answer = b""
        while not until(answer):
            answer += connection.recv(65536)
        return answer


# Liveness and readiness


def test_livez(gateway):
    answer = get(gateway, "/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readyz_has_exactly_this_shape(gateway):
    answer = get(gateway, "/readyz")
    fine = {"ok": True, "detail": "ok"}
    checks = dict.fromkeys(("database", "migrations", "redis", "keys"), fine)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": checks})
    assert answer.headers["content-type"] == "application/json"


def test_a_credential_that_no_master_key_opens_is_not_ready(gateway):
    from gateway.models import Credential  # noqa: PLC0415

    at = estate.provider("http://127.0.0.1:9/v1")
    Credential.objects.filter(provider=at).update(key_id="0123456789abcdef")
    try:
        answer = get(gateway, "/readyz")
        assert answer.status_code == 503
        assert answer.json()["status"] == "not ready"
        checks = answer.json()["checks"]
        assert [name for name, check in checks.items() if not check["ok"]] == ["keys"]
        assert "1 credentials" in checks["keys"]["detail"]
    finally:
        Credential.objects.filter(provider=at).update(state="retired")
    assert get(gateway, "/readyz").status_code == 200


# Metrics


def test_metrics_are_for_this_machine_where_no_token_is_set(gateway):
    assert get(gateway, "/metrics").status_code == 200
    for header in (
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
    ):  # a proxy beside us speaks for somebody else
        refused = get(gateway, "/metrics", **{header: "for=192.0.2.7"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            401,
            "metrics_token_required",
        )


def test_metrics_take_their_token_where_one_is_set(db):
    with Gateway(environ={"GATEHOUSE_METRICS_TOKEN": TOKEN}) as gateway:
        assert get(gateway, "/metrics", authorization=f"Bearer {TOKEN}").status_code == 200
        for wrong in ({}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": TOKEN}):
            assert get(gateway, "/metrics", **wrong).status_code == 401
        assert TOKEN not in gateway.output()


def samples(gateway):
    """Return the samples of our metrics as (name, labels, value)."""
    found = []
    for line in get(gateway, "/metrics").text.splitlines():
        match = re.fullmatch(r"(gatehouse_\w+)(?:\{(.*)\})? (\S+)", line)
        if match:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            found.append((match[1], labels, float(match[3])))
    return found


def value(gateway, name, **labels):
    return sum(
        v for n, found, v in samples(gateway) if n == name and labels.items() <= found.items()
    )


def test_metrics_count_calls_tokens_and_money(gateway, house):
    ok = {"endpoint": "chat.completions", "outcome": "ok"}
    before = {
        name: value(gateway, name)
        for name in ("gatehouse_tokens_total", "gatehouse_cost_micros_total")
    }
    calls = value(gateway, "gatehouse_calls_total", **ok)
    answer = gateway.chat(house.secret, house.model, max_tokens=20)
    usage = answer.json()["usage"]
    assert value(gateway, "gatehouse_calls_total", **ok) == calls + 1
    tokens = value(gateway, "gatehouse_tokens_total") - before["gatehouse_tokens_total"]
    assert tokens == usage["total_tokens"]
    micros = value(gateway, "gatehouse_cost_micros_total") - before["gatehouse_cost_micros_total"]
    assert micros == int(answer.headers["x-gatehouse-cost-micros"])
    assert value(gateway, "gatehouse_call_seconds_count") > 0
    assert value(gateway, "gatehouse_overhead_seconds_count") > 0
    assert value(gateway, "gatehouse_hold_overruns_total") == 0


def test_labels_are_few_whatever_clients_send(gateway, house):
    with gateway.client(house.secret) as client:
        for number in range(20):
            client.get(f"/v1/models/made-up-{number}")
            client.post(f"/v1/made-up-{number}", json={})
            client.request(f"VERB{number}", "/v1/models")
            client.post("/v1/chat/completions", json={"model": f"made-up-{number}"})
    for number in range(20):
        gateway.chat(f"gth_made-up-{number}", "made-up")
        gateway.chat(house.secret, f"made-up-{number}", user=f"made-up-{number}")
    text = get(gateway, "/metrics").text
    for secret in ("made-up", "VERB", str(house.tenant.id), house.key.public_id, house.model):
        assert secret not in text
    endpoints = {endpoint.value for endpoint in Endpoint} | {"none"}
    allowed = {
        "endpoint": endpoints,
        "outcome": CODES,
        "code": CODES,
        "direction": {"input", "output"},
        "basis": {"usage", "bound", "not_sent", "not_billed"},
        "detector": {"pii", "injection"},
        "where": {"worker", "provider"},
        "kind": {"failover", "credential", "retry", "fallback", "hedge"},
    }
    for _, labels, _ in samples(gateway):
        for name, found in labels.items():
            assert name in {"le", "currency", *allowed}
            assert found in allowed.get(name, {found})


# Log lines


def test_a_call_is_one_line_of_json_with_its_ids(gateway, house):
    answer = gateway.chat(house.secret, house.model)
    request_id = answer.headers["x-request-id"]

    def line():
        return [each for each in gateway.lines() if each.get("request_id") == request_id]

    (found,) = eventually(line)
    assert found["event"] == "call"
    assert found["decision_id"] == request_id
    assert found["tenant_id"] == str(house.tenant.id)
    assert found["key_id"] == house.key.public_id
    assert (found["endpoint"], found["status"], found["code"]) == ("chat.completions", 200, "ok")
    assert found["attempts"] == 1
    assert 0 < found["duration_ms"] < 30_000


def test_a_refusal_is_a_line_with_its_code_and_no_decision(gateway):
    answer = gateway.chat("gth_nobody", "made-up")
    request_id = answer.headers["x-request-id"]
    (found,) = eventually(
        lambda: [each for each in gateway.lines() if each.get("request_id") == request_id]
    )
    assert (found["status"], found["code"]) == (401, "invalid_api_key")
    assert found["decision_id"] is None
    assert not {"tenant_id", "key_id"} & found.keys()


def test_every_line_of_the_log_is_json_with_level_and_event(gateway):
    lines = gateway.output().splitlines()
    assert lines
    for line in lines:
        found = json.loads(line)
        assert {"at", "level", "logger", "event"} <= found.keys()
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found["at"])


# HTTP


def test_calls_one_behind_the_other_on_one_connection_are_answered_in_order(gateway, house):
    get = (
        f"GET /v1/models/{house.model} HTTP/1.1\r\nhost: x\r\n"
        f"authorization: Bearer {house.secret}\r\n\r\n"
    ).encode()
    live = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = raw(gateway, get + live + get, lambda found: found.count(b"HTTP/1.1 200") == 3)
    bodies = [part.split(b"\r\n\r\n", 1)[1] for part in answer.split(b"HTTP/1.1 200")[1:]]
    assert [b'"status":"ok"' in body for body in bodies] == [False, True, False]


def test_who_waits_for_100_continue_hears_it(gateway, house):
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.secret}\r\n"
        "content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n"
    )
    assert raw(gateway, head.encode(), lambda found: b"\r\n\r\n" in found).startswith(
        b"HTTP/1.1 100"
    )
    wrong = head.replace(house.secret, "gth_nobody")
    assert raw(gateway, wrong.encode(), lambda found: b"\r\n\r\n" in found).startswith(
        b"HTTP/1.1 401"
    )


def test_the_callers_address_is_the_last_that_no_proxy_of_ours_has_put_there(db):
    house = estate.estate(estate.route((estate.simulated(), "simulated")))
    told = {
        "": "127.0.0.1",
        "203.0.113.9": "203.0.113.9",
        "198.51.100.1, 203.0.113.9": "203.0.113.9",
        "198.51.100.1, 203.0.113.9, 10.1.2.3": "203.0.113.9",
        "198.51.100.1, garbage": "127.0.0.1",
    }
    with Gateway(environ={"GATEHOUSE_TRUSTED_PROXIES": "127.0.0.0/8,10.0.0.0/8"}) as gateway:
        for forwarded in told:
            headers = {"x-forwarded-for": forwarded} if forwarded else {}
            assert gateway.chat(house.secret, house.model, headers=headers).status_code == 200
        eventually(lambda: len(books.records(house, "admitted")) == len(told))
    records = books.records(house, "admitted")
    assert [record.body["source"] for record in records] == list(told.values())


@pytest.mark.parametrize(("role", "calls", "console"), [("proxy", 401, 404), ("console", 404, 302)])
def test_a_role_serves_its_plane_and_the_operations(db, role, calls, console):
    with Gateway(environ={"GATEHOUSE_ROLE": role}) as gateway:
        assert get(gateway, "/livez").status_code == 200
        assert get(gateway, "/metrics").status_code == 200
        assert get(gateway, "/v1/models").status_code == calls
        assert get(gateway, "/").status_code == console
