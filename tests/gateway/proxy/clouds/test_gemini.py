"""Gemini through the gateway, for OpenAI's client; and what the mock says, for Google's own."""

import json

import openai
import pytest
from google import genai
from google.genai import types

from gateway.models import Provider
from gateway.probe import Probe, probe
from tests import books
from tests.gateway.proxy.test_openai_sdk import WEATHER

TEXT = "word0 word1 word2 "


def served(mock, model="mock-tokens-3", **terms):
    return books.served((f"{mock.origin}/v1beta", model), dialect="gemini", **terms)


@pytest.fixture
def google(mock):
    options = types.HttpOptions(base_url=mock.origin, api_version="v1beta")
    return genai.Client(api_key="key", http_options=options)


def test_the_mock_is_one_that_googles_own_client_understands(mock, google):
    asked = {"model": "mock-tokens-3", "contents": "Hello"}
    config = types.GenerateContentConfig(max_output_tokens=20)
    answer = google.models.generate_content(**asked, config=config)
    assert (answer.text, answer.candidates[0].finish_reason.value) == (TEXT, "STOP")
    chunks = list(google.models.generate_content_stream(**asked, config=config))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    assert chunks[-1].usage_metadata.candidates_token_count == 3


def test_a_chat_whole_and_streamed_is_paid_by_what_gemini_billed(mock, sdk):
    house = served(mock)
    answer = sdk.chat(house)
    assert answer.choices[0].message.content == TEXT
    assert (answer.choices[0].finish_reason, answer.model) == ("stop", "mock-tokens-3")
    chunks = sdk.chat(house, stream=True, stream_options={"include_usage": True})
    usage = chunks.pop().usage
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    entries = books.entries(mock, house)
    assert [entry["path"] for entry in entries] == [
        "/v1beta/models/mock-tokens-3:generateContent",
        "/v1beta/models/mock-tokens-3:streamGenerateContent?alt=sse",
    ]
    assert {entry["headers"]["x-goog-api-key"] for entry in entries} == {"sk-upstream-canary"}
    assert all("canary" not in entry["path"] for entry in entries)
    assert usage.prompt_tokens == entries[1]["input"]
    assert books.posted(house) == sum(books.billed(entry) for entry in entries)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_goes_back(mock, sdk, stream):
    house = served(mock, f"mock-tools-{stream}")
    mock.behave(f"mock-tools-{stream}", tools=True, tokens=1)
    ask = [{"role": "user", "content": "The weather?"}]
    if stream:
        chunks = sdk.chat(house, ask, tools=[WEATHER], stream=True)
        deltas = [call for c in chunks for call in c.choices[0].delta.tool_calls or ()]
        name, identity = deltas[0].function.name, deltas[0].id
        extra = deltas[0].model_extra
        given = "".join(call.function.arguments or "" for call in deltas)
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
        message = {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": identity,
                    "type": "function",
                    "function": {"name": name, "arguments": given},
                    **extra,
                }
            ],
        }
    else:
        choice = sdk.chat(house, ask, tools=[WEATHER]).choices[0]
        assert choice.finish_reason == "tool_calls"
        message = choice.message.model_dump(exclude_none=True)
        identity = choice.message.tool_calls[0].id
        given = choice.message.tool_calls[0].function.arguments
    assert json.loads(given) == {"town": "Oslo"}
    result = {"role": "tool", "tool_call_id": identity, "content": "Sunny"}
    (call,) = message["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": "c2lnbmVk"}}
    last = sdk.chat(house, [*ask, message, result], tools=[WEATHER]).choices[0]
    assert last.finish_reason == "stop"
    sent = books.entries(mock, house)[-1]["body"]["contents"]
    assert [part.get("thoughtSignature") for part in sent[1]["parts"]][-1] == "c2lnbmVk"
    assert sent[-1]["parts"] == [
        {
            "functionResponse": {
                "id": identity,
                "name": "get_weather",
                "response": {"result": "Sunny"},
            }
        }
    ]


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "cost"),
    [
        ({"status": 400, "code": "API_KEY_INVALID"}, openai.InternalServerError,
         "upstream_credential_rejected", 0),
        ({"status": 400, "message": "Bad sk-upstream-canary"}, openai.BadRequestError,
         "upstream_rejected", 0),
        ({"status": 429}, openai.RateLimitError, "upstream_rate_limited", 0),
        ({"status": 503}, openai.InternalServerError, "upstream_error", 0),
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


@pytest.mark.parametrize("usage", ["absent", "zero"])
@pytest.mark.parametrize("stream", [False, True])
def test_unknown_usage_costs_the_whole_bound(mock, sdk, usage, stream):
    house = served(mock, f"mock-tokens-3-usage-{usage}")
    sdk.chat(house, stream=stream)
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico


def test_a_stream_that_is_cut_ends_with_an_error_and_costs_the_whole_bound(mock, gateway):
    house = served(mock, "mock-cut")
    answer = gateway.chat(house.secret, house.model, stream=True)
    assert '"code":"upstream_error"' in answer.text
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico


def test_what_gemini_cannot_honour_is_refused_by_name(mock, sdk):
    house = served(mock)
    refused = sdk.refused(openai.BadRequestError, house, logprobs=True)
    assert refused.param == "logprobs"
    assert books.entries(mock, house) == []


def test_the_connection_is_tested(mock):
    house = served(mock)
    provider = Provider.objects.get(deployments__route__name=house.model)
    assert probe(provider) == Probe(ok=True, detail="answered 200")
    bare = served(mock, secret=None)
    provider = Provider.objects.get(deployments__route__name=bare.model)
    assert probe(provider).detail == "the provider refuses the credential (403)"
