"""The simulated provider speaks as a real one does, and always says the same."""

import base64
import json
import math
import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.exchange import Endpoint
from gateway.providers.fault import BadAnswer
from gateway.providers.openai.client import parse
from gateway.providers.openai.stream import ChatStream
from gateway.providers.openai.upstream import error_message, input_bound, parse_answer
from gateway.providers.simulated.answer import Simulation, simulate
from gateway.providers.simulated.speech import example, tokens
from tests.gateway.providers.openai.chunks import sdk

ASK = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "How are  you?"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "get_time"}},
    {"type": "custom", "custom": {"name": "free"}},
]


def chat(model="simulated", messages=ASK, **fields):
    return simulate(Endpoint.CHAT, {"model": model, "messages": messages, **fields}, model)


def data(simulation: Simulation) -> bytes:
    return b"".join(chunk for _, chunk in simulation.chunks)


def whole(*args, **fields):
    simulation = chat(*args, **fields)
    assert (simulation.status, simulation.hang) == (200, False)
    answer = parse_answer(Endpoint.CHAT, data(simulation))
    ChatCompletion.model_validate(answer.body, strict=True)
    return answer


def streamed(*args, **fields):
    found = ChatStream(keep_usage=True, collect=True, limit=10**7)
    options = {"stream_options": {"include_usage": True}}
    found.feed(data(chat(*args, stream=True, **{**options, **fields})))
    return found


def text(answer, index=0):
    return answer.body["choices"][index]["message"]["content"]


def test_it_answers_usefully():
    said = text(whole())
    assert "How are you?" in said
    assert "13 characters" in said
    assert "simulated" in said


def test_the_same_request_has_the_same_answer_and_another_another():
    assert chat() == chat()
    assert chat(stream=True) == chat(stream=True)
    assert whole().body["id"] != whole(user="x").body["id"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 3},
        {"max_tokens": 5},
        {"max_completion_tokens": 1, "n": 2},
        {"tools": TOOLS, "tool_choice": "required"},
        {"tools": TOOLS, "messages": [{"role": "user", "content": "get_weather and get_time"}]},
        {"tools": TOOLS, "tool_choice": "required", "max_tokens": 4},
        {"response_format": {"type": "json_object"}},
        {"model": "simulated-echo"},
        {"model": "simulated-no-usage"},
    ],
)
def test_json_and_stream_say_the_same(fields):
    answer, again = whole(**fields), streamed(**fields).assemble()
    body = {**again.body, "choices": [{"logprobs": None, **one} for one in again.body["choices"]]}
    assert body == answer.body
    assert (again.usage, again.finish) == (answer.usage, answer.finish)


def test_a_stream_comes_word_by_word_in_events_of_the_api():
    simulation = chat(stream=True, stream_options={"include_usage": True})
    chunks = list(sdk(data(simulation)))
    assert len(chunks) > 10
    assert all(chunk.startswith(b"data: ") for _, chunk in simulation.chunks)
    assert [pause for pause, _ in simulation.chunks] == [0] + [10] * (len(simulation.chunks) - 1)
    for _, chunk in simulation.chunks[:-1]:
        ChatCompletionChunk.model_validate(orjson.loads(chunk[6:]), strict=True)
    assert chunks[-1].usage.completion_tokens == whole().usage.output_tokens
    assert all(chunk.usage is None for chunk in sdk(data(chat(stream=True))))


def test_choices_are_as_many_as_asked():
    answer = whole(n=3)
    assert [choice["index"] for choice in answer.body["choices"]] == [0, 1, 2]
    assert "choice 2" in text(answer, 1)
    one = whole().usage.output_tokens
    assert answer.usage.output_tokens > 3 * one - 3


