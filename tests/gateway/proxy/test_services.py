"""Services beside the models: what passes, what is refused, what is paid, and what is recorded."""

import json

import orjson
import pytest

from gateway.bundle import Operation
from tests import books, estate
from tests.gateway.proxy.offered import OPERATIONS, PRICE_MICROS, SECRET, house, service
from tests.gateway.proxy.test_answers import DENY_ANSWERS, MASK_ANSWERS
from tests.gateway.proxy.test_responses import MASK_REQUESTS
from tests.mock_vectors import Prepared, Vectors
from tests.planting import MAIL, leaks, planted
from tests.stack import Gateway, eventually

QUERY = {"vector": [0.5, 1.0], "limit": 1}
ENVIRON = {
    "GATEHOUSE_UPSTREAM_CONNECT_S": "2",
    "GATEHOUSE_UPSTREAM_FIRST_BYTE_S": "2",
    "GATEHOUSE_UPSTREAM_TOTAL_S": "6",
    "GATEHOUSE_MAX_BODY_BYTES": "200000",
}


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ=ENVIRON) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def server():
    with Vectors() as vectors:
        yield vectors


@pytest.fixture
def vectors(server):
    server.reset()
    return server


@pytest.fixture(scope="module")
def offered(db, server):
    return service(server.base_url)


@pytest.fixture(scope="module")
def home(offered):
    return house(offered)


def ask(gateway, home, offered, method, path, **options):
    with gateway.client(home.secret) as client:
        return client.request(method, f"/services/{offered.name}{path}", **options)


def search(gateway, home, offered, body=None, path="/collections/docs/points/search", **options):
    return ask(gateway, home, offered, "POST", path, json=body or QUERY, **options)


def code(answer):
    assert SECRET not in f"{answer.text}{answer.headers}"
    return answer.status_code, answer.json()["error"]["code"]


# What passes


def test_points_are_stored_found_and_dropped(gateway, vectors, offered, home):
    points = [
        {"id": 1, "vector": [1.0, 0.0], "payload": {"text": "leave policy"}},
        {"id": 2, "vector": [0.0, 1.0], "payload": {"text": "travel policy"}},
    ]
    stored = ask(
        gateway,
        home,
        offered,
        "PUT",
        "/collections/handbook/points?wait=true",
        json={"points": points},
    )
    assert (stored.status_code, stored.json()) == (201, {"status": "ok"})
    found = search(gateway, home, offered, path="/collections/handbook/points/search")
    assert found.json()["result"][0]["payload"] == {"text": "travel policy"}
    assert found.headers["x-gatehouse-model"] == f"/services/{offered.name}"
    assert found.headers["x-gatehouse-decision-id"]
    described = ask(gateway, home, offered, "GET", "/collections/handbook")
    assert described.json() == {"points_count": 2}
    dropped = ask(gateway, home, offered, "DELETE", "/collections/handbook")
    assert (dropped.status_code, dropped.content) == (204, b"")
    assert [(one.method, one.path) for one in vectors.received] == [
        ("PUT", "/db/collections/handbook/points?wait=true"),
        ("POST", "/db/collections/handbook/points/search"),
        ("GET", "/db/collections/handbook"),
        ("DELETE", "/db/collections/handbook"),
    ]


def test_our_credential_goes_and_nothing_of_the_clients(gateway, vectors, offered, home):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {
        "cookie": "session=client-canary",
        "x-http-method-override": "DELETE",
        "x-forwarded-host": "client-canary",
        "x-custom": "client-canary",
        "connection": "keep-alive, x-custom",
        "traceparent": trace,
    }
    assert search(gateway, home, offered, headers=headers).status_code == 200
    (got,) = vectors.received
    assert got.method == "POST"
    assert got.headers["api-key"] == SECRET
    assert got.headers["x-request-id"].endswith("-1")
    assert got.headers["traceparent"] == trace
    assert got.headers.keys() == {
        *("host", "accept", "user-agent", "x-request-id", "content-type", "content-length"),
        *("api-key", "traceparent"),
    }
    assert home.secret not in str(got)
    assert "canary" not in str(got).replace(SECRET, "")


