"""The responses API through a running gateway, with the official client: native to a provider that
speaks it, translated to one that does not; the same policies, money and errors as for a chat."""

import openai
import pytest

from tests import books, estate
from tests.gateway.proxy.test_answers import DENY_ANSWERS, MASK_ANSWERS
from tests.gateway.proxy.test_streams import COUNTING
from tests.mock_provider import start_mock_provider
from tests.openai_client import Client
from tests.planting import MAIL, house, leaks
from tests.scripted import Scripted
from tests.stack import Gateway

MASK_REQUESTS = """
policy: {name}
default: permit
rules:
  - id: mask
    when: pii.count > 0
    redact: {kinds: all, min_score: 0.1, method: mask}
"""
CAP = """
policy: {name}
default: permit
rules:
  - id: brief
    when: call.endpoint == "responses"
    cap: {max_output_tokens: 5}
"""
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a town.",
    "parameters": {
        "type": "object",
        "properties": {"town": {"type": "string", "enum": ["Oslo", "Rome"]}},
        "required": ["town"],
    },
    "strict": True,
}
TOWN = {
    "format": {
        "type": "json_schema",
        "name": "town",
        "schema": {"type": "object", "properties": {"town": {"type": "string"}}},
    }
}


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(params=["sync", "async"])
def sdk(request, gateway):
    return Client(request.param, gateway)


def of_simulated(*, policy=estate.OPEN, model="simulated-echo"):
    return house(policy, (None, model), budgets=books.HARD)


def home_of(mock, model, policy=estate.OPEN):
    return house(policy, (mock.base_url if "mock" in model else None, model), budgets=books.HARD)


def ask(sdk, home, given="Hello there.", **fields):
    return sdk.do(
        home.secret, lambda c: c.responses.create(model=home.model, input=given, **fields)
    )


MODELS = pytest.mark.parametrize("model", ["simulated-echo", "mock-echo"])


@MODELS
def test_a_response(sdk, mock, model):
    home = home_of(mock, model)
    found = ask(sdk, home, instructions="Say it again.")
    assert found.output_text == "Hello there."
    assert (found.status, found.object) == ("completed", "response")
    assert found.usage.total_tokens == found.usage.input_tokens + found.usage.output_tokens
    assert found.usage.input_tokens_details.cached_tokens == 0
    books.holds(home)
    assert books.posted(home) == found.usage.input_tokens + 2 * found.usage.output_tokens


@MODELS
def test_a_stream_says_what_the_whole_answer_says_and_costs_the_same(sdk, mock, model):
    home = home_of(mock, model)
    whole = ask(sdk, home)
    books.holds(home)
    cost = books.posted(home)
    events = ask(sdk, home, stream=True)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1].type == "response.completed"
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(said) > 1
    assert "".join(said) == events[-1].response.output_text == whole.output_text
    assert events[-1].response.usage.output_tokens == whole.usage.output_tokens
    books.holds(home)
    sent = len('"stream": true') // 4 + 1  # the mock counts the bytes of what it was asked
    assert abs(books.posted(home) - 2 * cost) <= sent


