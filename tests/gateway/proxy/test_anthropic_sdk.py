"""The official Anthropic client, sync and async, before providers of either dialect: it works with
its address and its key changed alone, and every refusal is the exception that its users know."""

import asyncio
import json

import anthropic
import httpx
import openai
import pytest

from tenants.services.keys import virtual_key_revoke
from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.openai_client import Client as OpenAi
from tests.stack import Gateway, eventually

HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a town.",
    "input_schema": {
        "type": "object",
        "properties": {"town": {"type": "string", "enum": ["Oslo", "Rome"]}},
        "required": ["town"],
    },
}
MASK = """
policy: {name}
default: permit
rules:
  - id: mask
    when: pii.count > 0
    redact: {kinds: [EMAIL_ADDRESS], method: mask}
  - id: mask-answers
    phase: answer
    when: answer.pii.count > 0
    redact: {kinds: [EMAIL_ADDRESS], method: mask}
"""
NAMED = {"role": "user", "name": "ann", "content": "Hello"}
FORCED = {
    "tools": [{"type": "function", "function": {"name": "clock"}}],
    "tool_choice": "required",
    "reasoning_effort": "low",
}


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ={"GATEHOUSE_UPSTREAM_FIRST_BYTE_S": "0.5"}) as gateway:
        yield gateway


class Claude:
    """The sync or the async client, used as its documentation says."""

    def __init__(self, kind, gateway):
        self.is_async = kind == "async"
        self.base_url = gateway.base_url

    def create(self, house, messages=None, **fields):
        """Ask for a message with a house's first model; of a stream, return its events."""
        fields = {"max_tokens": 64, "messages": messages or HELLO, **fields}
        return self.do(house, lambda c: c.messages.create(model=house.model, **fields))

    def do(self, house, ask):
        """Return what `ask(client)` brings."""
        settings = {"base_url": self.base_url, "api_key": house.secret, "max_retries": 0}
        if self.is_async:
            return asyncio.run(self._do(ask, settings))
        with anthropic.Anthropic(**settings) as client:
            found = ask(client)
            return list(found) if isinstance(found, anthropic.Stream) else found

    async def _do(self, ask, settings):
        async with anthropic.AsyncAnthropic(**settings) as client:
            found = await ask(client)
            if isinstance(found, anthropic.AsyncStream):
                return [event async for event in found]
            return found

    def refused(self, kind, house, messages=None, **fields):
        """Return the exception, of exactly this kind, that a message ends with."""
        with pytest.raises(anthropic.APIError) as caught:
            self.create(house, messages, **fields)
        assert type(caught.value) is kind, caught.value
        return caught.value


@pytest.fixture(params=["sync", "async"])
def sdk(request, gateway):
    return Claude(request.param, gateway)


@pytest.fixture(scope="module", params=["simulated", "openai", "anthropic"])
def house(request, db, mock):
    """A house whose model is served by a provider of each dialect."""
    return served(mock, request.param)


def served(mock, dialect, model="mock-echo", **terms):
    """Make a house whose model is served in a dialect."""
    at = estate.simulated()
    if dialect != "simulated":
        at = estate.provider(mock.base_url, dialect=dialect)
    model = "simulated-echo" if dialect == "simulated" else model
    return estate.estate(estate.route((at, model), price=books.PRICE), **terms)


def text(events):
    """Return the text that the events of a stream bring."""
    return "".join(e.delta.text for e in events if e.type == "content_block_delta")


# What works


def test_a_message(sdk, house):
    answer = sdk.create(house, system="Be brief.")
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert answer.content[0].text == "Hello"
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0


def test_a_stream_says_what_the_whole_message_says(sdk, house):
    whole = sdk.create(house)
    events = sdk.create(house, stream=True)
    assert text(events) == whole.content[0].text
    assert events[0].type == "message_start"
    assert events[-1].type == "message_stop"
    (ending,) = [event for event in events if event.type == "message_delta"]
    assert ending.delta.stop_reason == "end_turn"
    assert ending.usage.output_tokens == whole.usage.output_tokens


def test_the_helper_of_the_client_gathers_a_stream(gateway, house):
    with (
        anthropic.Anthropic(base_url=gateway.base_url, api_key=house.secret) as client,
        client.messages.stream(model=house.model, max_tokens=64, messages=HELLO) as stream,
    ):
        assert "".join(stream.text_stream) == "Hello"
        assert stream.get_final_message().stop_reason == "end_turn"