@pytest.mark.parametrize(
    ("header", "scheme", "sent"),
    [("authorization", "Bearer", f"Bearer {SECRET}"), ("x-token", "", SECRET)],
)
def test_the_credential_is_presented_as_the_service_wants(gateway, vectors, header, scheme, sent):
    offered = service(vectors.base_url, header=header, scheme=scheme)
    assert search(gateway, house(offered), offered).status_code == 200
    assert vectors.received[0].headers[header] == sent


def test_a_service_without_a_credential_gets_none(gateway, vectors):
    offered = service(vectors.base_url, secret="", header="authorization", scheme="Bearer")
    assert search(gateway, house(offered), offered).status_code == 200
    assert "authorization" not in vectors.received[0].headers


def test_any_json_passes_and_text_where_it_is_declared(gateway, vectors, offered, home):
    for value in ([1, [2]], "text", 3, None, {"error": "a field like others"}):
        vectors.prepared = Prepared(body=orjson.dumps(value))
        answer = search(gateway, home, offered, body=[{"a": 1}])
        assert (answer.status_code, answer.json()) == (200, value)
        assert vectors.received[-1].json == [{"a": 1}]
    vectors.prepared = Prepared(body="points_total 3 \u20ac\n".encode(), content_type="text/plain")
    answer = ask(gateway, home, offered, "GET", "/metrics/docs")
    assert answer.text == "points_total 3 \u20ac\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


# What a policy says


def test_personal_data_in_any_leaf_is_masked(gateway, vectors, offered):
    home = house(offered, policy=MASK_REQUESTS)
    nested = {
        "vector": [0.5],
        "filter": {"must": [{"key": "text", "match": {"any": ["plain", "words"]}}]},
        "payload": [["deep", {"inner": "x"}]],
    }
    for path, body in planted(nested, f"Ask {MAIL} now"):
        vectors.reset()
        vectors.prepared = Prepared()
        answer = search(gateway, home, offered, body=body)
        assert answer.status_code == 200, path
        assert not leaks(str(vectors.received[0])), path
        assert "EMAIL_ADDRESS" in vectors.received[0].body.decode(), path
    vectors.prepared = Prepared()
    answer = ask(gateway, home, offered, "GET", f"/collections/docs?label={MAIL}")
    assert answer.status_code == 200
    assert vectors.received[-1].path == "/db/collections/docs?label=%3CEMAIL_ADDRESS%3E"


def test_what_must_go_from_a_path_is_refused(gateway, vectors, offered):
    home = house(offered, policy=MASK_REQUESTS)
    answer = ask(gateway, home, offered, "GET", f"/collections/{MAIL}")
    assert code(answer) == (403, "obligation_unenforceable")
    assert answer.json()["error"]["param"] == "path.collection"
    assert not leaks(answer.text)
    assert vectors.received == []
    assert books.record(home, "refused").code == "obligation_unenforceable"


def test_rules_see_service_operation_and_method(gateway, vectors, offered):
    policy = """
policy: {name}
default: permit
rules:
  - id: read-only
    when: call.endpoint == "service" && call.method != "POST" && call.method != "GET"
    deny: {message: "{call.service} is read-only; {call.operation} writes.", remedy: "Search."}
"""
    home = house(offered, policy=policy)
    assert search(gateway, home, offered).status_code == 200
    answer = ask(gateway, home, offered, "PUT", "/collections/a/points", json={"points": []})
    assert code(answer) == (403, "policy_denied")
    told = answer.json()["error"]
    assert told["message"] == f"{offered.name} is read-only; upsert writes."
    assert told["rule"] == "read-only"
    assert len(vectors.received) == 1
    facts = books.record(home, "refused").body["facts"]
    assert facts["call.service"] == offered.name
    assert (facts["call.operation"], facts["call.method"]) == ("upsert", "PUT")