def test_a_tool_is_called_and_its_output_is_taken(sdk, db):
    home = of_simulated(model="simulated")
    items = [{"role": "user", "content": "Please get_weather of a town."}]
    first = ask(sdk, home, items, tools=[WEATHER])
    (call,) = first.output
    assert (call.type, call.name) == ("function_call", "get_weather")
    assert call.arguments == '{"town":"Oslo"}'
    items += [
        call.to_dict(),
        {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny, 21 degrees"},
    ]
    assert "Sunny, 21 degrees" in ask(sdk, home, items, tools=[WEATHER]).output_text


def test_a_tool_is_called_in_a_stream(sdk, db):
    home = of_simulated(model="simulated")
    events = ask(sdk, home, "Please get_weather of a town.", tools=[WEATHER], stream=True)
    deltas = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
    (done,) = [e for e in events if e.type == "response.function_call_arguments.done"]
    assert "".join(deltas) == done.arguments == '{"town":"Oslo"}'
    assert events[-1].response.output[0].call_id


@MODELS
def test_the_clients_own_reader_of_streams_is_content(gateway, mock, model):
    home = home_of(mock, model)
    settings = {"base_url": f"{gateway.base_url}/v1", "api_key": home.secret}
    with (
        openai.OpenAI(**settings) as client,
        client.responses.stream(model=home.model, input="Hello there.") as stream,
    ):
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert "".join(texts) == stream.get_final_response().output_text == "Hello there."


def test_the_clients_own_reader_of_streams_reads_calls(gateway, db):
    home = of_simulated(model="simulated", policy=MASK_ANSWERS)
    settings = {"base_url": f"{gateway.base_url}/v1", "api_key": home.secret}
    given = f"Please get_weather for {MAIL}."
    with (
        openai.OpenAI(**settings) as client,
        client.responses.stream(model=home.model, input=given, tools=[WEATHER]) as stream,
    ):
        (call,) = stream.get_final_response().output
        assert (call.name, call.parsed_arguments) == ("get_weather", {"town": "Oslo"})


def test_an_answer_of_a_schema(sdk, db):
    found = ask(sdk, of_simulated(model="simulated"), "Oslo", text=TOWN)
    assert found.output_text == '{"town":"Oslo"}'


@MODELS
def test_an_answer_that_is_cut_off_is_incomplete(sdk, mock, model):
    home = home_of(mock, model)
    given = "one two three four five six seven eight nine ten"
    found = ask(sdk, home, given, max_output_tokens=4)
    assert found.status == "incomplete"
    assert found.incomplete_details.reason == "max_output_tokens"
    assert found.usage.output_tokens == 4
    events = ask(sdk, home, given, max_output_tokens=4, stream=True)
    assert events[-1].type == "response.incomplete"


def test_what_the_provider_hears_is_what_was_judged(sdk, mock):
    home = home_of(mock, "mock-tokens-30", CAP)
    before = len(mock.books())
    found = ask(sdk, home, max_output_tokens=20, metadata={"ticket": "T-1"}, include=[])
    (entry,) = mock.books()[before:]
    assert entry["path"] == "/v1/responses"
    assert entry["body"] == {
        "model": "mock-tokens-30",
        "input": "Hello there.",
        "max_output_tokens": 5,
        "store": False,
        "metadata": {"ticket": "T-1"},
        "include": [],
    }
    assert found.usage.output_tokens == 5
    books.holds(home)
    assert books.billed(entry) == books.posted(home)


@MODELS
def test_what_is_masked_on_the_way_there_never_arrives(sdk, mock, model):
    home = home_of(mock, model, MASK_REQUESTS)
    content = [
        {"type": "input_text", "text": f"Write to {MAIL[:5]}"},
        {"type": "input_text", "text": f"{MAIL[5:]} today."},
    ]
    found = ask(sdk, home, [{"role": "user", "content": content}], instructions=f"I am {MAIL}.")
    assert found.output_text == "Write to <EMAIL_ADDRESS> today."
    assert not leaks(str(mock.books()[-1:]) if "mock" in model else "")


@MODELS
def test_what_is_masked_on_the_way_back_is_never_seen_whole_or_streamed(sdk, mock, model):
    home = home_of(mock, model, MASK_ANSWERS)
    said = f"Write to {MAIL} today."
    assert ask(sdk, home, said).output_text == "Write to <EMAIL_ADDRESS> today."
    events = ask(sdk, home, said, stream=True)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "Write to <EMAIL_ADDRESS> today."
    assert not leaks("".join(str(event) for event in events))


@MODELS
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_forbidden_is_not_shown(sdk, mock, model, stream):
    home = home_of(mock, model, DENY_ANSWERS)
    with pytest.raises(openai.APIError) as caught:
        ask(sdk, home, f"Write to {MAIL}.", stream=stream)
    assert caught.value.code == "policy_denied"
    assert not leaks(str(caught.value))


@pytest.mark.parametrize("model", ["simulated-cut", "mock-cut", "mock-garbage"])
def test_a_stream_that_breaks_off_ends_with_the_error_event_of_the_api(gateway, mock, model):
    home = home_of(mock, model)
    body = {"model": home.model, "input": "Hello there, what is new?", "stream": True}
    with gateway.client(home.secret) as client:
        text = client.post("/v1/responses", json=body).text
    *_, before, last, rest = text.split("\n\n")
    assert rest == ""
    name, data = last.split("\n")
    assert name == "event: error"
    event = openai.types.responses.ResponseErrorEvent.model_validate_json(
        data.removeprefix("data: "), strict=True
    )
    assert event.code == "upstream_error"
    assert f'"sequence_number":{event.sequence_number - 1}' in before


def test_a_stream_that_breaks_off_is_an_error_not_an_end(sdk, mock):
    with pytest.raises(openai.APIError) as caught:
        ask(sdk, home_of(mock, "mock-cut"), stream=True)
    assert caught.value.body["code"] == "upstream_error"


def test_a_provider_that_tells_of_a_failure(sdk):
    failed = (
        b'event: response.failed\ndata: {"type":"response.failed","sequence_number":0,"response":'
        b'{"error":{"code":"server_error","message":"Overheated."}}}\n\n'
    )
    with Scripted(failed) as provider:
        home = house(estate.OPEN, (provider.base_url, "m"))
        with pytest.raises(openai.APIError) as caught:
            ask(sdk, home, stream=True)
    assert "Overheated." in caught.value.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"store": True}, "store"),
        ({"tools": [{"type": "web_search"}]}, None),
        ({"service_tier": "priority"}, "service_tier"),
        ({"extra_body": {"strange": 1}}, "strange"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_what_cannot_be_governed_or_priced_is_refused(sdk, mock, fields, param):
    before = len(mock.books())
    with pytest.raises(openai.BadRequestError) as caught:
        ask(sdk, home_of(mock, "mock-echo"), **fields)
    assert caught.value.param == param
    assert len(mock.books()) == before


def test_what_another_dialect_cannot_honour_is_named(sdk, db):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(sdk, of_simulated(), truncation="auto")
    assert caught.value.param == "truncation"


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.responses.retrieve("resp_1"),
        lambda c: c.responses.delete("resp_1"),
        lambda c: c.responses.cancel("resp_1"),
    ],
)
def test_answers_are_not_kept_so_none_is_fetched(sdk, mock, call):
    with pytest.raises(openai.InternalServerError) as caught:
        sdk.do(home_of(mock, "mock-echo").secret, call, max_retries=5)
    assert (caught.value.status_code, caught.value.code) == (501, "not_governable")