@given(st.integers(1, 60), st.integers(1, 3), st.booleans())
def test_no_choice_is_longer_than_its_cap(cap, n, tooled):
    both = [{"role": "user", "content": "get_weather and get_time"}]
    fields = {"tools": TOOLS, "messages": both} if tooled else {}
    answer, full = whole(max_tokens=cap, n=n, **fields), whole(n=n, **fields)
    assert answer.usage.output_tokens <= cap * n
    assert (answer.finish == "length") is (answer.usage != full.usage)


def test_a_cap_that_is_reached_finishes_for_length():
    answer = whole(max_tokens=5)
    assert (answer.finish, answer.usage.output_tokens) == ("length", 5)
    assert whole(max_tokens=10_000).finish == "stop"


def test_the_input_is_counted_within_its_bound():
    body = {"model": "simulated", "messages": ASK, "tools": TOOLS}
    size = len(orjson.dumps(body))
    bound = input_bound(size, parse(Endpoint.CHAT, body, size))
    assert 10 < whole(tools=TOOLS).usage.input_tokens < bound


@pytest.mark.parametrize(
    ("fields", "called"),
    [
        ({"tool_choice": "required"}, ["get_weather"]),
        ({"tool_choice": {"type": "function", "function": {"name": "get_time"}}}, ["get_time"]),
        ({"tool_choice": {"type": "custom", "custom": {"name": "free"}}}, []),
        ({"messages": [{"role": "user", "content": "please get_time now"}]}, ["get_time"]),
        ({"messages": [{"role": "user", "content": "get_time"}], "tool_choice": "none"}, []),
        ({}, []),
    ],
)
def test_tools_are_called_when_asked(fields, called):
    answer = whole(tools=TOOLS, **fields)
    assert list(answer.tool_calls) == called
    assert answer.finish == ("tool_calls" if called else "stop")


def test_arguments_fit_the_schema_of_the_tool():
    answer = whole(tools=TOOLS, tool_choice="required")
    (call,) = answer.body["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "How are you?", "days": 1}


def test_the_answer_of_a_tool_is_used_and_ends_the_calling():
    called = whole(tools=TOOLS, tool_choice="required").body["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": "x", "content": [{"type": "text", "text": "sunny"}]}
    answer = whole(messages=[*ASK, called, result], tools=TOOLS, tool_choice="required")
    assert answer.tool_calls == ()
    assert "sunny" in text(answer)


def test_json_is_answered_where_json_is_asked():
    found = json.loads(text(whole(response_format={"type": "json_object"})))
    assert found["answer"] == "How are you?"
    shape = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
    found = json.loads(text(whole(response_format=shape)))
    assert found == {"city": "How are you?", "days": 1}
    assert "Hello" in text(whole(response_format="text"))
    shape = {"type": "json_schema"}
    nothing = [{"role": "system", "content": "s"}]
    assert json.loads(text(whole(messages=nothing, response_format=shape))) == "simulated"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 3}, 3),
        ({"type": "string", "default": "d"}, "d"),
        ({"enum": ["a", "b"]}, "a"),
        ({"enum": []}, "w"),
        ({"examples": [5]}, 5),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"oneOf": []}, "w"),
        ({"type": ["number", "null"]}, 1.5),
        ({"type": []}, "w"),
        ({"type": {"x": 1}}, "w"),
        ({"type": "boolean"}, True),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array"}, []),
        ({"type": "object"}, {}),
        ({"properties": {"a": {}}}, {"a": "w"}),
        ({"properties": "odd"}, {}),
        ("odd", "w"),
    ],
)
def test_an_example_of_each_kind_of_schema(schema, value):
    assert example(schema, "w") == value


def test_a_schema_without_end_has_an_example_with_one():
    schema = {"type": "array"}
    schema["items"] = schema
    assert json.dumps(example(schema, "w")).count("[") < 20


