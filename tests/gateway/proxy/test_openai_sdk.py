"""The official OpenAI client, sync and async: it works with its address and its key changed alone,
and every refusal is the exception that its users know."""

import json

import openai
import pydantic
import pytest

from audit.models import Record
from tenants.services.apps import app_create
from tenants.services.keys import virtual_key_issue, virtual_key_revoke
from tests import estate
from tests.mock_provider import start_mock_provider
from tests.openai_client import HELLO, Client
from tests.stack import Gateway, eventually

PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a town.",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string", "enum": ["Oslo", "Rome"]}},
            "required": ["town"],
        },
    },
}
DENY_WORDS = """
policy: {name}
default: permit
rules:
  - id: short-only
    when: call.messages > 2
    deny: {message: "Too long a talk ({call.messages} messages).", remedy: "Send two messages."}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    environ = {"GATEHOUSE_UPSTREAM_FIRST_BYTE_S": "0.5", "GATEHOUSE_MAX_BODY_BYTES": "100000"}
    with Gateway(environ=environ) as gateway:
        yield gateway


@pytest.fixture(params=["sync", "async"])
def sdk(request, gateway):
    return Client(request.param, gateway)


@pytest.fixture(scope="module")
def house(db):
    return estate.estate(estate.route((estate.simulated(), "simulated")))


@pytest.fixture(scope="module")
def mocked(db, mock):
    """A house whose calls reach the mock provider, so that its books show what came."""
    return estate.estate(estate.route((estate.provider(mock.base_url), "mock")))


def of(model, **terms):
    """Make a house that calls one of the simulated models."""
    return estate.estate(estate.route((estate.simulated(), model)), **terms)


# What works


def test_a_chat(sdk, house):
    answer = sdk.chat(house)
    assert "Hello" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_says_what_the_whole_answer_says(sdk, house):
    whole = sdk.chat(house).choices[0].message.content
    chunks = sdk.chat(house, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole
    assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
    assert all(c.usage is None for c in chunks)  # it was not asked for, only by us


def test_a_stream_tells_usage_last_where_it_is_asked_for(sdk, house):
    whole = sdk.chat(house)
    chunks = sdk.chat(house, stream=True, stream_options={"include_usage": True})
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens


def test_several_choices(sdk, house):
    answer = sdk.chat(house, n=3)
    texts = [choice.message.content for choice in answer.choices]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    streamed = ["", "", ""]
    for chunk in sdk.chat(house, n=3, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_a_tool_is_called_and_its_result_is_taken(sdk, house):
    ask = [{"role": "user", "content": "Please get_weather of a town."}]
    message = sdk.chat(house, ask, tools=[WEATHER]).choices[0].message
    (call,) = message.tool_calls
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert json.loads(call.function.arguments) == {"town": "Oslo"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 21 degrees"}
    messages = [*ask, message.model_dump(exclude_none=True), result]
    last = sdk.chat(house, messages, tools=[WEATHER]).choices[0]
    assert last.finish_reason == "stop"
    assert "Sunny, 21 degrees" in last.message.content


def test_a_tool_call_is_streamed(sdk, house):
    chunks = sdk.chat(
        house,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        stream=True,
    )
    pieces = [call for c in chunks for call in c.choices[0].delta.tool_calls or ()]
    assert pieces[0].function.name == "get_weather"
    assert json.loads("".join(p.function.arguments or "" for p in pieces)) == {"town": "Oslo"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_structured_output_is_parsed(sdk, house):
    class Report(pydantic.BaseModel):
        title: str
        pages: int
        tags: list[str]

    parsed = sdk.do(
        house.secret,
        lambda c: c.chat.completions.parse(
            model=house.model, messages=HELLO, response_format=Report
        ),
    )
    assert parsed.choices[0].message.parsed == Report(title="Hello", pages=1, tags=["Hello"])


def test_multimodal_parts_and_everything_else_arrive_as_they_were_sent(sdk, mock, mocked):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        },
    ]
    fields = {
        "messages": [
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": parts},
        ],
        "tools": [WEATHER],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "logit_bias": {"50256": -100},
        "logprobs": True,
        "top_logprobs": 2,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "metadata": {"ticket": "A-1"},
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "user": "ann",
        "max_completion_tokens": 30,
        "extra_body": {"brand_new_field": {"deep": [1, None, "x"]}},
    }
    sdk.chat(mocked, **fields)
    received = mock.books()[-1]["body"]
    extra = fields.pop("extra_body")
    assert received == {"model": "mock", **fields, **extra}


def test_embeddings_as_floats_and_as_base64(sdk, house):
    def embed(**fields):
        return sdk.do(
            house.secret,
            lambda c: c.embeddings.create(model=house.model, input=["one", "two"], **fields),
        )

    plain = embed(encoding_format="float")
    packed = embed()  # the client asks for base64 by itself, and decodes it
    assert [item.index for item in plain.data] == [0, 1]
    for one, other in zip(plain.data, packed.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert isinstance(embed(encoding_format="base64").data[0].embedding, str)
    assert plain.usage.prompt_tokens > 0
    assert len(embed(dimensions=8, encoding_format="float").data[0].embedding) == 8


def test_models_are_those_that_the_key_may_call(sdk, db):
    first, second = (estate.route((estate.simulated(), "simulated")) for _ in range(2))
    house = estate.estate(first, second)
    listed = sdk.do(house.secret, lambda c: c.models.list())
    assert {model.id for model in listed.data} == {first.name, second.name}
    found = sdk.do(house.secret, lambda c: c.models.retrieve(second.name))
    assert (found.id, found.object) == (second.name, "model")
    with pytest.raises(openai.NotFoundError):
        sdk.do(house.secret, lambda c: c.models.retrieve("gpt-nobody"))


def test_headers_tell_what_was_decided_served_and_charged(sdk, house):
    ask = {"model": house.model, "messages": HELLO}
    raw = sdk.do(
        house.secret,
        lambda c: c.chat.completions.with_raw_response.create(
            **ask, extra_headers={"x-request-id": "mine-1"}
        ),
    )
    usage, told = raw.parse().usage, raw.headers
    assert raw.request_id == told["x-request-id"] == told["x-gatehouse-decision-id"]
    assert told["x-client-request-id"] == "mine-1"
    assert told["x-gatehouse-model"] == house.model
    assert told["x-gatehouse-cache"] == "bypass"
    assert told["x-gatehouse-policy"].endswith("@1")
    assert int(told["x-gatehouse-cost-micros"]) == usage.prompt_tokens + 2 * usage.completion_tokens
    assert 0 < int(told["x-gatehouse-overhead-us"]) < 5_000_000
    assert told["cache-control"] == "no-store"


# What is refused


def test_a_wrong_key(sdk, house):
    wrong = estate.Estate(house.tenant, house.app, house.key, "sk-wrong", house.model)
    error = sdk.refused(openai.AuthenticationError, wrong)
    assert (error.code, error.type) == ("invalid_api_key", "authentication_error")


def test_a_revoked_key(sdk, db):
    house = of("simulated")
    virtual_key_revoke(actor=estate.ACTOR, key=house.key)
    assert sdk.refused(openai.AuthenticationError, house).code == "key_revoked"


def test_a_policy_that_denies_says_which_rule_and_what_would_pass(sdk, db):
    house = of("simulated", policy=DENY_WORDS)
    error = sdk.refused(openai.PermissionDeniedError, house, HELLO * 3)
    assert (error.code, error.type) == ("policy_denied", "permission_error")
    assert error.body["message"] == "Too long a talk (3 messages)."
    assert error.body["rule"] == "short-only"
    assert error.body["policy"].startswith("policy-")
    assert error.body["remedy"] == "Send two messages."
    assert error.body["decision_id"] == error.response.headers["x-gatehouse-decision-id"]
    assert error.request_id == error.response.headers["x-request-id"]
    assert sdk.chat(house, HELLO * 2).choices


def test_a_model_that_another_app_may_call(sdk, db):
    house = of("simulated")
    other = estate.route((estate.simulated(), "simulated"))
    app_create(
        actor=estate.ACTOR, tenant=house.tenant, name=estate.name("app"), models=[other.name]
    )
    house.publish()
    error = sdk.refused(openai.PermissionDeniedError, house, model=other.name)
    assert (error.code, error.param) == ("model_not_allowed", "model")


def test_a_model_that_nobody_has(sdk, house):
    error = sdk.refused(openai.NotFoundError, house, model="gpt-nobody")
    assert (error.code, error.type, error.param) == ("model_not_found", "not_found_error", "model")


def test_a_request_that_is_wrong(sdk, house):
    error = sdk.refused(openai.BadRequestError, house, temperature="hot")
    assert (error.code, error.type, error.param) == (
        "invalid_request",
        "invalid_request_error",
        "temperature",
    )


def test_a_body_that_is_too_large(sdk, house):
    error = sdk.refused(openai.APIStatusError, house, [{"role": "user", "content": "x" * 100_000}])
    assert (error.status_code, error.code) == (413, "request_too_large")


def test_a_spent_budget_is_not_tried_again(sdk, db):
    house = of("simulated", budgets=[{"limit_micros": 10}])
    error = sdk.refused(openai.RateLimitError, house, options={"max_retries": 5})
    assert (error.code, error.type) == ("insufficient_quota", "budget_exceeded")
    assert error.response.headers["x-should-retry"] == "false"
    assert "0.00001" in error.message
    eventually(lambda: Record.objects.filter(tenant_id=house.tenant.id).exists())
    assert Record.objects.filter(tenant_id=house.tenant.id).count() == 1


def test_a_rate_limit_is_an_exception_or_is_waited_out(sdk, db):
    house = of("simulated", limits=[{"kind": "requests", "amount": 1, "per": "second", "burst": 1}])
    assert sdk.chat(house).choices
    error = sdk.refused(openai.RateLimitError, house)
    assert (error.code, error.type) == ("rate_limit_exceeded", "rate_limit_error")
    assert error.body["rule"] == "limit-0"
    assert error.response.headers["retry-after"] == "1"
    assert sdk.chat(house, options={"max_retries": 2}).choices


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("simulated-garbage", 502, "upstream_error"),
        ("simulated-error-500", 502, "upstream_error"),
        ("simulated-hang", 504, "upstream_timeout"),
    ],
)
def test_a_provider_that_fails(sdk, db, model, status, code):
    error = sdk.refused(openai.InternalServerError, of(model))
    assert (error.status_code, error.code, error.type) == (status, code, "api_error")


def test_a_provider_that_limits_us(sdk, db):
    error = sdk.refused(openai.RateLimitError, of("simulated-error-429"))
    assert (error.code, error.response.headers["retry-after"]) == ("upstream_rate_limited", "1")


def test_what_has_not_been_published_is_unavailable(sdk, house):
    app = app_create(
        actor=estate.ACTOR, tenant=house.tenant, name=estate.name("app"), models=[house.model]
    )
    key, issued = virtual_key_issue(
        actor=estate.ACTOR, app=app, name="early", pepper=estate.pepper()
    )
    early = estate.Estate(house.tenant, app, key, issued.secret, house.model)
    error = sdk.refused(openai.InternalServerError, early)
    assert (error.status_code, error.code) == (503, "policy_unavailable")
    assert error.response.headers["retry-after"] == "1"


def test_what_cannot_be_governed_is_said_once(sdk, gateway, house):
    def times():
        return sum(line.get("code") == "not_governable" for line in gateway.lines())

    before = times()
    with pytest.raises(openai.InternalServerError) as caught:
        sdk.do(
            house.secret,
            lambda c: c.batches.retrieve("batch_1"),
            max_retries=5,
        )
    assert (caught.value.status_code, caught.value.code) == (501, "not_governable")
    assert eventually(lambda: times() - before) == 1


@pytest.mark.parametrize("model", ["simulated-cut", "simulated-garbage"])
def test_a_stream_that_breaks_off_is_an_error_not_an_end(sdk, db, model):
    house, chunks = of(model), []

    def read(client):
        with client.chat.completions.create(
            model=house.model, messages=HELLO, stream=True
        ) as stream:
            chunks.extend(stream)

    async def read_async(client):
        stream = await client.chat.completions.create(
            model=house.model, messages=HELLO, stream=True
        )
        async with stream:
            async for chunk in stream:
                chunks.append(chunk)  # noqa: PERF401  (what came before the error is kept)

    with pytest.raises(openai.APIError) as caught:
        sdk.do(house.secret, read_async if sdk.is_async else read)
    assert caught.value.body["code"] == "upstream_error"
    assert chunks  # what came before was passed on