@pytest.mark.parametrize(
    ("obligation", "expected"),
    [
        ("add_system_prompt: Be kind.", 403),
        ("allow_models: [gpt-4o]", 403),
        ("allow_regions: [eu]", 403),
        ("route: gpt-4o", 403),
        ("set_default: {temperature: 0.5}", 200),
        ("cap: {max_output_tokens: 5}", 200),
        ("cap: {bytes: 5}", 403),
    ],
)
def test_an_obligation_is_kept_or_the_call_refused(gateway, vectors, offered, obligation, expected):
    route = estate.route((estate.simulated(), "simulated-echo"), price=books.PRICE)
    rule = obligation.replace("gpt-4o", route.name)
    policy = (
        "policy: {name}\ndefault: permit\nrules:\n  - id: one\n"
        f'    when: call.endpoint == "service"\n    {rule}\n'
    )
    answer = search(gateway, house(offered, policy=policy), offered)
    assert answer.status_code == (400 if rule.startswith("route") else expected), answer.text
    assert len(vectors.received) == (expected == 200)


def test_answer_rules_see_every_leaf(gateway, vectors, offered):
    said = {"result": [{"id": 1, "payload": {"note": f"Write to {MAIL}.", "tags": [MAIL]}}]}
    vectors.prepared = Prepared(body=orjson.dumps(said))
    home = house(offered, policy=MASK_ANSWERS)
    answer = search(gateway, home, offered)
    assert not leaks(answer.text)
    note = answer.json()["result"][0]["payload"]
    assert note == {"note": "Write to <EMAIL_ADDRESS>.", "tags": ["<EMAIL_ADDRESS>"]}
    assert books.record(home, "completed").body["findings"]
    denying = house(offered, policy=DENY_ANSWERS)
    denied = search(gateway, denying, offered)
    assert code(denied) == (403, "policy_denied")
    assert not leaks(denied.text)
    books.holds(denying)
    assert books.posted(denying) == PRICE_MICROS  # it was produced


def test_text_is_inspected_too(gateway, vectors, offered):
    vectors.prepared = Prepared(body=f"Write to {MAIL}.".encode(), content_type="text/plain")
    home = house(offered, policy=MASK_ANSWERS)
    answer = ask(gateway, home, offered, "GET", "/metrics/docs")
    assert answer.text == "Write to <EMAIL_ADDRESS>."


# Money, limits, evidence


def test_a_call_costs_its_price_once(gateway, vectors, offered):
    home = house(offered)
    answer = search(gateway, home, offered)
    assert answer.headers["x-gatehouse-cost-micros"] == str(PRICE_MICROS)
    (hold,) = books.holds(home).values()
    assert (hold.state, books.micros(hold.posted_pico)) == ("settled", PRICE_MICROS)
    assert books.posted(home) == PRICE_MICROS
    admitted, completed = books.record(home, "admitted"), books.record(home, "completed")
    assert admitted.body["bound_micros"] == completed.cost_micros == PRICE_MICROS
    assert completed.body["charge"] == "usage"


