"""What a policy says of an answer is done before it leaves: nothing that it takes out or forbids is
seen, in whichever leaf of the JSON, choice, tool call or piece of a stream it stands."""

import json

import pytest

from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.planting import MAIL, house, leaks, planted, tool_call
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway

MASK_ANSWERS = """
policy: {name}
default: permit
rules:
  - id: mask-answers
    phase: answer
    when: answer.pii.count > 0
    redact: {kinds: all, min_score: 0.1, method: mask}
"""
DENY_ANSWERS = """
policy: {name}
default: permit
rules:
  - id: no-addresses
    phase: answer
    when: answer.pii.kinds.exists(k, k == "EMAIL_ADDRESS")
    deny: {message: "The answer holds {answer.pii.kinds}.", remedy: "Ask for something else."}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def chunks(text):
    """Return the events of a stream, which must be well-formed to its end."""
    events = text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def spoken(text, choice=0):
    """Return the content that a stream spells for one choice."""
    deltas = [
        one["delta"].get("content") or ""
        for chunk in chunks(text)
        for one in chunk["choices"]
        if one["index"] == choice
    ]
    return "".join(deltas)


# Answers: masked


@pytest.mark.parametrize("model", ["simulated-echo", "mock-echo"])
def test_an_address_in_an_answer_is_masked_whole_or_streamed(gateway, mock, model):
    home = house(MASK_ANSWERS, (mock.base_url if "mock" in model else None, model))
    said = f"Write to {MAIL} today."
    whole = gateway.chat(home.secret, home.model, said)
    assert whole.json()["choices"][0]["message"]["content"] == "Write to <EMAIL_ADDRESS> today."
    streamed = gateway.chat(home.secret, home.model, said, stream=True)
    assert spoken(streamed.text) == "Write to <EMAIL_ADDRESS> today."
    assert not leaks(whole.text)
    assert not leaks(streamed.text)
    for record in books.records(home, "completed"):
        assert record.body["findings"]
        assert record.body["decision"]["matched"]


def test_p15_it_does_not_matter_where_a_stream_is_split(gateway):
    with Scripted(b"") as provider:
        home = house(MASK_ANSWERS, (provider.base_url, "m"))
        for cut in range(1, len(MAIL)):
            pieces = stream(
                (0, {"content": f"To {MAIL[:cut]}"}), (0, {"content": MAIL[cut:] + "."})
            )
            provider.prepared = 200, {}, pieces
            answer = gateway.chat(home.secret, home.model, stream=True)
            assert spoken(answer.text) == "To <EMAIL_ADDRESS>."
            assert not leaks(answer.text)


@pytest.mark.parametrize("pieces", [1, 3, 17])
def test_p26_it_does_not_matter_how_the_bytes_of_a_stream_arrive(gateway, mock, pieces):
    home = house(MASK_ANSWERS, (mock.base_url, f"mock-echo-pieces-{pieces}"))
    answer = gateway.chat(home.secret, home.model, f"Grüße an {MAIL}!", stream=True)
    assert spoken(answer.text) == "Grüße an <EMAIL_ADDRESS>!"


@pytest.mark.parametrize("streamed", [False, True])
def test_p16_every_choice_is_inspected(gateway, mock, streamed):
    home = house(MASK_ANSWERS, (mock.base_url, "mock-echo"))
    answer = gateway.chat(home.secret, home.model, f"I am {MAIL}", n=3, stream=streamed)
    if streamed:
        texts = [spoken(answer.text, index) for index in range(3)]
    else:
        texts = [choice["message"]["content"] for choice in answer.json()["choices"]]
    assert texts == ["I am <EMAIL_ADDRESS>"] * 3
    assert not leaks(answer.text)


def test_p15_two_choices_that_take_turns_are_not_mixed(gateway):
    half, rest = MAIL[:9], MAIL[9:]
    turns = [
        (0, {"content": half}),
        (1, {"content": "all "}),
        (0, {"content": rest}),
        (1, {"content": "well"}),
    ]
    with Scripted(stream(*turns, choices=2)) as provider:
        home = house(MASK_ANSWERS, (provider.base_url, "m"))
        answer = gateway.chat(home.secret, home.model, stream=True, n=2)
    assert [spoken(answer.text, index) for index in range(2)] == ["<EMAIL_ADDRESS>", "all well"]
    assert not leaks(answer.text)


@pytest.mark.parametrize("escaped", [False, True])
def test_case_17_the_arguments_of_a_tool_call_are_read_as_what_they_say(gateway, escaped):
    arguments = json.dumps({"to": [MAIL], "text": "Hi"})
    if escaped:
        arguments = arguments.replace("@", "\\u0040")
    half = len(arguments) // 2
    first = tool_call(arguments[:half], index=0)
    second = {"index": 0, "function": {"arguments": arguments[half:]}}
    bodies = {
        False: completion(
            {"content": None, "tool_calls": [tool_call(arguments)]}, finish="tool_calls"
        ),
        True: stream(
            (0, {"tool_calls": [first]}), (0, {"tool_calls": [second]}), finish="tool_calls"
        ),
    }
    with Scripted(b"") as provider:
        home = house(MASK_ANSWERS, (provider.base_url, "m"))
        for streamed, body in bodies.items():
            provider.prepared = 200, {}, body
            answer = gateway.chat(home.secret, home.model, stream=streamed)
            assert not leaks(answer.text)
            if streamed:
                calls = [
                    c
                    for e in chunks(answer.text)
                    for c in e["choices"][0]["delta"].get("tool_calls", ())
                ]
            else:
                calls = answer.json()["choices"][0]["message"]["tool_calls"]
            assert len(calls) == 1
            assert json.loads(calls[0]["function"]["arguments"]) == {
                "to": ["<EMAIL_ADDRESS>"],
                "text": "Hi",
            }


MESSAGE = {
    "role": "assistant",
    "content": "Hello.",
    "refusal": "No.",
    "reasoning_content": "Hm.",
    "annotations": [
        {"type": "url_citation", "url_citation": {"url": "https://x.invalid", "title": "X"}}
    ],
    "tool_calls": [tool_call('{"a": {"b": ["c"]}}')],
    "function_call": {"name": "f", "arguments": "no JSON"},
    "audio": {"id": "audio-1", "transcript": "Hello."},
    "new_field": {"deep": ["x"]},
}
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "system_fingerprint": "fp",
    "service_tier": "default",
    "new_field": {"deep": ["x"]},
    "choices": [
        {
            "index": 0,
            "message": MESSAGE,
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "Hello", "logprob": -1.0, "top_logprobs": []}]},
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
}


def as_stream(answer):
    """Return the answer as a stream of one chunk."""
    (choice,) = answer["choices"]
    chunk = {name: value for name, value in answer.items() if name != "choices"}
    rest = {name: value for name, value in choice.items() if name != "message"}
    event = {**chunk, "choices": [{**rest, "delta": choice["message"]}]}
    return b"data: " + json.dumps(event).encode() + b"\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize("streamed", [False, True])
def test_canary_in_every_json_leaf_of_an_answer(gateway, streamed):
    """P16: an address, wherever an answer can hold one, never leaves."""
    told = 0
    with Scripted(b"") as provider:
        home = house(MASK_ANSWERS, (provider.base_url, "m"))
        for path, answer in planted(ANSWER, MAIL):
            usable = isinstance(answer["choices"], list) and "message" in answer["choices"][0]
            if streamed and not usable:
                continue
            body = as_stream(answer) if streamed else json.dumps(answer).encode()
            provider.prepared = 200, {}, body
            answered = gateway.chat(home.secret, home.model, stream=streamed)
            assert answered.status_code in (200, 502), path
            assert not leaks(answered.text), path
            told += answered.status_code == 200
    assert told > 40


# Answers: refused


@pytest.mark.parametrize("streamed", [False, True])
def test_p14_an_answer_that_is_denied_does_not_leave_and_is_paid(gateway, mock, streamed):
    home = house(DENY_ANSWERS, (mock.base_url, "mock-echo"), budgets=books.HARD)
    answer = gateway.chat(home.secret, home.model, f"{MAIL} twice", stream=streamed)
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("policy_denied", "permission_error")
    assert error["message"] == "The answer holds EMAIL_ADDRESS."
    assert error["rule"] == "no-addresses"
    assert error["decision_id"] == answer.headers["x-gatehouse-decision-id"]
    assert not leaks(answer.text)
    (hold,) = books.holds(home).values()
    operation = f"{error['decision_id']}-1"
    (entry,) = [entry for entry in mock.books() if entry["request_id"] == operation]
    cut_off = {books.micros(hold.bound_pico)} if streamed else set()  # before usage was told
    assert books.posted(home) in {books.billed(entry), *cut_off}
    assert books.posted(home) > 0
    record = books.record(home, "completed")
    assert (record.code, record.cost_micros) == ("policy_denied", books.posted(home))
    assert record.body["decision"]["effect"] == "deny"
    assert str(record.call_id) == error["decision_id"]


def test_an_answer_that_is_permitted_passes_unchanged(gateway):
    home = house(DENY_ANSWERS, (None, "simulated"))
    free = house(estate.OPEN, (None, "simulated"))
    for streamed in (False, True):
        ruled = gateway.chat(home.secret, home.model, stream=streamed)
        other = gateway.chat(free.secret, free.model, stream=streamed)
        if streamed:
            assert spoken(ruled.text) == spoken(other.text)
        else:
            assert ruled.json()["choices"] == other.json()["choices"]


RULES = """
policy: {name}
default: permit
rules:
  - id: cut-short
    phase: answer
    when: answer.finish == "length"
    deny: {message: "Cut short."}
  - id: no-deletions
    phase: answer
    when: answer.tool_calls.exists(t, t == "delete_all")
    deny: {message: "No deletions."}
  - id: too-long
    phase: answer
    when: answer.bytes > 300
    deny: {message: "{answer.bytes} bytes."}
  - id: watched
    phase: answer
    mode: shadow
    when: answer.finish == "stop"
    deny: {message: "Never said."}
