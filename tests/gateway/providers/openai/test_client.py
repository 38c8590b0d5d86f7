"""The client side of the OpenAI dialect: what is lifted, what is refused, what merely travels."""

import orjson
import pytest

from gateway.exchange import Endpoint
from gateway.providers.fault import BadRequest
from gateway.providers.openai import fields
from gateway.providers.openai.client import parse
from gateway.providers.openai.fields import CHAT, EMBEDDINGS, Treatment

USER = {"role": "user", "content": "hi"}


def chat(**fields):
    body = {"model": "m", "messages": [USER], **fields}
    return parse(Endpoint.CHAT, body, 100)


def embed(**fields):
    return parse(Endpoint.EMBEDDINGS, {"model": "e", "input": "text", **fields}, 50)


def function(name="f", **more):
    return {"type": "function", "function": {"name": name, **more}}


def test_what_is_lifted_from_a_chat():
    body = {
        "model": "gpt",
        "messages": [
            {"role": "system", "content": "s"},
            USER,
            USER,
            {"role": "assistant", "content": None},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "n": 3,
        "max_tokens": 7,
        "temperature": 1,
        "tools": [function(), {"type": "custom", "custom": {"name": "c"}}, {"type": "web_search"}],
        "functions": [{"name": "old"}],
        "tool_choice": "required",
        "user": "u",
    }
    call = parse(Endpoint.CHAT, body, 321)
    assert (call.endpoint, call.model, call.size, call.stream, call.include_usage) == (
        Endpoint.CHAT,
        "gpt",
        321,
        True,
        True,
    )
    assert (call.n, call.max_output_tokens, call.messages, call.temperature) == (3, 7, 4, 1.0)
    assert call.roles == ("system", "user", "assistant")
    assert call.tools == ("f", "c", "web_search", "old")
    assert (call.tool_choice, call.user) == ("required", "u")
    assert call.body is body
    assert "hi" in [leaf.text for leaf in call.view.leaves]


def test_what_is_not_given_has_a_value():
    call = chat(n=None, stream=None, stream_options=None, tools=None, max_tokens=None, user=None)
    assert (call.n, call.stream, call.include_usage, call.max_output_tokens) == (
        1,
        False,
        False,
        None,
    )
    assert (call.tools, call.tool_choice, call.temperature, call.user) == ((), "", None, "")
    assert (call.unknown_fields, call.priced_fields) == ((), ())


def test_the_end_user_may_be_named_the_new_way():
    assert chat(safety_identifier="s").user == "s"
    assert chat(safety_identifier="s", user="u").user == "u"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 3}, "model"),
        ({"model": "m" * 257}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "root", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 4}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "refusal", "text": "x"}]}]},
            "messages[0].content[0].refusal",
        ),
        ({"messages": [{**USER, "tool_calls": {}}]}, "messages[0].tool_calls"),
        ({"messages": [{**USER, "tool_calls": ["f"]}]}, "messages[0].tool_calls[0]"),
        (
            {"messages": [{**USER, "tool_calls": [{"function": "f"}]}]},
            "messages[0].tool_calls[0].function",
        ),
        (
            {"messages": [{**USER, "tool_calls": [{"function": {"arguments": {}}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": "2"}, "n"),
        ({"n": 1.0}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 2**31}, "max_tokens"),
        ({"max_completion_tokens": 1e30}, "max_completion_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"user": 7}, "user"),
        ({"user": "u" * 257}, "user"),
        ({"tools": {}}, "tools"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"tools": [{"type": "custom", "custom": []}]}, "tools[0].custom"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"tool_choice": "all"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"tool_choice": {"type": ["function"]}}, "type"),
        ({"function_call": "always"}, "function_call"),
        ({"function_call": {"name": ""}}, "function_call.name"),
    ],
)
def test_what_is_wrong_is_refused_and_named(fields, param):
    with pytest.raises(BadRequest) as caught:
        chat(**fields)
    assert caught.value.param == param
    assert param in caught.value.message or "differ" in caught.value.message


def test_parts_of_any_type_are_taken():
    parts = [{"type": "image_url", "image_url": {"url": "https://h"}}, {"type": "hologram"}]
    call = chat(messages=[{"role": "user", "content": parts, "tool_calls": None}])
    assert call.view.uninspected == ("image", "other")


def test_both_caps_may_be_given_when_they_agree():
    assert chat(max_tokens=5, max_completion_tokens=5).max_output_tokens == 5
    assert chat(max_completion_tokens=6).max_output_tokens == 6


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"tool_choice": "none"}, "none"),
        ({"tool_choice": {"type": "function", "function": {"name": "none"}}}, "tool:none"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "c"}}}, "tool:c"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}},
            "required",
        ),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}}, "auto"),
        ({"tool_choice": {"type": "web_search"}}, "tool:web_search"),
        ({"function_call": "auto"}, "auto"),
        ({"function_call": {"name": "old"}}, "tool:old"),
        ({"tool_choice": "auto", "function_call": {"name": "old"}}, "auto"),
    ],
)
def test_the_choice_of_a_tool_is_a_mode_or_a_name_that_passes_for_no_mode(fields, choice):
    assert chat(**fields).tool_choice == choice


