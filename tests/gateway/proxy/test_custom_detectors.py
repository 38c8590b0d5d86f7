"""What a tenant looks for itself is denied, redacted, counted and recorded, in JSON and in streams;
and a change of it holds for the next call."""

import json

import pytest

from policies.detectors.custom import HELD_MAX
from tenants.services.tenants import tenant_update
from tests import books, estate
from tests.gateway.proxy.test_answers import spoken
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway, eventually

DETECTORS = (
    {"kind": "PROJECT_CODENAME", "words": ["Bluebird", "Red Kite"], "score": 0.9},
    {"kind": "CUSTOMER_NUMBER", "patterns": [r"\bCN-\d{8}\b"], "validator": "luhn"},
    {"kind": "BLOCKED", "words": ["forbidden fruit"]},
)
NUMBER = "CN-49927395"  # the digits of it end in their check digit
WRONG = "CN-49927396"
POLICY = """
policy: {name}
default: permit
rules:
  - id: blocked
    when: findings.exists(f, f.category == "custom" && f.kind == "BLOCKED")
    deny: {message: "Not this: {custom.kinds}.", remedy: "Leave it out."}
  - id: mask
    when: custom.count > 0
    redact: {custom: [CUSTOMER_NUMBER], method: placeholder}
  - id: mask-answers
    phase: answer
    when: answer.custom.count > 0
    redact: {custom: [PROJECT_CODENAME], method: mask}
  - id: no-answer
    phase: answer
    when: '"BLOCKED" in answer.custom.kinds'
    deny: {message: "Not this."}
"""


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def scripted():
    with Scripted(b"{}") as scripted:
        yield scripted


@pytest.fixture(scope="module")
def home(gateway, scripted):
    del gateway
    route = estate.route((estate.provider(scripted.base_url), "scripted"), price=books.PRICE)
    return estate.estate(route, policy=POLICY, detectors=DETECTORS)


def streamed(gateway, scripted, home, text):
    """Return what a client is told of a stream that comes in pieces of three characters."""
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    body = stream(*((0, {"content": piece}) for piece in pieces))
    scripted.prepared = 200, {"content-type": "text/event-stream"}, body
    return gateway.chat(home.secret, home.model, stream=True)


def whole(gateway, scripted, home, text, asked="Hello"):
    """Return what a client is told of an answer that comes whole."""
    scripted.prepared = 200, {"content-type": "application/json"}, completion({"content": text})
    return gateway.chat(home.secret, home.model, asked)


def content(answer):
    return answer.json()["choices"][0]["message"]["content"]


def test_a_word_in_a_request_denies_and_the_record_says_which_kind(gateway, home):
    refused = gateway.chat(home.secret, home.model, "Buy FORBIDDEN\u200b  fruit and Bluebird.")
    assert refused.status_code == 403
    assert "Not this: BLOCKED, PROJECT_CODENAME." in refused.json()["error"]["message"]
    denied = eventually(lambda: books.records(home, "refused"))[-1]
    facts = denied.body["facts"]
    assert facts["custom.count"] == 2
    assert facts["custom.kinds"] == ["BLOCKED", "PROJECT_CODENAME"]
    assert facts["custom.max_score"] == 1.0
    assert "fruit" not in json.dumps(denied.body)


def test_a_number_leaves_as_a_placeholder_and_comes_back(gateway, scripted, home):
    asked = f"Is it {NUMBER} or {WRONG}?"
    assert whole(gateway, scripted, home, "Fine.", asked).status_code == 200
    sent = scripted.bodies[-1]["messages"][-1]["content"]
    assert NUMBER not in sent
    assert WRONG in sent
    placeholder = sent.removeprefix("Is it ").partition(" ")[0]
    assert placeholder.startswith("[CUSTOMER_NUMBER_1_")
    assert content(whole(gateway, scripted, home, f"It is {placeholder}.", asked)) == (
        f"It is {NUMBER}."
    )
    record = books.records(home, "completed")[-1]
    facts = books.records(home, "admitted")[-1].body["facts"]
    assert (facts["custom.count"], facts["custom.kinds"]) == (1, ["CUSTOMER_NUMBER"])
    assert NUMBER not in json.dumps(record.body)


SAID = "We call it bluebird, or red\n kite, or red kites. So it is."
MASKED = "We call it <PROJECT_CODENAME>, or <PROJECT_CODENAME>, or red kites. So it is."


def test_an_answer_is_redacted_alike_whole_and_in_a_stream(gateway, scripted, home):
    assert content(whole(gateway, scripted, home, SAID)) == MASKED
    assert spoken(streamed(gateway, scripted, home, SAID).text) == MASKED
    facts = eventually(lambda: books.records(home, "completed"))[-1].body["facts"]
    assert facts["answer.custom.kinds"] == ["PROJECT_CODENAME"]
    assert facts["answer.custom.count"] == 2
    assert facts["answer.custom.max_score"] == 0.9


def test_an_answer_is_denied_alike_whole_and_in_a_stream(gateway, scripted, home):
    text = "So it goes. " * 30 + "It is forbidden  fruit, I say."
    refused = whole(gateway, scripted, home, text)
    assert refused.status_code == 403
    cut = streamed(gateway, scripted, home, text).text
    assert "policy_denied" in cut
    assert "forbidden" not in cut


def long_match(length):
    return [
        {
            "kind": "BLOCKED",
            "patterns": ["begin of it[\\s\\S]*end of it"],
            "max_length": length,
        }
    ]


@pytest.mark.parametrize(("longest", "status"), [(HELD_MAX, 200), (HELD_MAX + 1, 403)])
def test_an_answer_is_gathered_whole_where_a_match_is_longer_than_is_held(
    gateway, scripted, longest, status
):
    route = estate.route((estate.provider(scripted.base_url), "scripted"), price=books.PRICE)
    home = estate.estate(route, policy=POLICY, detectors=long_match(longest))
    pieces = ["So it goes. " * 60] * 24 + ["The begin of it ", "and the end of it."]
    padding = "x" * 30_000  # so that it cannot arrive at once
    body = stream(*((0, {"content": piece, "padding": padding}) for piece in pieces))
    scripted.prepared = 200, {"content-type": "text/event-stream"}, body
    told = gateway.chat(home.secret, home.model, stream=True)
    assert told.status_code == status
    assert ("So it goes." in told.text) == (status == 200)
    assert "policy_denied" in told.text
    assert "end of it" not in told.text


def test_a_change_holds_for_the_next_calls(gateway, scripted, home):
    assert whole(gateway, scripted, home, "Fine.", "a night heron").status_code == 200
    more = [*DETECTORS[:2], {"kind": "BLOCKED", "words": ["forbidden fruit", "night heron"]}]
    assert tenant_update(actor=estate.ACTOR, tenant=home.tenant, detectors=more)
    home.publish()

    def refused():
        return whole(gateway, scripted, home, "Fine.", "a night heron").status_code == 403

    assert eventually(refused)
