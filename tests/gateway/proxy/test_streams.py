"""P8, case 17: streams under answer rules, over real connections, in each dialect of clients and
providers: what leaves, when it leaves, and how a stream ends that is denied on its way."""

import contextlib
import json

import pytest

from gateway.exchange import Endpoint, Usage
from gateway.providers.conversation import Text
from gateway.providers.dialects import CLIENTS, NATIVE, between
from gateway.providers.withheld.dialects import WITHHELD
from tests import books, estate
from tests.gateway.providers.withheld.judging import gathered, reply, said, written
from tests.gateway.proxy.paced import Paced
from tests.gateway.proxy.test_answers import DENY_ANSWERS, MASK_ANSWERS
from tests.gateway.proxy.test_obligations import PATHS, ask
from tests.mock_provider import start_mock_provider
from tests.planting import MAIL, house, leaks
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway, eventually

ENDPOINTS = list(WITHHELD)
USAGE = Usage(5, 7)
BASES = {
    "openai": "/v1",
    "anthropic": "/v1",
    "azure-openai": "/openai/v1",
    "gemini": "/v1beta",
    "bedrock": "",
    "simulated": None,
}
PAIRS = [
    (endpoint, dialect)
    for endpoint in ENDPOINTS
    for dialect in BASES
    if between(endpoint, dialect)
    and not (
        dialect == "azure-openai"
        and (endpoint, "openai") in NATIVE
        and endpoint != "chat.completions"
    )
]
"""All there are, but what Azure serves as OpenAI does: the provider of the tests has it once."""
AWS = {"access_key_id": "AKID", "secret_access_key": "aws-canary", "region": "eu-central-1"}
COUNTING = """
policy: {name}
default: permit
rules:
  - id: many
    phase: answer
    when: answer.pii.count > 1
    deny: {message: Too many.}
"""
MASK_REQUESTS = """
policy: {name}
default: permit
rules:
  - {id: mask, when: pii.count > 0, redact: {kinds: all, method: mask}}
"""
DENY_REQUESTS = """
policy: {name}
default: permit
rules:
  - {id: no, when: pii.count > 0, deny: {message: No.}}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def home_of(mock, dialect, policy):
    """Make a house whose provider speaks a dialect and says what it is told."""
    if dialect == "simulated":
        return house(policy, (None, "simulated-echo"))
    secret = json.dumps(AWS) if dialect == "bedrock" else "key-canary"
    made = estate.provider(mock.origin + BASES[dialect], secret=secret, dialect=dialect)
    route = estate.route((made, "mock-echo"), price=books.PRICE)
    return estate.estate(route, policy=policy)


def visible(endpoint, answer, *, streamed):
    """Return the words that a client reads."""
    if streamed:
        ((_, words, _),) = gathered(endpoint, answer.content)
    else:
        ((_, words, _),) = said(endpoint, answer.json())
    return words


def recorded(home, count):
    """Return the records of so many completed calls, once they are there."""
    found = books.records(home, "completed")
    return found if len(found) == count else None


def say(endpoint, text):
    """Return the fields of a request that says a text."""
    key = {Endpoint.COMPLETIONS: "prompt", Endpoint.RESPONSES: "input"}.get(endpoint)
    return {key: text} if key else {"messages": [{"role": "user", "content": text}]}


@pytest.mark.parametrize(("endpoint", "dialect"), PAIRS)
@pytest.mark.parametrize("policy", [MASK_ANSWERS, MASK_REQUESTS], ids=["answer", "request"])
def test_the_matrix_of_what_is_masked(gateway, mock, endpoint, dialect, policy):
    home = home_of(mock, dialect, policy)
    given = say(endpoint, f"Write to {MAIL} now.")
    for streamed in (False, True):
        answer = ask(gateway, home, endpoint, stream=streamed, **given)
        assert answer.status_code == 200, answer.text
        assert visible(endpoint, answer, streamed=streamed) == "Write to <EMAIL_ADDRESS> now."
        assert not leaks(answer.text)
    one, other = eventually(lambda: recorded(home, 2))
    assert one.body.get("decision") == other.body.get("decision")
    assert one.body.get("findings") == other.body.get("findings")


@pytest.mark.parametrize(("endpoint", "dialect"), PAIRS)
@pytest.mark.parametrize("policy", [DENY_ANSWERS, DENY_REQUESTS], ids=["answer", "request"])
def test_the_matrix_of_what_is_denied(gateway, mock, endpoint, dialect, policy):
    home = home_of(mock, dialect, policy)
    for streamed in (False, True):
        answer = ask(gateway, home, endpoint, stream=streamed, **say(endpoint, MAIL))
        assert answer.status_code == 403, answer.text
        assert not leaks(answer.text)


# The order of events


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_first_words_do_not_wait_for_the_last(gateway, endpoint):
    told = reply((Text(f"Good day to you all, and write to {MAIL} now."),), usage=USAGE)
    events = written(endpoint, told, iter([5] * 99))
    dialect = "anthropic" if endpoint is Endpoint.MESSAGES else "openai"
    with Paced(b"".join(events[:8]), b"".join(events[8:])) as provider:
        made = estate.provider(provider.base_url, dialect=dialect)
        home = estate.estate(estate.route((made, "m"), price=books.PRICE), policy=MASK_ANSWERS)
        got = b""
        with opened(gateway, home, endpoint) as answer:
            for data in answer.iter_bytes():
                got += data
                if b"Good" in got:
                    provider.go.release(2)  # before that the provider says nothing more
    assert not leaks(got.decode())
    ((_, words, _),) = gathered(endpoint, got)
    assert words == "Good day to you all, and write to <EMAIL_ADDRESS> now."


@contextlib.contextmanager
def opened(gateway, home, endpoint):
    """Open a stream at an endpoint."""
    body = {"model": home.model, "stream": True, **say(endpoint, "Hi")}
    if endpoint is Endpoint.MESSAGES:
        body["max_tokens"] = 64
    with (
        gateway.client(home.secret) as client,
        client.stream("POST", PATHS[endpoint], json=body) as answer,
    ):
        yield answer


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_case_17_a_stream_that_is_denied_ends_well_formed_and_hangs_up(gateway, endpoint):
    told = reply((Text(f"Good day. Write to {MAIL} now, and then more."),), usage=USAGE)
    events = written(endpoint, told, iter([5] * 99))
    dialect = "anthropic" if endpoint is Endpoint.MESSAGES else "openai"
    with Paced(b"".join(events[:8]), b"".join(events[8:-2])) as provider:
        made = estate.provider(provider.base_url, dialect=dialect)
        route = estate.route((made, "m"), price=books.PRICE)
        home = estate.estate(route, policy=DENY_ANSWERS, budgets=list(books.HARD))
        text = ""
        with opened(gateway, home, endpoint) as answer:
            for data in answer.iter_text():
                text += data
                if "Good" in data:
                    provider.go.release()
        assert provider.closed.wait(20)
    assert answer.status_code == 200
    assert "Good" in text
    assert "The answer holds EMAIL_ADDRESS." in text
    assert "policy_denied" in text
    assert text.endswith("\n\n")
    assert not leaks(text)
    (hold,) = books.holds(home).values()
    assert hold.posted_pico == hold.bound_pico
    record = books.record(home, "completed")
    assert (record.code, record.body["decision"]["effect"]) == ("policy_denied", "deny")
    assert record.body["decision"]["matched"]
    assert record.body["facts"]["answer.pii.kinds"] == ["EMAIL_ADDRESS"]


def test_case_17_what_more_than_the_first_finding_decides_waits_for_the_end(gateway):
    words = [(0, {"content": f"Good day {MAIL} "}), (0, {"content": "and bob@example.com."})]
    with Scripted(stream(*words)) as provider:
        home = house(COUNTING, (provider.base_url, "m"))
        answer = gateway.chat(home.secret, home.model, stream=True)
        assert (answer.status_code, answer.json()["error"]["rule"]) == (403, "many")
        provider.prepared = 200, {}, stream(words[0])
        answer = gateway.chat(home.secret, home.model, stream=True)
        assert "Good day" in answer.text


def test_who_asks_for_tokens_gets_them_with_the_whole(gateway):
    told = {"token": MAIL, "logprob": -1.0, "bytes": None, "top_logprobs": []}
    body = stream((0, {"content": f"To {MAIL}"}))
    body = body.replace(
        b'"finish_reason":null',
        b'"finish_reason":null,"logprobs":' + json.dumps({"content": [told]}).encode(),
    )
    with Scripted(body) as provider:
        home = house(MASK_ANSWERS, (provider.base_url, "m"))
        answer = gateway.chat(home.secret, home.model, stream=True, logprobs=True)
        assert not leaks(answer.text)
        assert '"token":"<EMAIL_ADDRESS>"' in answer.text
        answer = gateway.chat(home.secret, home.model, stream=True)
        assert not leaks(answer.text)
        assert '"token"' not in answer.text


# Placeholders

PLACEHOLDERS = """
policy: {name}
default: permit
rules:
  - id: away
    when: pii.count > 0
    redact: {kinds: all, min_score: 0.4, method: placeholder}