def test_the_cap_cuts_and_is_told(sdk, house):
    answer = sdk.create(house, [{"role": "user", "content": "one two three four"}], max_tokens=2)
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_is_taken(sdk, db, stream):
    house = estate.estate(estate.route((estate.simulated(), "simulated")))
    ask = [{"role": "user", "content": "Please get_weather of a town."}]
    found = sdk.create(house, ask, tools=[WEATHER], stream=stream)
    if stream:
        begun = [e.content_block for e in found if e.type == "content_block_start"]
        (call,) = [block for block in begun if block.type == "tool_use"]
        pieces = [e.delta for e in found if e.type == "content_block_delta"]
        given = "".join(p.partial_json for p in pieces if p.type == "input_json_delta")
        assert json.loads(given) == {"town": "Oslo"}
        return
    (call,) = [block for block in found.content if block.type == "tool_use"]
    assert found.stop_reason == "tool_use"
    assert call.input == {"town": "Oslo"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Sunny, 21 degrees"}
    talk = [*ask, {"role": "assistant", "content": found.model_dump()["content"]}]
    last = sdk.create(house, [*talk, {"role": "user", "content": [result]}], tools=[WEATHER])
    assert "Sunny, 21 degrees" in last.content[0].text


def test_an_openai_client_before_an_anthropic_provider(gateway, mock):
    house, client = served(mock, "anthropic"), OpenAi("sync", gateway)
    answer = client.chat(house, [{"role": "system", "content": "Be brief."}, *HELLO])
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    chunks = client.chat(house, stream=True, stream_options={"include_usage": True})
    told = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(told) == "Hello"
    assert chunks[-1].usage.completion_tokens == answer.usage.completion_tokens
    sent = [entry for entry in mock.books() if entry["path"] == "/v1/messages"]
    assert sent[-2]["body"]["system"] == "Be brief."
    assert sent[-2]["headers"]["x-api-key"] == "sk-upstream-canary"
    assert "authorization" not in sent[-2]["headers"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", ["simulated", "openai", "anthropic"])
def test_the_same_policy_masks_what_is_asked_and_what_is_answered(gateway, mock, dialect, stream):
    """What the mask leaves is echoed by the model; an address that only it says is masked too."""
    house, sdk = served(mock, dialect, policy=MASK), Claude("sync", gateway)
    found = sdk.create(house, [{"role": "user", "content": "I am eve@example.com"}], stream=stream)
    told = text(found) if stream else found.content[0].text
    assert told == "I am <EMAIL_ADDRESS>"
    if dialect != "simulated":
        own = served(mock, dialect, model="mock-said", policy=MASK)
        mock.behave("mock-said", content="Write to adam@example.com now")
        found = sdk.create(own, stream=stream)
        told = text(found) if stream else found.content[0].text
        assert told == "Write to <EMAIL_ADDRESS> now"


# What it costs


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("usage", ["end", "absent"])
def test_every_attempt_is_settled_once_at_what_the_provider_billed(
    gateway, mock, dialect, stream, usage
):
    house = served(mock, dialect, model=f"mock-usage-{usage}", budgets=list(books.HARD))
    Claude("sync", gateway).create(house, stream=stream)
    (hold,) = books.holds(house).values()
    (entry,) = books.entries(mock, house)
    billed = books.billed(entry)
    assert books.posted(house) == books.micros(hold.posted_pico)
    if usage == "end":
        assert books.posted(house) == billed
    else:  # what nobody told is charged in full
        assert books.posted(house) == books.micros(hold.bound_pico) >= billed


def test_to_count_tokens_costs_nothing(sdk, mock):
    house = served(mock, "anthropic", budgets=list(books.HARD))
    counted = sdk.do(house, lambda c: c.messages.count_tokens(model=house.model, messages=HELLO))
    assert counted.input_tokens > 0
    assert [hold.posted_pico for hold in books.holds(house).values()] == [0]


# What is refused, and how


def test_a_wrong_key(sdk, house):
    foreign = estate.Estate(house.tenant, house.app, house.key, "gth_nothing", house.model)
    error = sdk.refused(anthropic.AuthenticationError, foreign)
    assert error.body["type"] == "error"
    assert error.body["error"]["code"] == "invalid_api_key"


def test_a_revoked_key(sdk, gateway, mock):
    house = served(mock, "simulated")
    sdk.create(house)
    virtual_key_revoke(actor=estate.ACTOR, key=house.key, reason="test")
    eventually(lambda: status(gateway, house) == 401)
    error = sdk.refused(anthropic.AuthenticationError, house)
    assert error.body["error"]["code"] == "key_revoked"


def status(gateway, house):
    """Return the status of a message, asked for without the client."""
    body = {"model": house.model, "max_tokens": 9, "messages": HELLO}
    headers = {"x-api-key": house.secret}
    return httpx.post(f"{gateway.base_url}/v1/messages", headers=headers, json=body).status_code


def test_a_model_that_there_is_not(sdk, house):
    other = estate.Estate(house.tenant, house.app, house.key, house.secret, "no-such-model")
    error = sdk.refused(anthropic.NotFoundError, other)
    assert error.body["error"]["type"] == "not_found_error"


def test_a_denial_tells_the_rule_and_what_would_pass(sdk, mock):
    house = served(
        mock,
        "simulated",
        policy="""
policy: {name}
default: permit
rules:
  - id: short-only
    when: call.messages > 2
    deny: {message: "Too long a talk ({call.messages} messages).", remedy: "Send two messages."}
""",
    )
    error = sdk.refused(anthropic.PermissionDeniedError, house, HELLO * 3)
    told = error.body["error"]
    assert (told["type"], told["code"]) == ("permission_error", "policy_denied")
    assert told["rule"] == "short-only"
    assert told["remedy"] == "Send two messages."
    assert told["decision_id"]


def test_a_budget_that_is_spent(sdk, mock):
    house = served(mock, "simulated", budgets=[{"limit_micros": 1}])
    error = sdk.refused(anthropic.RateLimitError, house)
    assert error.body["error"]["code"] == "insufficient_quota"
    assert error.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "text"),
        ({"extra_body": {"temperature": "warm"}}, "temperature"),
    ],
)
def test_a_bad_field_is_named(sdk, house, fields, param):
    error = sdk.refused(anthropic.BadRequestError, house, **fields)
    assert param in error.body["error"]["message"]


