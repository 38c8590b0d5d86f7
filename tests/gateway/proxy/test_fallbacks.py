"""Other models stand in where one fails, and can do nothing that the call could not ask for."""

import json

import pytest

from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ={"GATEHOUSE_UPSTREAM_FIRST_BYTE_S": "0.5"}) as gateway:
        yield gateway


@pytest.fixture
def at(mock):
    return estate.provider(mock.base_url)


def code(answer):
    return answer.status_code, answer.json().get("error", {}).get("code")


def failing(at, *fallbacks, model="mock-status-500", **plan):
    """Make a model that fails, and for which these stand in."""
    names = [each.name for each in fallbacks]
    return estate.route((at, model), price=books.PRICE, fallbacks=names, **plan)


def served_by(mock, house):
    return [entry["model"] for entry in books.entries(mock, house)]


@pytest.mark.parametrize("stream", [False, True])
def test_the_next_model_answers_under_its_own_name_and_price(gateway, mock, at, stream):
    other = estate.route((at, "mock-tokens-3"), price=("USD", "10", "20"))
    house = estate.estate(failing(at, other), other, budgets=list(books.HARD))
    answer = gateway.chat(house.secret, house.model, stream=stream, max_tokens=9)
    assert answer.status_code == 200
    assert answer.headers["x-gatehouse-model"] == other.name
    assert served_by(mock, house) == ["mock-status-500", "mock-tokens-3"]
    first, second = books.holds(house).values()
    entry = books.entries(mock, house)[-1]
    assert (first.posted_pico, books.micros(second.posted_pico)) == (0, 10 * books.billed(entry))
    routes = [one.body["route"] for one in books.records(house, "admitted")]
    assert routes == [house.model, other.name]


def test_only_models_that_the_app_may_call_stand_in(gateway, mock, at):
    foreign = estate.route((at, "mock-foreign-tokens-1"), price=books.PRICE)
    house = estate.estate(failing(at, foreign), budgets=list(books.HARD))
    assert code(gateway.chat(house.secret, house.model)) == (502, "upstream_error")
    assert served_by(mock, house) == ["mock-status-500"]


def test_a_model_without_a_price_does_not_stand_in_under_a_hard_budget(gateway, mock, at):
    unpriced = estate.route((at, "mock-tokens-1"), price=None)
    priced = estate.route((at, "mock-tokens-2"), price=books.PRICE)
    house = estate.estate(failing(at, unpriced, priced), unpriced, priced, budgets=list(books.HARD))
    answer = gateway.chat(house.secret, house.model)
    assert answer.headers["x-gatehouse-model"] == priced.name
    assert served_by(mock, house) == ["mock-status-500", "mock-tokens-2"]


def test_a_model_into_whose_context_the_call_does_not_fit_does_not_stand_in(gateway, mock, at):
    small = estate.route((at, "mock-tokens-1"), price=books.PRICE, context_tokens=300)
    house = estate.estate(failing(at, small), small, budgets=list(books.HARD))
    fits = gateway.chat(house.secret, house.model, max_tokens=100)
    assert fits.status_code == 200
    assert code(gateway.chat(house.secret, house.model, max_tokens=290))[0] == 502
    long = gateway.chat(house.secret, house.model, text="word " * 300, max_tokens=100)
    assert code(long) == (502, "upstream_error")


def test_case_16_a_model_that_the_policy_forbids_does_not_stand_in(gateway, mock, at):
    forbidden = estate.route((at, "mock-tokens-1"), price=books.PRICE)
    capped = estate.route((at, "mock-tokens-9"), price=books.PRICE)
    policy = f"""policy: {{name}}
default: permit
rules:
  - id: not-there
    when: model.routed == "{forbidden.name}"
    deny: {{message: "Not this one."}}
  - id: less-there
    when: model.routed == "{capped.name}"
    cap: {{max_output_tokens: 2}}
"""
    house = estate.estate(
        failing(at, forbidden, capped), forbidden, capped, policy=policy, budgets=list(books.HARD)
    )
    answer = gateway.chat(house.secret, house.model)
    assert answer.headers["x-gatehouse-model"] == capped.name
    assert answer.json()["usage"]["completion_tokens"] == 2
    assert served_by(mock, house) == ["mock-status-500", "mock-tokens-9"]