def test_a_budget_is_never_overspent(gateway, vectors, offered):
    home = house(offered, budgets=[{"limit_micros": 3 * PRICE_MICROS - 1}])
    assert [search(gateway, home, offered).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert code(search(gateway, home, offered)) == (429, "insufficient_quota")
    assert len(vectors.received) == 2


@pytest.mark.parametrize("price", [{"price_pico": None, "currency": ""}, {"currency": "EUR"}])
def test_what_has_no_price_is_refused_under_a_hard_budget(gateway, vectors, price):
    offered = service(vectors.base_url, **price)
    assert code(search(gateway, house(offered), offered)) == (400, "model_unpriced")
    assert vectors.received == []
    soft = house(offered, budgets=[{"limit_micros": 10, "mode": "soft"}])
    assert search(gateway, soft, offered).status_code == 200
    assert books.posted(soft) == 0


def test_limits_count_calls_and_no_tokens(gateway, vectors, offered):
    limits = [
        {"name": "calls", "kind": "requests", "amount": 2, "per": "hour", "burst": 2},
        {"name": "words", "kind": "tokens", "amount": 1, "per": "hour", "burst": 1},
    ]
    home = house(offered, limits=limits)
    answers = [search(gateway, home, offered) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert code(answers[2]) == (429, "rate_limit_exceeded")


def test_the_record_says_who_asked_what(gateway, vectors, offered):
    home = house(offered, tags=["team"])
    headers = {"x-gatehouse-user": "alice", "x-gatehouse-tags": "team=a"}
    path = "/collections/confidential-name/points/search?timeout=9"
    body = {**QUERY, "note": "text-canary"}
    assert search(gateway, home, offered, body, path, headers=headers).status_code == 200
    admitted, completed = books.record(home, "admitted"), books.record(home, "completed")
    assert admitted.model == f"/services/{offered.name}"
    facts = admitted.body["facts"]
    assert facts["call.endpoint"] == admitted.body["endpoint"] == "service"
    assert facts["call.service"] == offered.name
    assert (facts["call.operation"], facts["call.method"]) == ("search", "POST")
    assert facts["call.tags"] == ["team=a"]
    assert (admitted.body["user"], admitted.body["upstream_model"]) == ("alice", offered.name)
    assert completed.body["status"] == 200
    written = json.dumps([admitted.body, completed.body])
    for text in ("confidential-name", "text-canary", SECRET, home.secret):
        assert text not in written


# Who may call


def test_another_app_is_told_and_another_tenant_learns_nothing(gateway, vectors, offered, home):
    other = house(offered)
    app = estate.app_create(actor=estate.ACTOR, tenant=other.tenant, name=estate.name("app"))
    _, issued = estate.virtual_key_issue(
        actor=estate.ACTOR, app=app, name="tests", pepper=estate.pepper()
    )
    assert other.publish()
    with gateway.client(issued.secret) as client:
        answer = eventually(
            lambda: (
                (found := client.post(f"/services/{offered.name}/x")).status_code != 503 and found
            )
        )
        assert code(answer) == (403, "service_not_allowed")
    stranger = estate.estate()
    with gateway.client(stranger.secret) as client:
        real = client.post(f"/services/{offered.name}/collections/a/points/search", json=QUERY)
        none = client.post("/services/nothing/collections/a/points/search", json=QUERY)
        assert code(real) == code(none) == (404, "not_found")
        assert real.text.replace(offered.name, "nothing") == none.text
    with gateway.client() as client:
        assert code(client.post(f"/services/{offered.name}/x")) == (401, "invalid_api_key")
    assert vectors.received == []
    with gateway.client(home.secret) as client:
        assert client.get("/v1/models").json()["data"] == []


# When it fails


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, (400, "upstream_rejected")),
        (401, (502, "upstream_credential_rejected")),
        (404, (400, "upstream_rejected")),
        (429, (429, "upstream_rate_limited")),
        (500, (502, "upstream_error")),
    ],
)
def test_a_bad_status_is_told_and_costs_nothing(gateway, vectors, status, expected):
    offered = service(vectors.base_url)
    home = house(offered)
    vectors.prepared = Prepared(status, b'{"error":"secret-of-the-data"}')
    answer = search(gateway, home, offered)
    assert code(answer) == expected
    assert "secret-of-the-data" not in answer.text  # no rule has seen it
    books.holds(home)
    assert books.posted(home) == 0
    assert books.record(home, "completed").body["charge"] == "not_billed"


def test_a_redirect_is_not_followed(gateway, vectors):
    offered = service(vectors.base_url)
    vectors.prepared = Prepared(307, b"{}", headers=(("location", f"{vectors.base_url}/other"),))
    assert code(search(gateway, house(offered), offered)) == (502, "upstream_error")
    assert len(vectors.received) == 1