"""
CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize("policy", [PLACEHOLDERS, PLACEHOLDERS + MASK_ANSWERS.split("rules:")[1]])
@pytest.mark.parametrize(("endpoint", "dialect"), PAIRS)
def test_what_the_provider_never_saw_is_in_the_answer_again(
    gateway, mock, endpoint, dialect, policy
):
    home = home_of(mock, dialect, policy)
    said_by_user = f"Write to {MAIL}, {CARD} and {MAIL} now."
    for streamed in (False, True):
        answer = ask(gateway, home, endpoint, stream=streamed, **say(endpoint, said_by_user))
        assert visible(endpoint, answer, streamed=streamed) == said_by_user
        if dialect != "simulated":
            assert not leaks(json.dumps(mock.books()[-1]["body"]))
    for record in books.records(home, "admitted"):
        assert record.body["placeholders"] == 2
        assert not leaks(json.dumps(record.body))


def test_placeholders_stay_the_same_over_turns_and_differ_between_conversations(gateway, mock):
    home = home_of(mock, "openai", PLACEHOLDERS)
    first = [{"role": "user", "content": f"I am {MAIL}"}]
    second = [
        *first,
        {"role": "assistant", "content": f"Hi {MAIL}"},
        {"role": "user", "content": "?"},
    ]

    def heard(messages, **headers):
        with gateway.client(home.secret) as client:
            body = {"model": home.model, "messages": messages}
            client.post("/v1/chat/completions", json=body, headers=headers)
        return [one["content"] for one in mock.books()[-1]["body"]["messages"]]

    (one,) = heard(first)
    assert heard(second)[:2] == [one, one.replace("I am", "Hi")]
    other = {"x-gatehouse-conversation": "another"}
    assert heard(first, **other) != [one]
    assert heard(first, **other) == heard(first, **other)


def test_case_21_only_what_this_request_had_taken_out_is_put_back(gateway):
    """A placeholder that a client wrote itself is never taken for one of ours."""
    with Scripted(completion({"content": "x"})) as provider:
        home = house(PLACEHOLDERS, (provider.base_url, "m"))
        gateway.chat(home.secret, home.model, f"I am {MAIL}")
        made = provider.bodies[-1]["messages"][0]["content"].removeprefix("I am ")
        foreign = made.replace("_1_", "_7_")
        provider.prepared = 200, {}, completion({"content": f"{made} {foreign}"})
        answer = gateway.chat(home.secret, home.model, f"I am {MAIL}").json()
        assert answer["choices"][0]["message"]["content"] == f"{MAIL} {foreign}"
        spoken = gateway.chat(home.secret, home.model, f"I am {MAIL} {made}").json()
        assert spoken["choices"][0]["message"]["content"] == f"{made} {foreign}"
        assert provider.bodies[-1]["messages"][0]["content"].endswith(made)
        again = gateway.chat(home.secret, home.model, "I am nobody").json()
        assert again["choices"][0]["message"]["content"] == f"{made} {foreign}"


@pytest.mark.parametrize("streamed", [False, True])
def test_placeholders_are_put_back_in_arguments_and_in_other_spellings(gateway, streamed):
    with Scripted(completion({"content": "x"})) as provider:
        home = house(PLACEHOLDERS, (provider.base_url, "m"))
        gateway.chat(home.secret, home.model, f"I am {MAIL}")
        made = provider.bodies[-1]["messages"][0]["content"].removeprefix("I am ")
        loose = made.lower().replace("[", "[ ").replace("_address", " address")
        arguments = json.dumps({"to": made})
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
        if streamed:
            pieces = [(0, {"content": char}) for char in f"To {made} or {loose}."]
            body = stream(*pieces, (0, {"tool_calls": [{"index": 0, **call}]}))
        else:
            body = completion({"content": f"To {made} or {loose}.", "tool_calls": [call]})
        provider.prepared = 200, {}, body
        answer = gateway.chat(home.secret, home.model, f"I am {MAIL}", stream=streamed)
        ((_, words, calls),) = (
            gathered(Endpoint.CHAT, answer.content)
            if streamed
            else said(Endpoint.CHAT, answer.json())
        )
    assert words == f"To {MAIL} or {MAIL}."
    assert calls == [("f", {"to": MAIL})]


def test_what_the_model_says_by_itself_is_judged_before_anything_is_put_back(gateway):
    both = PLACEHOLDERS + MASK_ANSWERS.split("rules:")[1]
    with Scripted(completion({"content": "x"})) as provider:
        home = house(both, (provider.base_url, "m"))
        gateway.chat(home.secret, home.model, f"I am {MAIL}")
        made = provider.bodies[-1]["messages"][0]["content"].removeprefix("I am ")
        provider.prepared = 200, {}, completion({"content": f"{made} is not eve@example.com"})
        answer = gateway.chat(home.secret, home.model, f"I am {MAIL}").json()
    assert answer["choices"][0]["message"]["content"] == f"{MAIL} is not <EMAIL_ADDRESS>"


def test_every_client_dialect_is_looked_at_here():
    assert set(ENDPOINTS) == set(CLIENTS)


def test_nothing_of_this_was_a_fault_of_ours(gateway):
    log = gateway.output()
    assert "internal_error" not in log
    assert not leaks(log)