@pytest.mark.parametrize("value", ["a\0b", [{"type": "text", "text": "\0"}]])
def test_case_4_a_nul_is_refused_wherever_it_stands(value):
    with pytest.raises(BadRequest) as caught:
        chat(messages=[{"role": "user", "content": value}])
    assert caught.value.param == "messages/0/content"
    with pytest.raises(BadRequest):
        chat(model="m\0")
    with pytest.raises(BadRequest):
        chat(**{"odd\0": True})


def test_a_body_that_is_too_deep_is_refused():
    deep = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(BadRequest, match="deeper"):
        chat(odd=deep)


# What a field of each class is set to, to see that it is treated so.
SET = {"store": True, "modalities": ["text", "audio"], "service_tier": "priority", "best_of": 2}


@pytest.mark.parametrize("field", [name for name in CHAT if CHAT[name] is Treatment.PRICED])
def test_case_15_a_priced_field_is_named(field):
    assert chat(**{field: SET.get(field, {"x": "y"})}).priced_fields == (field,)
    assert chat(**{field: None}).priced_fields == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"service_tier": "auto"},
        {"service_tier": "default"},
        {"modalities": ["text"]},
        {"prompt_cache_retention": "in_memory"},
        {"best_of": 1},
    ],
)
def test_case_15_a_priced_field_that_costs_nothing_as_it_is_set_is_not_named(fields):
    assert chat(**fields).priced_fields == ()


@pytest.mark.parametrize("field", [name for name in CHAT if CHAT[name] is Treatment.BY_REFERENCE])
def test_case_15_a_field_by_reference_is_uninspected(field):
    assert chat(**{field: SET.get(field, "x")}).view.uninspected == ("reference",)
    for unset in (None, False, "", [], {}):
        assert chat(**{field: unset}).view.uninspected == ()


@pytest.mark.parametrize("field", [name for name in CHAT if CHAT[name] is Treatment.HARMLESS])
def test_case_15_a_harmless_field_travels_without_a_word(field):
    call = chat(**{field: "x"})
    assert (call.unknown_fields, call.priced_fields, call.view.uninspected) == ((), (), ())
    assert call.body[field] == "x"


def test_case_15_a_server_tool_is_uninspected():
    call = chat(tools=[{"type": "mcp", "server_url": "https://h"}])
    assert call.view.uninspected == ("reference",)


def test_case_15_an_unlisted_field_is_unknown_and_travels():
    call = chat(brand_new={"x": 1}, another=None)
    assert call.unknown_fields == ("brand_new", "another")
    assert call.body["brand_new"] == {"x": 1}


def test_case_15_unlisted_fields_inside_are_named_by_where_they_stand():
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}, "p": 1}
    call = chat(
        messages=[{"role": "user", "content": [part, part], "weight": 0, "cache_control": {}}],
        tools=[{**function(x=1), "y": 2}, {"type": "custom", "custom": {"name": "c"}}],
        stream=True,
        stream_options={"z": 3},
    )
    assert call.unknown_fields == (
        "messages.content.p",
        "messages.weight",
        "stream_options.z",
        "tools.function.x",
        "tools.y",
    )
    assert call.priced_fields == ("messages.cache_control", "messages.content.cache_control")


def test_case_15_each_field_is_listed_once():
    tables = [list(table) for table in (CHAT, EMBEDDINGS)]
    assert all(len(names) == len(set(names)) for names in tables)
    openai = pytest.importorskip("openai.types.chat.completion_create_params")
    declared = openai.CompletionCreateParamsBase.__annotations__
    assert fields.unknown(dict.fromkeys(declared), Endpoint.CHAT) == ()
    embeddings = pytest.importorskip("openai.types.embedding_create_params")
    declared = embeddings.EmbeddingCreateParams.__annotations__
    assert fields.unknown(dict.fromkeys(declared), Endpoint.EMBEDDINGS) == ()


@pytest.mark.parametrize("value", ["x", ["x", "y"], [1, 2], [[1], [2, 3]]])
def test_what_can_be_embedded(value):
    call = embed(input=value, user="u", dimensions=3, odd=1, service_tier="flex")
    assert (call.endpoint, call.model, call.size, call.user) == (Endpoint.EMBEDDINGS, "e", 50, "u")
    assert (call.messages, call.roles, call.max_output_tokens, call.n) == (0, (), None, 1)
    assert (call.unknown_fields, call.priced_fields) == (("odd",), ("service_tier",))


@pytest.mark.parametrize(
    "value",
    [None, "", [], 5, {}, ["x", 1], [1, True], [[1], "x"], [["x"]], [[]], [None], ["x"] * 2049],
)
def test_what_cannot_be_embedded(value):
    with pytest.raises(BadRequest) as caught:
        embed(input=value)
    assert caught.value.param == "input"


def test_a_parsed_body_is_what_any_json_reader_made_of_it():
    raw = b'{"model":"m","messages":[{"role":"user","content":"\\u00e9"}],"x":1}'
    assert parse(Endpoint.CHAT, orjson.loads(raw), len(raw)).view.leaves[0].text == "é"