"""
DELETE = {"type": "function", "function": {"name": "delete_all", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"max_tokens": 3}, "cut-short"),
        ({"tools": [DELETE], "tool_choice": "required"}, "no-deletions"),
        ({"n": 4}, "too-long"),
        ({}, None),
        ({"n": 2}, None),
    ],
)
def test_case_17_json_and_stream_are_decided_alike(gateway, fields, rule):
    home = house(RULES, (None, "simulated"))
    whole, streamed = (
        gateway.chat(home.secret, home.model, stream=kind, **fields) for kind in (False, True)
    )
    for answer in (whole, streamed):
        if rule is None:
            assert answer.status_code == 200
        else:
            assert answer.json()["error"]["rule"] == rule
    books.holds(home)
    one, other = books.records(home, "completed")
    assert one.body["decision"] == other.body["decision"]
    assert one.body["facts"]["answer.bytes"] == other.body["facts"]["answer.bytes"]
    if rule is None:
        assert one.body["decision"]["shadow"]


def test_case_17_a_stream_that_fails_before_anything_left_is_tried_elsewhere(gateway, mock):
    home = house(MASK_ANSWERS, (mock.base_url, "mock-cut"), (mock.base_url, "mock-echo"))
    answer = gateway.chat(home.secret, home.model, f"{MAIL}:{MAIL}", stream=True)
    assert spoken(answer.text) == "<EMAIL_ADDRESS>:<EMAIL_ADDRESS>"
    assert answer.text.count('"role"') == 1


def test_case_17_what_is_too_long_to_be_held_is_never_released(gateway):
    body = stream(*[(0, {"content": "x" * (1 << 20)})] * 17)
    with Scripted(body) as provider:
        home = house(MASK_ANSWERS, (provider.base_url, "m"), budgets=books.HARD)
        answer = gateway.chat(home.secret, home.model, stream=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "detector_failed")
    (hold,) = books.holds(home).values()
    assert hold.posted_pico == hold.bound_pico


@pytest.mark.parametrize("streamed", [False, True])
def test_p17_an_answer_that_cannot_be_scanned_does_not_leave(gateway, streamed):
    long = {"content": "y " * 600_000}
    with Scripted(stream((0, long)) if streamed else completion(long)) as provider:
        home = house(MASK_ANSWERS, (provider.base_url, "m"), budgets=books.HARD)
        answer = gateway.chat(home.secret, home.model, stream=streamed)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "detector_failed")
    assert "y y" not in answer.text
    books.holds(home)
    assert books.posted(home) == 5 + 2 * 7


def test_nothing_of_this_was_a_fault_of_ours(gateway):
    log = gateway.output()
    assert "internal_error" not in log
    assert not leaks(log)
