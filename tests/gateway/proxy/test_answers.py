"""What a policy says of prompts and answers is done on the whole path: nothing that it takes out or
forbids leaves, in whichever leaf of the JSON, choice, tool call or piece of a stream it stands."""

import json

import pytest

from gateway.services.routes import deployment_create
from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway

MAIL = "maria.rossi@example.com"
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
MASK_PROMPTS = """
policy: {name}
default: permit
rules:
  - id: mask-prompts
    when: pii.count > 0
    redact: {kinds: all, min_score: 0.1, method: mask}
"""
NOTHING_OPAQUE = """
policy: {name}
default: permit
rules:
  - id: nothing-opaque
    when: uninspected.count > 0
    deny: {message: "It holds {uninspected.kinds}, which nobody here can read."}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def house(policy, *deployments, budgets=()):
    """Make a house under one policy; deployments as (base URL or None for simulated, model)."""
    served = [
        (estate.provider(url) if url else estate.simulated(), model) for url, model in deployments
    ]
    route = estate.route(*served, price=books.PRICE, max_output=100_000)
    return estate.estate(route, policy=policy, budgets=list(budgets))


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


def leaks(text):
    """Return whether any telling part of the address is in what left."""
    return any(part in text for part in ("maria", "rossi", "@exam", "ample.c"))


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


def tool_call(arguments, **more):
    return {
        "id": "call_1",
        "type": "function",
        "function": {"name": "send", "arguments": arguments},
        **more,
    }


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


def planted(value, canary, path=()):
    """Yield (path, copy of the value with the canary in one leaf), for each string in it; where a
    string is JSON itself, for each string in that."""
    if isinstance(value, str):
        yield path, canary
        if value.startswith("{"):
            inner = planted(json.loads(value), canary, (*path, "$json"))
            yield from ((at, json.dumps(one)) for at, one in inner)
    elif isinstance(value, dict):
        yield (*path, "a new key"), {**value, canary: 1}
        for key, child in value.items():
            yield from (
                (at, {**value, key: one}) for at, one in planted(child, canary, (*path, key))
            )
    elif isinstance(value, list):
        for index, child in enumerate(value):
            for at, one in planted(child, canary, (*path, index)):
                yield at, [*value[:index], one, *value[index + 1 :]]


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
    answer = gateway.chat(home.secret, home.model, f"Say {MAIL} twice", stream=streamed)
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("policy_denied", "permission_error")
    assert error["message"] == "The answer holds EMAIL_ADDRESS."
    assert error["rule"] == "no-addresses"
    assert error["decision_id"] == answer.headers["x-gatehouse-decision-id"]
    assert not leaks(answer.text)
    books.holds(home)
    operation = f"{error['decision_id']}-1"
    (entry,) = [entry for entry in mock.books() if entry["request_id"] == operation]
    assert books.posted(home) == books.billed(entry) > 0
    record = books.record(home, "completed")
    assert (record.code, record.cost_micros) == ("policy_denied", books.billed(entry))
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
    answer = gateway.chat(home.secret, home.model, f"I am {MAIL}", stream=True)
    assert spoken(answer.text) == "I am <EMAIL_ADDRESS>"
    assert answer.text.count('"role"') == 1


def test_case_17_what_is_too_long_to_be_held_is_never_released(gateway):
    body = stream(*[(0, {"content": "x" * (1 << 20)})] * 17)
    with Scripted(body) as provider:
        home = house(MASK_ANSWERS, (provider.base_url, "m"), budgets=books.HARD)
        answer = gateway.chat(home.secret, home.model, stream=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
    (hold,) = books.holds(home).values()
    assert hold.posted_pico == hold.bound_pico


# Detectors that fail


def test_p17_a_prompt_that_cannot_be_scanned_is_refused(gateway, mock):
    """More text than is scanned: on_error is deny unless the rule says otherwise."""
    home = house(MASK_PROMPTS, (mock.base_url, "mock"))
    before = len(mock.books())
    answer = gateway.chat(home.secret, home.model, "x " * 600_000)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "detector_failed")
    assert error["decision_id"]
    assert error["rule"] == "mask-prompts"
    assert len(mock.books()) == before
    record = books.record(home, "refused")
    assert record.code == "detector_failed"
    with gateway.client() as client:
        assert 'gatehouse_detector_failures_total{detector="pii"}' in client.get("/metrics").text


def test_p17_on_error_skip_lets_it_pass(gateway, mock):
    skipping = MASK_PROMPTS.replace("method: mask}", "method: mask}\n    on_error: skip")
    home = house(skipping, (mock.base_url, "mock"))
    assert gateway.chat(home.secret, home.model, "x " * 600_000).status_code == 200


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


# Prompts


REQUEST = {
    "messages": [
        {"role": "system", "content": "Be kind.", "name": "sys"},
        {"role": "developer", "content": [{"type": "text", "text": "Be short."}]},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "Look."},
                {"type": "image_url", "image_url": {"url": "https://x.invalid/a", "detail": "low"}},
                {"type": "file", "file": {"file_id": "file-1", "filename": "a.pdf"}},
                {"type": "brand_new", "brand_new": {"deep": ["x"]}},
            ],
        },
        {
            "role": "assistant",
            "content": "Calling.",
            "refusal": "No.",
            "reasoning_content": "Hm.",
            "tool_calls": [tool_call('{"who": {"mail": "x", "list": ["y"]}}')],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Found."},
        {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": "x"}},
        {"role": "function", "name": "old", "content": "Done."},
        {"role": "user", "content": "Go on."},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "send",
                "description": "Sends.",
                "parameters": {
                    "type": "object",
                    "title": "T",
                    "$comment": "c",
                    "required": ["who"],
                    "properties": {
                        "who": {
                            "type": "string",
                            "description": "Whom.",
                            "enum": ["a"],
                            "default": "a",
                            "examples": ["b"],
                            "pattern": "x",
                            "format": "email",
                        }
                    },
                },
            },
        },
        {
            "type": "custom",
            "custom": {
                "name": "calc",
                "format": {
                    "type": "grammar",
                    "grammar": {"syntax": "lark", "definition": "start: x"},
                },
            },
        },
    ],
    "functions": [{"name": "old", "description": "Old.", "parameters": {}}],
    "tool_choice": {"type": "function", "function": {"name": "send"}},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"properties": {"p": {"const": "v"}}}},
    },
    "metadata": {"ticket": "A-1"},
    "stop": ["END"],
    "user": "ann",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "prediction": {"type": "content", "content": "The text."},
    "web_search_options": {
        "user_location": {"type": "approximate", "approximate": {"city": "Oslo", "country": "NO"}}
    },
    "audio": {"voice": "alloy", "format": "mp3"},
    "modalities": ["text", "audio"],
    "logit_bias": {"50256": -1},
    "reasoning_effort": "low",
    "verbosity": "low",
    "service_tier": "auto",
    "store": False,
    "brand_new": {"deep": [{"er": "x"}]},
}


def test_canary_in_every_json_leaf(gateway):
    """P16: an address, in whichever string or key of a request, reaches the detectors: what the
    provider received holds a mask in its place. Where the API has words of its own, it is a 400."""
    refused, sent = set(), 0
    with Scripted(completion({"content": "Yes."})) as provider, gateway.client() as client:
        home = house(MASK_PROMPTS, (provider.base_url, "m"))
        client.headers["authorization"] = f"Bearer {home.secret}"
        for path, request in planted(REQUEST, MAIL):
            answer = client.post("/v1/chat/completions", json={**request, "model": home.model})
            if answer.status_code == 400:
                refused.add(path)
                continue
            assert answer.status_code == 200, (path, answer.text)
            sent += 1
            received = json.dumps(provider.bodies[-1])
            assert len(provider.bodies) == sent
            assert not leaks(received), path
            assert "<EMAIL_ADDRESS" in received, path
    assert {path[-1] for path in refused} <= {"role", "type"}
    assert sent > 100


def test_a_card_number_without_quotes_is_masked_too(gateway, mock):
    home = house(MASK_PROMPTS, (mock.base_url, "mock"))
    card = 4111111111111111
    arguments = json.dumps({"card": card})
    messages = [
        {"role": "user", "content": "Pay."},
        {"role": "assistant", "content": None, "tool_calls": [tool_call(arguments)]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Paid."},
    ]
    for fields in ({"metadata": {"card": card}}, {"brand_new": [card]}, {"messages": messages}):
        assert gateway.chat(home.secret, home.model, **fields).status_code == 200
        received = json.dumps(mock.books()[-1]["body"])
        assert str(card) not in received
        assert "<CREDIT_CARD>" in received


OPAQUE = {
    "image": {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    "image elsewhere": {"type": "image_url", "image_url": {"url": "https://x.invalid/a.png"}},
    "audio": {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    "file": {"type": "file", "file": {"filename": "a", "file_data": "data:a/b;base64,AAAA"}},
    "file by id": {"type": "file", "file": {"file_id": "file-1"}},
    "new kind": {"type": "video", "video": {"data": "AAAA"}},
}


@pytest.mark.parametrize("part", OPAQUE.values(), ids=OPAQUE)
def test_p16_what_cannot_be_read_is_a_finding_that_a_policy_can_deny(gateway, mock, part):
    home = house(NOTHING_OPAQUE, (mock.base_url, "mock"))
    before = len(mock.books())
    text = {"type": "text", "text": "Look"}
    messages = [{"role": "user", "content": [text, part]}]
    answer = gateway.chat(home.secret, home.model, messages=messages)
    assert answer.json()["error"]["rule"] == "nothing-opaque"
    assert len(mock.books()) == before
    allowed = gateway.chat(home.secret, home.model, messages=[{"role": "user", "content": [text]}])
    assert allowed.status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_1"},
        {"store": True},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "mcp", "server_url": "https://x.invalid"}]},
        {"mcp_servers": [{"url": "https://x.invalid"}]},
    ],
)
def test_case_15_what_the_provider_would_fetch_is_a_finding_too(gateway, fields):
    home = house(NOTHING_OPAQUE, (None, "simulated"))
    answer = gateway.chat(home.secret, home.model, **fields)
    assert answer.json()["error"]["message"] == "It holds reference, which nobody here can read."


def test_embeddings_are_inspected_texts_not_numbers(gateway, mock):
    home = house(MASK_PROMPTS, (mock.base_url, "mock"))
    with gateway.client(home.secret) as client:
        for text in (MAIL, ["one", MAIL]):
            sent = {"model": home.model, "input": text}
            assert client.post("/v1/embeddings", json=sent).status_code == 200
            assert not leaks(json.dumps(mock.books()[-1]["body"]))
    strict = house(NOTHING_OPAQUE, (mock.base_url, "mock"))
    with gateway.client(strict.secret) as client:
        sent = {"model": strict.model, "input": [[1, 2, 3]]}
        assert client.post("/v1/embeddings", json=sent).status_code == 403


def test_case_15_what_is_forwarded_is_the_value_that_was_judged(gateway, mock):
    """Written anew: blanks, escapes and the order of the client's bytes are gone, no value is."""
    home = house(estate.OPEN, (mock.base_url, "mock"))
    body = (
        '{ "brand_new" : [1, 1.5, -0.0, 1e3, true, null, "\\u00e9\\ud83d\\ude00\\/"] ,\r\n\t'
        '"messages":[{"content":"caf\\u00e9","role":"user"}], "model":"MODEL" }'
    ).replace("MODEL", home.model)
    with gateway.client(home.secret) as client:
        answer = client.post(
            "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code == 200
    entry = mock.books()[-1]
    expected = json.loads(body) | {"model": "mock", "max_tokens": 256}
    assert entry["body"] == expected
    compact = json.dumps(expected, separators=(",", ":"), ensure_ascii=False)
    assert entry["bytes"] == len(compact.encode())


def test_case_16_a_deployment_that_the_policy_forbids_is_out_and_the_next_is_in(gateway, mock):
    at = estate.provider(mock.base_url)
    route = estate.route()
    for place, region in enumerate(["us", "eu"]):
        deployment_create(
            actor=estate.ACTOR,
            route=route,
            provider=at,
            model="mock",
            region=region,
            priority=place,
        )
    source = (
        "policy: {name}\ndefault: permit\nrules:\n  - id: not-there\n"
        '    when: model.region == "REGION"\n    deny: {message: "Not in {model.region}."}\n'
    )
    for region in ("us", "eu"):
        home = estate.estate(route, policy=source.replace("REGION", region))
        assert gateway.chat(home.secret, home.model).status_code == 200
        record = books.record(home, "admitted")
        assert record.body["region"] == {"us": "eu", "eu": "us"}[region]
        assert record.body["facts"]["model.region"] == record.body["region"]
    both = source.replace('== "REGION"', 'in ["us", "eu"]')
    home = estate.estate(route, policy=both)
    answer = gateway.chat(home.secret, home.model)
    assert answer.json()["error"]["message"] == "Not in us."
    assert books.record(home, "refused").code == "policy_denied"


def test_nothing_of_this_was_a_fault_of_ours(gateway):
    log = gateway.output()
    assert "internal_error" not in log
    assert not leaks(log)
