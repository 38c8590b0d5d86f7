"""Bedrock through the gateway, for OpenAI's client; and what the mock says, for AWS's own."""

import json
from contextlib import closing

import botocore.config
import botocore.exceptions
import botocore.session
import openai
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.models import Provider
from gateway.probe import Probe, probe
from tests import books
from tests.gateway.proxy.test_openai_sdk import WEATHER

TEXT = "word0 word1 word2 "
KEY = ("AKIDEXAMPLE", "aws-secret-canary", "aws-session-canary")
SECRET = json.dumps(
    {
        "access_key_id": KEY[0],
        "secret_access_key": KEY[1],
        "session_token": KEY[2],
        "region": "eu-central-1",
    }
)


def served(mock, model="mock-tokens-3", secret=SECRET):
    return books.served((mock.origin, model), dialect="bedrock", secret=secret)


@pytest.fixture(scope="module")
def aws(mock):
    client = botocore.session.Session().create_client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=mock.origin,
        aws_access_key_id=KEY[0],
        aws_secret_access_key=KEY[1],
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )
    yield client
    client.close()


ASK = {
    "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
    "inferenceConfig": {"maxTokens": 20},
}


def streamed(aws, model):
    """Return the events of a stream; its connection is closed, also when it ends in an error."""
    with closing(aws.converse_stream(modelId=model, **ASK)["stream"]) as stream:
        return list(stream)


def test_the_mock_is_one_that_awss_own_client_understands(mock, aws):
    answer = aws.converse(modelId="mock-tokens-3", **ASK)
    assert answer["output"]["message"]["content"] == [{"text": TEXT}]
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("end_turn", 3)
    events = streamed(aws, "mock-tokens-3")
    deltas = [
        one["contentBlockDelta"]["delta"]["text"] for one in events if "contentBlockDelta" in one
    ]
    assert "".join(deltas) == TEXT
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 3
    mock.behave("mock-throws", code="throttlingException", message="Slow down.")
    with pytest.raises(botocore.exceptions.EventStreamError, match="Slow down"):
        streamed(aws, "mock-throws")


def signature_of(mock, entry):
    """Return the signature that AWS's own signer makes of what came over the wire."""
    headers = entry["headers"]
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(
        "POST",
        mock.origin + entry["path"],
        headers={name: headers[name] for name in names if name != "host"},
        data=json.dumps(entry["body"], separators=(",", ":"), ensure_ascii=False).encode(),
    )
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(*KEY), "bedrock", "eu-central-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return signer.signature(text, request)


def test_a_chat_whole_and_streamed_is_signed_and_paid_by_what_bedrock_billed(mock, sdk):
    mock.behave("vendor.mock-v1:0", tokens=3)
    house = served(mock, "vendor.mock-v1:0")
    answer = sdk.chat(house)
    assert answer.choices[0].message.content == TEXT
    assert (answer.choices[0].finish_reason, answer.model) == ("stop", "vendor.mock-v1:0")
    chunks = sdk.chat(house, stream=True, stream_options={"include_usage": True})
    usage = chunks.pop().usage
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    entries = books.entries(mock, house)
    told = [entry["request_id"] for entry in entries]  # as Bedrock gives its answers no names
    assert [answer.id, chunks[0].id] == told
    assert {chunk.model for chunk in chunks} == {answer.model}
    assert [entry["path"] for entry in entries] == [
        "/model/vendor.mock-v1%3A0/converse",
        "/model/vendor.mock-v1%3A0/converse-stream",
    ]
    for entry in entries:
        sent = entry["headers"]["authorization"].partition("Signature=")[2]
        assert sent == signature_of(mock, entry)
        assert entry["headers"]["x-amz-security-token"] == KEY[2]
    assert usage.prompt_tokens == entries[1]["input"]
    assert books.posted(house) == sum(books.billed(entry) for entry in entries)


def test_an_api_key_is_a_bearer(mock, sdk):
    house = served(mock, secret="bedrock-api-key-canary")
    assert sdk.chat(house).choices[0].message.content == TEXT
    (entry,) = books.entries(mock, house)
    assert entry["headers"]["authorization"] == "Bearer bedrock-api-key-canary"