def test_echo_says_exactly_what_the_user_said():
    parts = [
        {"type": "text", "text": "a  b\n"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": " c "},
    ]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "no"}]
    assert text(whole("simulated-echo", messages)) == "a  b\n c "
    odd = [{"role": "user", "content": [{"type": "odd", "text": 5}]}]
    assert text(whole("simulated-echo", odd)) == ""
    assert text(whole("simulated-echo", [{"role": "user", "content": None}])) == ""


@given(st.text())
def test_tokens_are_the_text_again_and_none_is_empty(said):
    assert "".join(tokens(said)) == said
    assert all(tokens(said))


def test_a_long_question_is_quoted_in_part():
    said = text(whole(messages=[{"role": "user", "content": "x" * 5000}]))
    assert "5000 characters" in said
    assert len(said) < 500


def test_slow_takes_its_time():
    assert chat("simulated-slow").chunks[0][0] == 1500
    assert [pause for pause, _ in chat("simulated-slow", stream=True).chunks[:3]] == [
        1500,
        150,
        150,
    ]
    assert chat().chunks[0][0] == 0


@pytest.mark.parametrize("status", [429, 500])
def test_refusals_are_those_of_the_api(status):
    simulation = chat(f"simulated-error-{status}", stream=True)
    assert simulation.status == status
    assert "refuses" in error_message(data(simulation))


def test_hang_never_answers():
    assert chat("simulated-hang") == Simulation(200, (), hang=True)


def test_no_usage_tells_none():
    assert whole("simulated-no-usage").usage is None
    assert streamed("simulated-no-usage").usage is None


def test_garbage_is_garbage():
    with pytest.raises(BadAnswer):
        parse_answer(Endpoint.CHAT, data(chat("simulated-garbage")))
    assert streamed("simulated-garbage").failed is not None


def test_cut_breaks_off():
    with pytest.raises(BadAnswer):
        parse_answer(Endpoint.CHAT, data(chat("simulated-cut")))
    found = streamed("simulated-cut")
    assert (found.done, found.finish, found.usage) == (False, "", None)
    assert found.output_bytes > 0


def embed(model="simulated", **fields):
    return simulate(Endpoint.EMBEDDINGS, {"model": model, "input": "text", **fields}, model)


def embedded(**fields):
    answer = parse_answer(Endpoint.EMBEDDINGS, data(embed(**fields)))
    return answer, [item["embedding"] for item in answer.body["data"]]


def test_embeddings_are_unit_vectors_of_the_asked_length():
    answer, (vector,) = embedded()
    CreateEmbeddingResponse.model_validate(answer.body, strict=True)
    assert len(vector) == 256
    assert math.isclose(sum(value * value for value in vector), 1, rel_tol=1e-5)
    assert answer.usage.input_tokens >= 1
    assert len(embedded(dimensions=7)[1][0]) == 7


def test_the_same_text_has_the_same_vector_in_either_encoding():
    _, vectors = embedded(input=["a", "b", "a"])
    assert vectors[0] == vectors[2] != vectors[1]
    _, packed = embedded(input=["a"], encoding_format="base64")
    assert list(struct.unpack("<256f", base64.b64decode(packed[0]))) == vectors[0]


@pytest.mark.parametrize(("given", "count"), [([1, 2], 1), ([[1], [2, 3]], 2), (["x"], 1)])
def test_texts_and_token_numbers_have_vectors(given, count):
    assert len(embedded(input=given)[1]) == count


@pytest.mark.parametrize(
    "fields",
    [{"dimensions": 0}, {"dimensions": 5000}, {"dimensions": "3"}, {"input": ["x"] * 2000}],
)
def test_more_numbers_than_a_simulation_computes_are_refused(fields):
    assert embed(**fields).status == 400


def test_embeddings_behave_by_the_name_of_the_model_too():
    assert "usage" not in orjson.loads(data(embed("simulated-no-usage")))
    assert embed("simulated-error-429").status == 429
    with pytest.raises(BadAnswer):
        parse_answer(Endpoint.EMBEDDINGS, data(embed("simulated-cut")))
