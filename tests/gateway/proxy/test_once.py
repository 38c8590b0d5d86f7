"""A request with an Idempotency-Key is sent once, and charged once, however often it arrives."""

import concurrent.futures
import secrets

import pytest

from gateway.services.routes import deployment_create, deployment_remove
from tenants.services.keys import virtual_key_issue, virtual_key_revoke
from tests import books, estate
from tests.caching import asked, house, key_of, republished, route_of
from tests.mock_provider import start_mock_provider
from tests.scripted import Scripted, completion
from tests.stack import Gateway, eventually

MAIL = "carol@example.org"
DENY = """
policy: {name}
default: permit
rules:
  - id: no-addresses
    phase: answer
    when: answer.pii.count > 0
    deny: {message: "No."}
"""
NOBODY = """
policy: {name}
default: permit
rules:
  - id: nobody
    when: call.endpoint == "chat.completions"
    deny: {message: "No more."}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def plain(url, model="mock", **more):
    """Make a house that keeps no answers but those of keys."""
    return house(url, model, cache_ttl_s=0, **more)


def once(gateway, home, key, text="Hello", secret=None, headers=None, **fields):
    headers = {"idempotency-key": key, **(headers or {})}
    return gateway.chat(secret or home.secret, home.model, text, headers, **fields)


def new():
    return secrets.token_hex(8)


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def is_replayed(answer):
    assert answer.status_code == 200, answer.text
    return answer.headers.get("idempotent-replayed") == "true"


def test_case_20_a_retried_call_gets_the_first_answer_and_is_billed_once(gateway, mock):
    home, key = plain(mock.base_url), new()
    first, again = once(gateway, home, key), once(gateway, home, key)
    assert (is_replayed(first), is_replayed(again)) == (False, True)
    assert again.json() == first.json()
    assert again.headers["x-gatehouse-cost-micros"] == "0"
    assert again.headers["x-gatehouse-cache"] == "bypass"
    assert asked(mock, home) == 1
    assert books.posted(home) == int(first.headers["x-gatehouse-cost-micros"]) > 0
    eventually(lambda: len(books.records(home, "completed")) == 2)
    end = books.records(home, "completed")[1]
    assert (end.code, end.cost_micros, end.body["charge"]) == ("", 0, "kept")
    assert end.body["cache"]["outcome"] == "replayed"
    assert end.body["cache"]["first"] == first.headers["x-request-id"]
    assert end.body["cache"]["saved_pico"] == "0"


def test_an_answer_told_in_another_dialect_is_the_first_too(gateway, mock):
    """Its name and its instant are those of the first call, not of the second."""
    home, key = plain(mock.base_url), new()
    body = {
        "model": home.model, "max_tokens": 20,
        "messages": [{"role": "user", "content": "Hello"}],
    }  # fmt: skip
    with gateway.client(home.secret) as client:
        found = [
            client.post("/v1/messages", json=body, headers={"idempotency-key": key})
            for _ in range(2)
        ]
    assert [is_replayed(one) for one in found] == [False, True]
    assert found[0].json() == found[1].json()


def test_a_stream_is_given_again_as_one(gateway, mock):
    home, key = plain(mock.base_url, "mock-tokens-4"), new()
    found = [once(gateway, home, key, stream=True) for _ in range(2)]
    assert [is_replayed(one) for one in found] == [False, True]
    assert found[0].text == found[1].text
    assert asked(mock, home) == 1


def test_another_request_with_the_same_key_is_refused(gateway, mock):
    home, key = plain(mock.base_url), new()
    assert not is_replayed(once(gateway, home, key))
    other = once(gateway, home, key, "Something else")
    assert code(other) == (409, "idempotency_conflict")
    assert other.headers["x-should-retry"] == "false"
    assert asked(mock, home) == 1


def test_a_request_that_is_under_way_is_not_sent_twice(gateway, mock):
    home, key = plain(mock.base_url, "mock-latency-700"), new()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(once, gateway, home, key) for _ in range(3)]
        found = [call.result() for call in calls]
    refused = [one for one in found if one.status_code != 200]
    assert len(refused) == 2
    assert {code(one) for one in refused} == {(409, "idempotency_in_progress")}
    assert refused[0].headers["retry-after"] == "1"
    assert is_replayed(once(gateway, home, key))
    assert asked(mock, home) == 1


def test_a_request_that_failed_leaves_its_key_free(gateway, mock):
    model = estate.name("failing")
    mock.behave(model, status=500, times=1)
    home, key = plain(mock.base_url, model), new()
    assert once(gateway, home, key).status_code == 502
    assert not is_replayed(once(gateway, home, key))
    assert is_replayed(once(gateway, home, key))


def test_case_20_a_key_counts_within_one_virtual_key_user_and_endpoint(gateway, mock):
    home, stranger, key = plain(mock.base_url), plain(mock.base_url), new()
    for who in (
        {},
        {"secret": key_of(home.app)},
        {"headers": {"x-gatehouse-user": "ann"}},
        {"headers": {"x-gatehouse-user": "ben"}},
    ):
        assert not is_replayed(once(gateway, home, key, **who))
        assert is_replayed(once(gateway, home, key, **who))
    assert not is_replayed(once(gateway, stranger, key))
    with gateway.client(home.secret) as client:
        body = {"model": home.model, "input": "Hello"}
        answer = client.post("/v1/embeddings", json=body, headers={"idempotency-key": key})
    assert not is_replayed(answer)


def test_rules_on_answers_look_at_it_anew(gateway):
    with Scripted(completion({"content": f"Write to {MAIL}."})) as provider:
        home, key = plain(provider.base_url), new()
        assert MAIL in once(gateway, home, key).text
        estate.attach(DENY, tenant=home.tenant)
        republished(gateway, home)
        sent = len(provider.bodies)
        assert code(once(gateway, home, key)) == (403, "policy_denied")
        assert len(provider.bodies) == sent


def test_what_a_rule_withheld_was_paid_for_and_is_not_paid_again(gateway):
    with Scripted(completion({"content": f"Write to {MAIL}."})) as provider:
        home, key = plain(provider.base_url, policy=DENY), new()
        assert [code(once(gateway, home, key)) for _ in range(2)] == [(403, "policy_denied")] * 2
        assert len(provider.bodies) == 1
        books.holds(home)
        assert books.posted(home) == 5 + 2 * 7


def test_who_may_not_call_any_more_gets_no_answer_either(gateway, mock):
    home, key = plain(mock.base_url), new()
    assert not is_replayed(once(gateway, home, key))
    estate.attach(NOBODY, tenant=home.tenant)
    home.publish()
    eventually(lambda: once(gateway, home, key).status_code == 403)
    row, issued = virtual_key_issue(
        actor=estate.ACTOR, app=home.app, name="gone", pepper=estate.pepper()
    )
    virtual_key_revoke(actor=estate.ACTOR, key=row)
    assert once(gateway, home, key, secret=issued.secret).status_code == 401


def test_an_answer_that_cannot_be_given_again_is_not_made_again(gateway, mock):
    home, key = plain(mock.base_url), new()
    assert not is_replayed(once(gateway, home, key))
    route = route_of(home)
    gone = route.deployments.get()
    deployment_create(
        actor=estate.ACTOR, route=route, provider=gone.provider, model="mock-tokens-3"
    )
    deployment_remove(actor=estate.ACTOR, deployment=gone)
    republished(gateway, home)
    assert code(once(gateway, home, key)) == (409, "idempotency_conflict")


def test_an_answer_that_is_too_large_to_be_kept_is_not_made_again(gateway):
    with Scripted(completion({"content": "x" * (4 * 1024 * 1024)})) as provider:
        home, key = plain(provider.base_url), new()
        assert once(gateway, home, key).status_code == 200
        assert code(once(gateway, home, key)) == (409, "idempotency_conflict")
        assert len(provider.bodies) == 1


def test_a_hit_of_the_cache_is_given_again_too(gateway, mock):
    home, key = house(mock.base_url), new()
    first = gateway.chat(home.secret, home.model)
    hit, again = once(gateway, home, key), once(gateway, home, key)
    assert (hit.headers["x-gatehouse-cache"], is_replayed(hit)) == ("hit", False)
    assert is_replayed(again)
    assert first.json() == hit.json() == again.json()
    end = eventually(lambda: books.records(home, "completed")[2:])[0]
    assert end.body["cache"]["first"] == hit.headers["x-request-id"]


@pytest.mark.parametrize("key", ["", "x" * 201, "two words", "caf\xe9"])
def test_what_is_no_key_is_refused_by_name(gateway, mock, key):
    home = plain(mock.base_url)
    with gateway.client(home.secret) as client:
        body = {"model": home.model, "messages": [{"role": "user", "content": "Hello"}]}
        answer = client.post(
            "/v1/chat/completions", json=body, headers={"idempotency-key": key.encode("latin-1")}
        )
    assert code(answer) == (400, "invalid_request")
    assert answer.json()["error"]["param"] == "idempotency-key"
    assert asked(mock, home) == 0


def test_without_redis_nobody_can_promise_and_the_call_is_not_sent(db, mock):
    with Gateway(environ={"GATEHOUSE_CACHE_URL": "redis://127.0.0.1:1/0"}) as gateway:
        home = plain(mock.base_url)
        answer = once(gateway, home, new())
        assert code(answer) == (503, "idempotency_unavailable")
        assert answer.headers["retry-after"] == "1"
        assert gateway.chat(home.secret, home.model).status_code == 200
        assert asked(mock, home) == 1