@pytest.mark.parametrize("stream", [False, True])
def test_usage_that_is_not_told_is_not_free(sdk, mock, stream):
    home = books.served((mock.base_url, "mock-usage-absent"))
    assert ask(sdk, home, stream=stream)
    (hold,) = books.holds(home).values()
    assert books.posted(home) == books.micros(hold.bound_pico) > 0


PROMPTED = """
policy: {name}
default: permit
rules:
  - id: house
    when: call.endpoint == "responses"
    add_system_prompt: "Speak of nobody."
"""


def test_a_translated_response_says_again_what_was_asked_for(sdk):
    home = of_simulated()
    found = ask(sdk, home, instructions="Be brief.", temperature=0.5, tools=[WEATHER])
    assert (found.instructions, found.temperature) == ("Be brief.", 0.5)
    assert found.tools[0].parameters == WEATHER["parameters"]


@pytest.mark.parametrize(
    ("policy", "instructions"),
    [(PROMPTED, "Be brief."), (MASK_REQUESTS, f"Write to {MAIL}.")],
    ids=["prompted", "masked"],
)
def test_instructions_that_a_policy_changed_are_not_told_again(sdk, policy, instructions):
    found = ask(sdk, of_simulated(policy=policy), instructions=instructions)
    assert found.instructions is None
    assert "nobody" not in found.model_dump_json()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answers", ["", DENY_ANSWERS, COUNTING], ids=["passes", "held", "whole"])
def test_a_provider_of_the_same_api_does_not_tell_them_either(sdk, mock, answers, stream):
    """It says again what it was sent, with what a policy put before the client's own."""
    own = home_of(mock, "mock-echo")
    found = ask(sdk, own, instructions="Be brief.", stream=stream)
    assert told(found) == {"Be brief."}
    policy = PROMPTED + answers.partition("rules:\n")[2]
    home = home_of(mock, "mock-echo", policy)
    found = ask(sdk, home, instructions="Be brief.", stream=stream)
    assert told(found) == {None}
    assert mock.books()[-1]["body"]["instructions"] == "Speak of nobody.\n\nBe brief."


def told(found):
    """Return the instructions that a response, or the events of one, say again."""
    if not isinstance(found, list):
        return {found.instructions}
    return {event.response.instructions for event in found if hasattr(event, "response")}