@pytest.mark.parametrize(
    ("dialect", "fields", "param"),
    [
        ("anthropic", {"seed": 7}, "seed"),
        ("anthropic", {"n": 2}, "n"),
        ("anthropic", {"response_format": {"type": "json_object"}}, "response_format"),
        ("anthropic", {"temperature": 1.5}, "temperature"),
        ("anthropic", {"messages": [NAMED]}, "messages.name"),
        ("anthropic", FORCED, "reasoning_effort"),
    ],
)
def test_what_a_provider_cannot_honour_is_refused_by_its_name(
    gateway, mock, dialect, fields, param
):
    house = served(mock, dialect)
    error = OpenAi("sync", gateway).refused(openai.BadRequestError, house, **fields)
    assert error.param == param
    beside = "'reasoning_effort' beside 'tool_choice'" if fields is FORCED else f"{param!r}."
    assert f"cannot honour {beside}" in error.message
    assert books.entries(mock, house) == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_route_can_leave_out_what_a_provider_cannot_honour_and_tells(gateway, mock, stream):
    at = estate.provider(mock.base_url, dialect="anthropic")
    route = estate.route((at, "mock-echo"), price=books.PRICE, drop_unsupported=True)
    house = estate.estate(route)
    left_out = ["logprobs", "reasoning_effort", "seed", "presence_penalty", "messages.name"]
    asked = {"messages": [NAMED], "seed": 7, "logprobs": True, "presence_penalty": 0.5, **FORCED}
    answer = gateway.chat(house.secret, house.model, stream=stream, **asked)
    assert answer.status_code == 200
    assert answer.headers["x-gatehouse-left-out"] == ", ".join(left_out)
    (entry,) = books.entries(mock, house)
    sent = entry["body"]
    assert not {"seed", "logprobs", "presence_penalty", "thinking", "output_config"} & set(sent)
    assert sent["tool_choice"] == {"type": "any"}
    assert sent["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    assert books.record(house, "admitted").body["left_out"] == left_out


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("mock-status-429", anthropic.RateLimitError, "upstream_rate_limited"),
        ("mock-status-500", anthropic.InternalServerError, "upstream_error"),
        ("mock-status-529", anthropic.InternalServerError, "upstream_error"),
        ("mock-status-401", anthropic.InternalServerError, "upstream_credential_rejected"),
        ("mock-status-400", anthropic.BadRequestError, "upstream_rejected"),
        ("mock-garbage", anthropic.InternalServerError, "upstream_error"),
        ("mock-hang", anthropic.GatewayTimeoutError, "upstream_timeout"),
    ],
)
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_provider_that_fails(gateway, mock, dialect, fault, kind, code):
    house = served(mock, dialect, model=fault)
    error = Claude("sync", gateway).refused(kind, house)
    assert error.body["error"]["code"] == code


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_stream_that_breaks_ends_with_an_event_that_the_client_raises(gateway, mock, dialect):
    house = served(mock, dialect, model="mock-cut")
    with pytest.raises(anthropic.APIStatusError) as caught:
        Claude("sync", gateway).create(house, stream=True)
    assert caught.value.body["error"]["code"] == "upstream_error"


def test_batches_of_messages_are_not_governable(gateway, house):
    answer = httpx.post(
        f"{gateway.base_url}/v1/messages/batches",
        headers={"x-api-key": house.secret},
        json={"requests": []},
    )
    assert answer.status_code == 501
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["code"] == "not_governable"