def test_what_the_policy_forbids_no_other_model_does(gateway, mock, at):
    other = estate.route((at, "mock-tokens-1"), price=books.PRICE)
    first = estate.route((at, "mock"), price=books.PRICE, fallbacks=[other.name])
    policy = f"""policy: {{name}}
default: permit
rules:
  - {{id: no, when: model.routed == "{first.name}", deny: {{message: "No."}}}}
"""
    house = estate.estate(first, other, policy=policy)
    assert code(gateway.chat(house.secret, first.name)) == (403, "policy_denied")
    assert served_by(mock, house) == []


def test_case_05_without_budget_for_another_the_first_failure_is_told(gateway, mock, at):
    """A timeout may be billed: it is charged in full, and what is left does not pay for another."""
    other = estate.route((at, "mock-tokens-1"), price=("USD", "1000", "1000"))
    house = estate.estate(
        failing(at, other, model="mock-hang"), other, budgets=[{"limit_micros": 5000}]
    )
    answer = gateway.chat(house.secret, house.model, max_tokens=50)
    assert code(answer) == (504, "upstream_timeout")
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico


def test_a_call_for_its_own_fault_is_not_sent_elsewhere(gateway, mock, at):
    other = estate.route((at, "mock"), price=books.PRICE)
    house = estate.estate(failing(at, other, model="mock-status-400"), other)
    assert code(gateway.chat(house.secret, house.model)) == (400, "upstream_rejected")


def test_vectors_of_another_model_do_not_stand_in(gateway, mock, at):
    other = estate.route((at, "mock"), price=books.PRICE)
    house = estate.estate(failing(at, other), other)
    with gateway.client(house.secret) as client:
        body = {"model": house.model, "input": "text"}
        assert client.post("/v1/embeddings", json=body).status_code == 502


def test_fallbacks_of_fallbacks_are_not_followed(gateway, mock, at):
    last = estate.route((at, "mock"), price=books.PRICE)
    middle = failing(at, last)
    house = estate.estate(failing(at, middle), middle, last)
    assert code(gateway.chat(house.secret, house.model)) == (502, "upstream_error")


def test_retries_come_before_other_models(gateway, mock, at):
    other = estate.route((at, "mock-tokens-1"), price=books.PRICE)
    house = estate.estate(failing(at, other, retries=1), other)
    assert gateway.chat(house.secret, house.model).status_code == 200
    tried = [one.body["upstream_model"] for one in books.records(house, "admitted")]
    assert tried == ["mock-status-500", "mock-status-500", "mock-tokens-1"]


# Regions


def test_a_region_binds_the_model_and_what_stands_in_for_it(gateway, mock, at):
    from gateway.models import Deployment  # noqa: PLC0415

    other = estate.route((at, "mock-tokens-1"), (at, "mock-tokens-2"), price=books.PRICE)
    route = estate.route(
        (at, "mock-status-500"), (at, "mock-tokens-4"), price=books.PRICE, regional=True,
        fallbacks=[other.name],
    )  # fmt: skip
    for model, region in {
        "mock-status-500": "eu-west",
        "mock-tokens-4": "us",
        "mock-tokens-1": "us",
        "mock-tokens-2": "eu",
    }.items():
        Deployment.objects.filter(route__in=[route, other], model=model).update(region=region)
    house = estate.estate(route, other, tags=["region"])

    def ask(region):
        tags = {"x-gatehouse-tags": f"region={region}"} if region else None
        return gateway.chat(house.secret, house.model, headers=tags)

    assert ask("eu").json()["usage"]["completion_tokens"] == 2
    assert ask("us").json()["usage"]["completion_tokens"] == 4
    assert ask("").json()["usage"]["completion_tokens"] == 4
    assert code(ask("asia")) == (403, "region_not_served")


def test_a_user_keeps_to_one_deployment(gateway, mock, at):
    route = estate.route(
        *((at, f"mock-tokens-{number}", 0) for number in range(1, 5)),
        price=books.PRICE, sticky=True, strategy="least_busy",
    )  # fmt: skip
    house = estate.estate(route)
    seen = {
        user: {
            json.loads(gateway.chat(house.secret, house.model, user=user).text)["usage"][
                "completion_tokens"
            ]
            for _ in range(3)
        }
        for user in ("ann", "bob", "cid", "dan", "eve", "fay")
    }
    assert all(len(answers) == 1 for answers in seen.values())
    assert len(set.union(*seen.values())) > 1
