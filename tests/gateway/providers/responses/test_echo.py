"""What a translated response says again of its request, as the official types want it."""

import orjson
import pytest
from openai.types.responses import Response

from gateway.exchange import Endpoint
from gateway.providers.dialect import Passing, Source
from gateway.providers.dialects import CHATS, CLIENTS
from gateway.providers.responses.client import parse
from gateway.providers.responses.stream import ResponseStream
from gateway.providers.translation import Translation
from tests.gateway.providers.scenes import SCENES

TOOL = {"type": "function", "name": "weather", "description": "Of a town."}
ASKED = {
    "model": "public",
    "input": "Hello",
    "instructions": "Be brief.",
    "max_output_tokens": 50,
    "metadata": {"team": "red"},
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "alice",
    "temperature": 0.5,
    "text": {
        "format": {"type": "json_schema", "name": "town", "schema": {"type": "object"}},
        "verbosity": "low",
    },
    "tool_choice": {"type": "function", "name": "weather"},
    "tools": [TOOL, {**TOOL, "name": "time", "strict": True, "parameters": {"type": "object"}}],
    "top_p": 0.9,
    "truncation": "disabled",
    "stream": False,
}
SAME = (
    "instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "prompt_cache_key",
    "reasoning", "safety_identifier", "temperature", "text", "tool_choice", "top_p", "truncation",
)  # fmt: skip
DIALECTS = ("openai", "anthropic", "gemini", "bedrock")


def translated(dialect, asked):
    source = Source("call-1", "a-model", 7, asked)
    return Translation(CLIENTS[Endpoint.RESPONSES], CHATS[dialect]).named(source)


def answers(dialect, asked):
    """Return the same answer whole, gathered, streamed, and gathered and then streamed."""
    told = SCENES[dialect, "words"]
    translation = translated(dialect, asked)
    yield translation.answer(told.whole, viewed=True, created_s=7).body
    passing = Passing(collect=False, limit=1 << 20, keep_usage=True, created_s=7)
    gathering = translation.stream(passing._replace(collect=True))
    gathering.feed(told.stream)
    yield gathering.assemble().body
    stream = translation.stream(passing)
    for data in (
        stream.feed(told.stream) + stream.close(),
        translation.render(gathering.assemble(), keep_usage=True),
    ):
        read = ResponseStream(collect=True, limit=1 << 20)
        read.feed(data)
        first = orjson.loads(data.split(b"\n")[1].removeprefix(b"data: "))["response"]
        assert {name: first[name] for name in SAME[:4]} == {
            name: read.assemble().body[name] for name in SAME[:4]
        }
        yield read.assemble().body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_was_asked_for_comes_back(dialect):
    parse(Endpoint.RESPONSES, ASKED, 100)
    for body in answers(dialect, ASKED):
        Response.model_validate(body, strict=True)
        assert {name: body[name] for name in SAME} == {name: ASKED[name] for name in SAME}
        assert body["tools"] == [
            {**TOOL, "parameters": None, "strict": False},
            {**TOOL, "name": "time", "strict": True, "parameters": {"type": "object"}},
        ]
        assert body["output"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_was_not_asked_for_is_what_the_api_takes_then(dialect):
    for body in answers(dialect, {"model": "public", "input": "Hello", "temperature": None}):
        parsed = Response.model_validate(body, strict=True)
        assert (parsed.temperature, parsed.top_p, parsed.truncation) == (1.0, 1.0, "disabled")
        assert (parsed.tools, parsed.tool_choice) == ([], "auto")
        assert (parsed.instructions, parsed.max_output_tokens) == (None, None)
        assert parsed.text.format.type == "text"
        assert parsed.reasoning.effort is None
        assert (parsed.metadata, parsed.parallel_tool_calls) == ({}, True)
        assert body["store"] is False
        assert "prompt_cache_key" not in body


def test_what_was_asked_for_is_no_text_of_the_model():
    """The bytes that a policy may count are those that the model wrote."""
    told = SCENES["anthropic", "words"].whole
    silent, full = (
        translated("anthropic", asked).answer(told, viewed=True, created_s=7)
        for asked in ({}, ASKED)
    )
    assert full.text_bytes == silent.text_bytes > 0
    assert full.body["output"] == silent.body["output"]
