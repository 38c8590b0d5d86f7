"""Answers that are kept: given again as if their provider had just sent them."""

import pytest

from tests import books, estate
from tests.caching import asked, house, how, republished
from tests.mock_provider import start_mock_provider
from tests.scripted import Scripted, completion
from tests.stack import Gateway, eventually

MAIL = "carol@example.org"
MASK = """
policy: {name}
default: permit
rules:
  - id: mask-answers
    phase: answer
    when: answer.pii.count > 0
    redact: {kinds: all, min_score: 0.1, method: mask}
"""
MASK_REQUESTS = """
policy: {name}
default: permit
rules:
  - id: mask-requests
    when: pii.count > 0
    redact: {kinds: all, min_score: 0.1, method: mask}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def test_a_hit_is_the_first_answer_at_no_cost(gateway, mock):
    home = house(mock.base_url)
    first = gateway.chat(home.secret, home.model, "A question")
    assert how(first) == "miss"
    again = gateway.chat(home.secret, home.model, "A question")
    assert how(again) == "hit"
    assert again.json() == first.json()
    assert again.headers["age"] == "0"
    assert again.headers["x-gatehouse-cost-micros"] == "0"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert how(gateway.chat(home.secret, home.model, "Another question")) == "miss"
    assert asked(mock, home) == 2


def test_case_20_a_hit_is_decided_recorded_and_settled_like_any_call(gateway, mock):
    home = house(mock.base_url)
    first = gateway.chat(home.secret, home.model)
    eventually(lambda: len(books.records(home, "completed")) == 1)
    assert how(gateway.chat(home.secret, home.model)) == "hit"
    eventually(lambda: len(books.records(home, "completed")) == 2)
    missed, hit = books.records(home, "completed")
    assert missed.body["cache"] == {"outcome": "miss"}
    assert (hit.code, hit.cost_micros, hit.body["charge"]) == ("", 0, "kept")
    assert "usage" not in hit.body
    assert hit.body["cache"] == {
        "outcome": "hit",
        "age_s": hit.body["cache"]["age_s"],
        "stale": False,
        "saved_pico": missed.body["cost_pico"],
        "currency": "USD",
        "first": first.headers["x-request-id"],
    }
    assert hit.body["digest"] == missed.body["digest"]
    assert len(books.records(home, "admitted")) == 2
    assert books.posted(home) == missed.cost_micros  # the money once
    paid, free = books.holds(home).values()
    assert (int(paid.posted_pico), int(free.bound_pico), int(free.posted_pico)) == (
        int(missed.body["cost_pico"]), 0, 0,
    )  # fmt: skip


def test_a_hit_may_cost_a_part_of_what_the_answer_cost(gateway, mock):
    home = house(mock.base_url, cache_hit_percent=50)
    first = gateway.chat(home.secret, home.model)
    again = gateway.chat(home.secret, home.model)
    assert how(again) == "hit"
    costs = [int(one.headers["x-gatehouse-cost-micros"]) for one in (first, again)]
    assert costs[1] == -(-costs[0] // 2) > 0
    assert len(books.holds(home)) == 2
    eventually(lambda: books.posted(home) == sum(costs))


def test_what_costs_nothing_is_given_when_the_money_is_spent(gateway, mock):
    home = house(mock.base_url, budgets=[{"limit_micros": 1300}])
    assert how(gateway.chat(home.secret, home.model, "One", max_tokens=500)) == "miss"
    for text in map(str, range(200)):
        if gateway.chat(home.secret, home.model, text, max_tokens=500).status_code == 429:
            break
    assert gateway.chat(home.secret, home.model, "Two", max_tokens=500).status_code == 429
    assert how(gateway.chat(home.secret, home.model, "One", max_tokens=500)) == "hit"


def test_a_hit_counts_against_the_rate_of_requests(gateway, mock):
    home = house(mock.base_url, limits=[{"kind": "requests", "amount": 2, "per": "hour"}])
    found = [gateway.chat(home.secret, home.model) for _ in range(3)]
    assert [one.status_code for one in found] == [200, 200, 429]
    assert how(found[1]) == "hit"


@pytest.mark.parametrize("path", ["chat/completions", "responses", "messages"])
@pytest.mark.parametrize("streamed", [False, True])
def test_every_endpoint_gets_its_answers_in_its_own_form(gateway, mock, path, streamed):
    """Also where the provider speaks another dialect than the client."""
    home = house(mock.base_url)
    fields = {
        "chat/completions": {"messages": [{"role": "user", "content": "Hello"}]},
        "responses": {"input": "Hello"},
        "messages": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50},
    }[path]
    with gateway.client(home.secret) as client:
        found = [
            client.post(f"/v1/{path}", json={"model": home.model, "stream": streamed, **fields})
            for _ in range(2)
        ]
    assert [how(one) for one in found] == ["miss", "hit"]
    texts = [one.text for one in found]
    if path == "messages":  # an answer that is told in another dialect is named by its call
        texts = [
            text.replace(f"{one.headers['x-request-id']}", "ID")
            for text, one in zip(texts, found, strict=True)
        ]
    kinds = {one.headers["content-type"].partition(";")[0] for one in found}
    assert kinds == {"text/event-stream" if streamed else "application/json"}
    assert len(texts[0]) == len(texts[1])
    assert asked(mock, home) == 1


def test_a_stream_is_recorded_and_given_again_as_a_stream(gateway, mock):
    home = house(mock.base_url, "mock-tokens-5")
    first = gateway.chat(home.secret, home.model, stream=True)
    again = gateway.chat(home.secret, home.model, stream=True)
    assert (how(first), how(again)) == ("miss", "hit")
    assert again.text == first.text
    assert again.text.endswith("data: [DONE]\n\n")
    assert how(gateway.chat(home.secret, home.model)) == "miss"  # a stream is no whole answer


def test_other_vectors_of_the_same_model_are_kept_too(gateway, mock):
    home = house(mock.base_url)
    with gateway.client(home.secret) as client:
        body = {"model": home.model, "input": ["one", "two"]}
        found = [client.post("/v1/embeddings", json=body) for _ in range(2)]
    assert [how(one) for one in found] == ["miss", "hit"]
    assert found[0].json() == found[1].json()


def test_case_20_rules_on_answers_look_at_a_kept_answer_anew(gateway):
    """The key holds the policy; what is kept is what the provider said, and each reader looks."""
    with Scripted(completion({"content": f"Write to {MAIL}."})) as provider:
        home = house(provider.base_url, policy=MASK)
        first = gateway.chat(home.secret, home.model)
        again = gateway.chat(home.secret, home.model)
        assert (how(first), how(again)) == ("miss", "hit")
        assert MAIL not in first.text + again.text
        assert first.json() == again.json()
        assert len(provider.bodies) == 1
    hit = eventually(lambda: books.records(home, "completed")[1:])[0]
    assert hit.body["decision"]["matched"] == ["mask-answers"] or hit.body["findings"]


def test_case_20_a_new_policy_finds_nothing_of_the_old_one(gateway):
    with Scripted(completion({"content": f"Write to {MAIL}."})) as provider:
        home = house(provider.base_url)
        assert MAIL in gateway.chat(home.secret, home.model).text
        assert how(gateway.chat(home.secret, home.model)) == "hit"
        estate.attach(MASK, tenant=home.tenant)
        republished(gateway, home)
        changed = gateway.chat(home.secret, home.model)
        assert how(changed) == "miss"
        assert MAIL not in changed.text


def test_what_a_rule_withholds_is_not_kept(gateway):
    deny = """
policy: {name}
default: permit
rules:
  - id: none
    phase: answer
    when: answer.pii.count > 0
    deny: {message: "No."}
"""
    with Scripted(completion({"content": f"Write to {MAIL}."})) as provider:
        home = house(provider.base_url, policy=deny)
        found = [gateway.chat(home.secret, home.model) for _ in range(2)]
        assert {one.status_code for one in found} == {403}
        assert len(provider.bodies) == 2


def test_requests_that_differ_in_what_is_taken_out_of_them_share_an_answer(gateway):
    """What was judged and sent is what counts."""
    with Scripted(completion({"content": "Yes."})) as provider:
        home = house(provider.base_url, policy=MASK_REQUESTS)
        assert how(gateway.chat(home.secret, home.model, "I am carol@example.org")) == "miss"
        assert how(gateway.chat(home.secret, home.model, "I am peter@example.org")) == "hit"