@pytest.mark.parametrize("pieces", [1, 7, 100])
def test_frames_come_whole_however_they_are_sent(mock, sdk, pieces):
    mock.behave(f"mock-pieces-{pieces}", tokens=3, pieces=pieces)
    chunks = sdk.chat(served(mock, f"mock-pieces-{pieces}"), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_goes_back(mock, sdk, stream):
    house = served(mock, f"mock-tools-{stream}")
    mock.behave(f"mock-tools-{stream}", tools=True, tokens=1)
    ask = [{"role": "user", "content": "The weather?"}]
    if stream:
        chunks = sdk.chat(house, ask, tools=[WEATHER], stream=True)
        deltas = [call for c in chunks for call in c.choices[0].delta.tool_calls or ()]
        finish, identity = chunks[-1].choices[0].finish_reason, deltas[0].id
        given = "".join(call.function.arguments or "" for call in deltas)
    else:
        choice = sdk.chat(house, ask, tools=[WEATHER]).choices[0]
        (call,) = choice.message.tool_calls
        finish, identity, given = choice.finish_reason, call.id, call.function.arguments
    assert (finish, identity, json.loads(given)) == ("tool_calls", "tooluse_1", {"town": "Oslo"})
    function = {"name": "get_weather", "arguments": given}
    called = [{"id": identity, "type": "function", "function": function}]
    result = {"role": "tool", "tool_call_id": identity, "content": "Sunny"}
    turns = [*ask, {"role": "assistant", "tool_calls": called}, result]
    assert sdk.chat(house, turns, tools=[WEATHER]).choices[0].finish_reason == "stop"
    sent = books.entries(mock, house)[-1]["body"]["messages"]
    assert sent[-1]["content"] == [
        {"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "Sunny"}]}}
    ]


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "cost"),
    [
        ({"status": 403, "message": "canary"}, openai.InternalServerError,
         "upstream_credential_rejected", 0),
        ({"status": 400, "message": "Bad aws-secret-canary"}, openai.BadRequestError,
         "upstream_rejected", 0),
        ({"status": 429}, openai.RateLimitError, "upstream_rate_limited", 0),
        ({"status": 424}, openai.InternalServerError, "upstream_error", 0),
        ({"status": 408}, openai.InternalServerError, "upstream_error", 1),
        ({"mode": "garbage"}, openai.InternalServerError, "upstream_error", 1),
        ({"mode": "cut"}, openai.InternalServerError, "upstream_error", 1),
    ],
)  # fmt: skip
def test_a_failure_is_told_and_paid_as_it_must_be(mock, sdk, behaviour, kind, code, cost):
    house = served(mock, "mock-fails")
    mock.behave("mock-fails", **behaviour)
    refused = sdk.refused(kind, house)
    assert refused.code == code
    assert "canary" not in str(refused)
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == cost * hold.bound_pico


@pytest.mark.parametrize(
    "behaviour",
    [
        {"mode": "garbage"},
        {"mode": "cut"},
        {"code": "modelStreamErrorException", "message": "The model broke."},
    ],
)
def test_a_stream_that_fails_ends_with_an_error_and_costs_the_whole_bound(mock, gateway, behaviour):
    house = served(mock, "mock-fails")
    mock.behave("mock-fails", **behaviour)
    answer = gateway.chat(house.secret, house.model, stream=True)
    assert '"code":"upstream_error"' in answer.text
    assert (answer.status_code == 502) != answer.text.endswith("data: [DONE]\n\n")
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico


@pytest.mark.parametrize("usage", ["absent", "zero"])
@pytest.mark.parametrize("stream", [False, True])
def test_unknown_usage_costs_the_whole_bound(mock, sdk, usage, stream):
    house = served(mock, f"mock-tokens-3-usage-{usage}")
    sdk.chat(house, stream=stream)
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico


def test_what_bedrock_cannot_honour_is_refused_by_name(mock, sdk):
    house = served(mock)
    assert sdk.refused(openai.BadRequestError, house, seed=5).param == "seed"
    assert books.entries(mock, house) == []


def test_the_connection_is_tested(mock):
    house = served(mock)
    provider = Provider.objects.get(deployments__route__name=house.model)
    assert probe(provider) == Probe(ok=True, detail="answered 200")
    bare = served(mock, secret=None)
    provider = Provider.objects.get(deployments__route__name=bare.model)
    assert probe(provider).detail == "the provider refuses the credential (403)"
