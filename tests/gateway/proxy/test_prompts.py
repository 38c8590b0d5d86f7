"""What a policy says of a prompt is done before it leaves: the provider receives what was judged,
without what must not be there, in whichever leaf of the JSON it stood."""

import json

import pytest

from audit.models import Record
from gateway.services.routes import deployment_create
from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.planting import MAIL, house, leaks, planted, tool_call
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway

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


NO_SECRETS = """
policy: {name}
default: permit
rules:
  - id: no-secrets-out
    when: secret.count > 0
    deny: {message: "The prompt contains a credential ({secret.kinds}).", remedy: "Replace it."}
  - id: none-back
    phase: answer
    when: answer.secret.count > 0
    deny: {message: "The answer contains a credential ({answer.secret.kinds})."}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def test_a_credential_is_refused_in_every_leaf_and_never_kept(gateway, mock):
    home = house(NO_SECRETS, (mock.base_url, "mock"))
    secret = "AKIA" + "Q3EGWYXK5H2T7ZPM"
    arguments = json.dumps({"command": f"aws configure set key {secret}"})
    called = {"role": "assistant", "content": None, "tool_calls": [tool_call(arguments)]}
    before = len(mock.books())
    for messages in (
        [{"role": "system", "content": f"The key is {secret}."}],
        [{"role": "user", "content": [{"type": "text", "text": f"x {secret}"}]}],
        [{"role": "user", "content": "Go"}, called],
    ):
        body = {"model": home.model, "messages": messages}
        with gateway.client(home.secret) as client:
            answer = client.post("/v1/chat/completions", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["rule"]) == (403, "no-secrets-out")
        assert error["message"] == "The prompt contains a credential (aws_access_key)."
        assert secret not in answer.text
    assert len(mock.books()) == before
    for record in Record.objects.filter(tenant_id=home.tenant.id):
        assert record.body["facts"]["secret.kinds"] == ["aws_access_key"]
        assert secret not in json.dumps(record.body)
    assert secret not in gateway.output()


def test_a_part_that_follows_disguises_nothing(gateway, mock):
    home = house(MASK_PROMPTS, (mock.base_url, "mock"))
    content = [{"type": "text", "text": f"Write to {MAIL}"}, {"type": "text", "text": "no, wait"}]
    body = {"model": home.model, "messages": [{"role": "user", "content": content}]}
    with gateway.client(home.secret) as client:
        assert client.post("/v1/chat/completions", json=body).status_code == 200
    sent = json.dumps(mock.books()[-1])
    assert "no, wait" in sent
    assert MAIL not in sent


@pytest.mark.parametrize("streamed", [False, True])
def test_a_credential_in_an_answer_does_not_come_back(gateway, streamed):
    secret = "AKIA" + "Q3EGWYXK5H2T7ZPM"
    pieces = [(0, {"content": f"Use {secret[:9]}"}), (0, {"content": f"{secret[9:]} for it."})]
    body = stream(*pieces) if streamed else completion({"content": f"Use {secret} for it."})
    with Scripted(body) as provider:
        home = house(NO_SECRETS, (provider.base_url, "any"))
        answer = gateway.chat(home.secret, home.model, stream=streamed)
    assert secret not in answer.text
    assert "none-back" in answer.text


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