@pytest.mark.parametrize(
    "prepared",
    [
        Prepared(body=b"<html>", content_type="text/html"),
        Prepared(body=b"{}", content_type="text/event-stream"),
        Prepared(body=b"not json"),
        Prepared(body=b"[" * 100 + b"]" * 100),
        Prepared(body=b"\x1f\x8b", headers=(("content-encoding", "gzip"),)),
        Prepared(cut=True),
    ],
)
def test_what_is_no_answer_is_refused_and_paid(gateway, vectors, prepared):
    offered = service(vectors.base_url)
    home = house(offered)
    vectors.prepared = prepared
    assert code(search(gateway, home, offered)) == (502, "upstream_error")
    books.holds(home)
    assert books.posted(home) == PRICE_MICROS


def test_an_answer_is_bounded(gateway, vectors):
    offered = service(vectors.base_url)
    vectors.prepared = Prepared(body=b'"' + b"x" * (17 * 1024 * 1024) + b'"')
    assert code(search(gateway, house(offered), offered)) == (502, "upstream_error")


def test_a_silent_service_times_out(gateway, vectors):
    offered = service(vectors.base_url, first_byte_s=1)
    home = house(offered)
    vectors.prepared = Prepared(after_s=3)
    assert code(search(gateway, home, offered)) == (504, "upstream_timeout")
    books.holds(home)
    assert books.posted(home) == PRICE_MICROS  # nobody knows that it did not work


def test_only_what_is_idempotent_is_tried_again(gateway, vectors):
    offered = service(vectors.base_url, retries=2)
    home = house(offered)
    vectors.prepared = Prepared(503, times=1)
    assert search(gateway, home, offered).status_code == 200
    assert len(vectors.received) == 2
    vectors.reset()
    vectors.prepared = Prepared(503, times=1)
    answer = ask(gateway, home, offered, "PUT", "/collections/a/points", json={"points": []})
    assert code(answer) == (502, "upstream_error")
    assert len(vectors.received) == 1


def test_a_private_address_is_refused_unless_it_was_allowed(gateway, vectors):
    allowed = service(vectors.base_url)
    type(allowed).objects.filter(pk=allowed.pk).update(allow_private=False)
    answer = search(gateway, house(allowed), allowed)
    assert code(answer) == (502, "upstream_error")
    assert "not public" in answer.json()["error"]["message"]
    assert vectors.received == []


# What is no request


@pytest.mark.parametrize(
    "case",
    [
        (b'{"a":1,"a":2}', "application/json", (400, "invalid_request")),
        (b'{"a":"\\u0000"}', "application/json", (400, "invalid_request")),
        (b"", "application/json", (400, "invalid_request")),
        (b'{"stream":true}', "application/json", (400, "invalid_request")),
        (b"{}", "text/plain", (415, "unsupported_media_type")),
        (b"{}", "application/json-seq", (415, "unsupported_media_type")),
        (b"x" * 200_001, "application/json", (413, "request_too_large")),
    ],
)
def test_a_bad_body_is_refused(gateway, vectors, offered, home, case):
    content, content_type, expected = case
    path, headers = "/collections/a/points/search", {"content-type": content_type}
    answer = ask(gateway, home, offered, "POST", path, content=content, headers=headers)
    assert code(answer) == expected
    assert vectors.received == []


def test_what_takes_no_body_gets_none(gateway, vectors, offered, home):
    answer = ask(gateway, home, offered, "DELETE", "/collections/a", content=b"{}")
    assert code(answer) == (400, "invalid_request")
    assert vectors.received == []


def test_the_more_literal_path_is_meant(gateway, vectors):
    twice = (*OPERATIONS, Operation("list", "GET", "/{any}/{other}"))
    offered = service(vectors.base_url, operations=twice)
    home = house(offered)
    vectors.prepared = Prepared()
    for path, meant in (
        ("/collections/aliases", "aliases"),
        ("/collections/x", "describe"),
        ("/other/x", "list"),
    ):
        assert ask(gateway, home, offered, "GET", path).status_code == 200
        found = eventually(lambda: books.records(home, "completed"))
        assert found
        assert books.records(home, "admitted")[-1].body["facts"]["call.operation"] == meant
