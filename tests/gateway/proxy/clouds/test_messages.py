"""Anthropic's client before each cloud: its messages are answered by models of all of them."""

import json

import anthropic
import pytest

from tests import books

TEXT = "word0 word1 word2 "
TOOL = {
    "name": "get_weather",
    "description": "The weather of a town.",
    "input_schema": {"type": "object", "properties": {"town": {"type": "string"}}},
}
SECRETS = {
    "bedrock": json.dumps(
        {"access_key_id": "AKID", "secret_access_key": "aws-canary", "region": "eu-central-1"}
    )
}


@pytest.fixture(params=["azure-openai", "gemini", "bedrock"])
def cloud(request):
    return request.param


@pytest.fixture
def served(mock, cloud):
    bases = {"azure-openai": "/openai/v1", "gemini": "/v1beta", "bedrock": ""}

    def make(model="mock-tokens-3"):
        base, secret = mock.origin + bases[cloud], SECRETS.get(cloud, "key-canary")
        return books.served((base, model), dialect=cloud, secret=secret)

    return make


@pytest.fixture
def client(gateway):
    made = []

    def make(house):
        made.append(
            anthropic.Anthropic(base_url=gateway.base_url, api_key=house.secret, max_retries=0)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def asked(house, text="Hello", **more):
    messages = [{"role": "user", "content": text}]
    return {"model": house.model, "max_tokens": 20, "messages": messages, **more}


def test_a_message_whole_and_streamed_is_paid_by_what_was_billed(mock, served, client):
    house = served()
    whole = client(house).messages.create(**asked(house))
    assert (whole.content[0].text, whole.stop_reason) == (TEXT, "end_turn")
    with client(house).messages.stream(**asked(house)) as stream:
        final = stream.get_final_message()
    assert (final.content[0].text, final.usage.output_tokens) == (TEXT, 3)
    entries = books.entries(mock, house)
    assert len(entries) == 2
    assert books.posted(house) == sum(books.billed(entry) for entry in entries)


@pytest.mark.parametrize("cloud", ["gemini", "bedrock"])
def test_a_tool_is_called_and_its_result_is_taken(mock, served, client, cloud):
    mock.behave(f"mock-tools-{cloud}", tools=True, tokens=1)
    house = served(f"mock-tools-{cloud}")
    first = client(house).messages.create(**asked(house, tools=[TOOL]))
    assert first.stop_reason == "tool_use"
    call = first.content[-1]
    assert (call.name, call.input) == ("get_weather", {"town": "Oslo"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Sunny"}
    content = [block.model_dump(exclude_none=True) for block in first.content]
    more = [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    question = asked(house, tools=[TOOL])
    last = client(house).messages.create(**{**question, "messages": question["messages"] + more})
    assert last.stop_reason == "end_turn"
    if cloud == "gemini":  # what Gemini signed comes back to it, by a client that keeps it
        sent = books.entries(mock, house)[-1]["body"]["contents"][1]["parts"]
        assert sent[-1]["thoughtSignature"] == "c2lnbmVk"


def test_a_failure_is_told_in_anthropics_words(mock, served, client):
    house = served("mock-refuses")
    mock.behave("mock-refuses", status=400, message="Not like this.")
    with pytest.raises(anthropic.BadRequestError, match=r"Not like this\."):
        client(house).messages.create(**asked(house))
    assert [hold.posted_pico for hold in books.holds(house).values()] == [0]
