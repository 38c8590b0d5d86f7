"""The client side of the Anthropic dialect: what is lifted, refused, or merely travels."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import Endpoint
from gateway.providers.anthropic.client import parse
from gateway.providers.anthropic.fields import COUNT_TOKENS, MESSAGES
from gateway.providers.fault import BadRequest
from gateway.providers.openai.fields import Treatment
from tests.gateway.providers.anthropic.bodies import REQUEST

USER = {"role": "user", "content": "hi"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t"}


def ask(**fields):
    body = {"model": "m", "max_tokens": 9, "messages": [USER], **fields}
    return parse(Endpoint.MESSAGES, body, 100)


def count(**fields):
    return parse(Endpoint.COUNT_TOKENS, {"model": "m", "messages": [USER], **fields}, 50)


def says(*blocks):
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def tool(name="f", **more):
    return {"name": name, "input_schema": {"type": "object"}, **more}


def test_what_is_lifted():
    body = {
        "model": "claude",
        "max_tokens": 7,
        "system": "s",
        "messages": [
            USER,
            USER,
            {"role": "assistant", "content": [USE]},
            *says(RESULT)["messages"],
        ],
        "stream": True,
        "temperature": 1,
        "tools": [tool(), tool("g", type="custom"), {"type": "web_search_20250305", "name": "w"}],
        "tool_choice": {"type": "any"},
        "metadata": {"user_id": "u"},
    }
    call = parse(Endpoint.MESSAGES, body, 321)
    assert (call.endpoint, call.model, call.size, call.stream, call.n) == (
        Endpoint.MESSAGES,
        "claude",
        321,
        True,
        1,
    )
    assert (call.max_output_tokens, call.messages, call.temperature) == (7, 4, 1.0)
    assert call.roles == ("system", "user", "assistant", "tool")
    assert call.tools == ("f", "g", "web_search_20250305")
    assert (call.tool_choice, call.user) == ("required", "u")
    assert call.body is body
    assert "hi" in [leaf.text for leaf in call.view.leaves]


def test_what_is_not_given_has_a_value():
    call = ask(system=None, stream=None, tools=None, tool_choice=None, metadata=None)
    assert (call.stream, call.tools, call.tool_choice, call.user) == (False, (), "", "")
    assert (call.roles, call.temperature) == (("user",), None)
    assert (call.unknown_fields, call.priced_fields, call.view.uninspected) == ((), (), ())


def test_to_count_tokens_no_cap_is_needed():
    call = count(system=[{"type": "text", "text": "s"}], tools=[tool()])
    assert (call.endpoint, call.model, call.size, call.messages) == (
        Endpoint.COUNT_TOKENS,
        "m",
        50,
        1,
    )
    assert (call.max_output_tokens, call.stream, call.roles) == (None, False, ("system", "user"))
    assert call.tools == ("f",)
    assert count(stream=True, max_tokens=5).unknown_fields == ("stream", "max_tokens")


def test_the_system_prompt_may_stand_among_the_messages():
    call = ask(messages=[USER, {"role": "system", "content": "be brief"}])
    assert call.roles == ("user", "system")
    assert ask(system="").roles == ask(system=[]).roles == ("user",)


BAD = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": 3}, "model"),
    ({"model": "m" * 257}, "model"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": ["hi"]}, "messages.0"),
    ({"messages": [USER, 5]}, "messages.1"),
    ({"messages": [{"content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": 4}]}, "messages.0.content"),
    (says("x"), "messages.0.content.0"),
    (says({"text": "x"}), "messages.0.content.0.type"),
    (says({"type": ["text"], "text": "x"}), "messages.0.content.0.type"),
    (says({"type": "text"}), "messages.0.content.0.text"),
    (says({"type": "text", "text": {"a": "b"}}), "messages.0.content.0.text"),
    (says({"type": "thinking", "text": "x"}), "messages.0.content.0.thinking"),
    (says({"type": "image", "source": "https://h"}), "messages.0.content.0.source"),
    (says({"type": "document"}), "messages.0.content.0.source"),
    (says({**USE, "id": None}), "messages.0.content.0.id"),
    (says({**USE, "name": ""}), "messages.0.content.0.name"),
    (says({**USE, "input": "{}"}), "messages.0.content.0.input"),
    (says({**USE, "input": None}), "messages.0.content.0.input"),
    (says({"type": "tool_result"}), "messages.0.content.0.tool_use_id"),
    (says({**RESULT, "is_error": 1}), "messages.0.content.0.is_error"),
    (says({**RESULT, "content": 5}), "messages.0.content.0.content"),
    (says({**RESULT, "content": [{"type": "text"}]}), "messages.0.content.0.content.0.text"),
    ({"system": 5}, "system"),
    ({"system": 0}, "system"),
    ({"system": ["s"]}, "system.0"),
    ({"system": [{"type": "text", "text": None}]}, "system.0.text"),
    ({"tools": {}}, "tools"),
    ({"tools": ["f"]}, "tools.0"),
    ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
    ({"tools": [{"name": "f"}]}, "tools.0.input_schema"),
    ({"tools": [tool(input_schema="{}")]}, "tools.0.input_schema"),
    ({"tools": [tool(description=["d"])]}, "tools.0.description"),
    ({"tools": [tool(type="")]}, "tools.0.type"),
    ({"tools": [tool(type=["custom"])]}, "tools.0.type"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tool_choice": {}}, "tool_choice.type"),
    ({"tool_choice": {"type": "required"}}, "tool_choice.type"),
    ({"tool_choice": {"type": ["tool"]}}, "tool_choice.type"),
    ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"metadata": "u"}, "metadata"),
    ({"metadata": {"user_id": 7}}, "metadata.user_id"),
    ({"metadata": {"user_id": "u" * 257}}, "metadata.user_id"),
]
BAD_TO_WRITE = [
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": "9"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": 2**31}, "max_tokens"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"stream": "true"}, "stream"),
    ({"stream": 1}, "stream"),
]


@pytest.mark.parametrize(
    ("call", "fields", "param"),
    [(call, *case) for case in BAD for call in (ask, count)]
    + [(ask, *case) for case in BAD_TO_WRITE],
)
def test_what_is_wrong_is_refused_and_named(call, fields, param):
    with pytest.raises(BadRequest) as caught:
        call(**fields)
    assert caught.value.param == param
    assert param in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "source", "input", "name", "x"]),
            inner
            | st.sampled_from(["text", "image", "document", "tool_result", "thinking", "base64"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {"messages": st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": JSON}))},
        optional=dict.fromkeys(
            ("system", "tools", "tool_choice", "metadata", "stream", "temperature"), JSON
        ),
    )
)
def test_any_body_is_a_call_or_a_refusal_that_names_a_field(fields):
    try:
        call = ask(**fields)
    except BadRequest as refusal:
        field = refusal.param.partition(".")[0]
        assert field in fields
        return
    assert call.body["messages"] == fields["messages"]


def test_a_body_with_everything_is_taken():
    call = parse(Endpoint.MESSAGES, REQUEST, 9)
    assert call.roles == ("system", "user", "assistant", "tool")
    assert call.unknown_fields == (
        "strange",
        "messages.content.shape",
        "messages.content.source.tape",
        "messages.extra",
    )
    assert call.priced_fields == (
        "speed",
        "inference_geo",
        "system.cache_control",
        "tools.cache_control",
    )


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ({"type": "none"}, "none"),
        ({"type": "auto", "disable_parallel_tool_use": True}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "f"}, "tool:f"),
        ({"type": "tool", "name": "none"}, "tool:none"),
    ],
)
def test_the_choice_of_a_tool_is_a_mode_or_a_name_that_passes_for_no_mode(given, choice):
    assert ask(tool_choice=given).tool_choice == count(tool_choice=given).tool_choice == choice


@pytest.mark.parametrize("value", ["a\0b", [{"type": "text", "text": "\0"}]])
def test_case_4_a_nul_is_refused_wherever_it_stands(value):
    with pytest.raises(BadRequest) as caught:
        ask(messages=[{"role": "user", "content": value}])
    assert caught.value.param == "messages.0.content"
    with pytest.raises(BadRequest):
        ask(model="m\0")
    with pytest.raises(BadRequest):
        ask(**{"odd\0": True})


def test_a_body_that_is_too_deep_is_refused():
    deep = []
    for _ in range(200):
        deep = [deep]
    for fields in ({"odd": deep}, says({**USE, "input": {"x": deep}}), says({"type": deep[0]})):
        with pytest.raises(BadRequest):
            ask(**fields)


# What a field of each class is set to, to see that it is treated so.
SET = {"service_tier": "priority", "speed": "fast", "inference_geo": "us"}


@pytest.mark.parametrize("field", [name for name in MESSAGES if MESSAGES[name] is Treatment.PRICED])
def test_case_15_a_priced_field_is_named(field):
    assert ask(**{field: SET.get(field, {"x": "y"})}).priced_fields == (field,)
    assert ask(**{field: None}).priced_fields == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"service_tier": "auto"},
        {"service_tier": "standard_only"},
        {"speed": "standard"},
        {"inference_geo": "global"},
    ],
)
def test_case_15_a_priced_field_that_costs_nothing_as_it_is_set_is_not_named(fields):
    assert ask(**fields).priced_fields == ()


CACHE = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (CACHE, "cache_control"),
        ({"system": [{"type": "text", "text": "s", **CACHE}]}, "system.cache_control"),
        (says({"type": "text", "text": "x", **CACHE}), "messages.content.cache_control"),
        (says({**USE, **CACHE}), "messages.content.cache_control"),
        (
            says({**RESULT, "content": [{"type": "text", "text": "x", **CACHE}]}),
            "messages.content.content.cache_control",
        ),
        (
            says(
                {
                    "type": "document",
                    "source": {"type": "content", "content": [{"type": "text", **CACHE}]},
                }
            ),
            "messages.content.source.content.cache_control",
        ),
        ({"tools": [tool(**CACHE)]}, "tools.cache_control"),
    ],
)
def test_case_15_to_write_a_cache_is_priced_wherever_it_is_asked_for(fields, named):
    call = ask(**fields)
    assert (call.priced_fields, call.unknown_fields) == ((named,), ())
    counted = count(**fields)
    assert (counted.priced_fields, counted.unknown_fields) == ((), ())
    assert ask(system=[{"type": "text", "text": "s", "cache_control": None}]).priced_fields == ()


@pytest.mark.parametrize("call", [ask, count])
@pytest.mark.parametrize(
    "field", [name for name in MESSAGES if MESSAGES[name] is Treatment.BY_REFERENCE]
)
def test_case_15_a_field_by_reference_is_uninspected(field, call):
    if call is count and field not in COUNT_TOKENS:
        assert count(**{field: "x"}).unknown_fields == (field,)
        return
    assert call(**{field: "x"}).view.uninspected == ("reference",)
    for unset in (None, False, "", [], {}):
        assert call(**{field: unset}).view.uninspected == ()


@pytest.mark.parametrize(
    "field", [name for name in MESSAGES if MESSAGES[name] is Treatment.HARMLESS]
)
def test_case_15_a_harmless_field_travels_without_a_word(field):
    call = ask(**{field: "x"})
    assert (call.unknown_fields, call.priced_fields, call.view.uninspected) == ((), (), ())
    assert call.body[field] == "x"


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (None, ()),
        ("custom", ()),
        ("bash_20250124", ("reference",)),
        ("web_search_20250305", ("reference",)),
        ("mcp_toolset", ("reference",)),
    ],
)
def test_case_15_a_tool_that_the_provider_knows_is_uninspected(kind, named):
    assert ask(tools=[tool(type=kind)]).view.uninspected == named


@pytest.mark.parametrize(
    ("block", "kinds"),
    [
        ({"type": "image", "source": {"type": "base64", "data": "A"}}, ("image",)),
        ({"type": "image", "source": {"type": "url", "url": "u"}}, ("image", "reference")),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, ("image", "reference")),
        ({"type": "document", "source": {"type": "base64", "data": "A"}}, ("file",)),
        ({"type": "document", "source": {"type": "url", "url": "u"}}, ("file", "reference")),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, ("file", "reference")),
        ({"type": "document", "source": {"type": "text", "data": "t"}}, ()),
        ({"type": "document", "source": {"type": "content", "content": "t"}}, ()),
        ({"type": "document", "source": {}}, ("other",)),
        ({"type": "container_upload", "file_id": "f"}, ("reference",)),
        ({"type": "redacted_thinking", "data": "A" * 40}, ("encrypted",)),
        ({"type": "redacted_thinking", "data": "in the clear"}, ()),
        ({"type": "redacted_thinking"}, ()),
        ({"type": "hologram"}, ("other",)),
    ],
)
def test_what_a_block_hides_is_named(block, kinds):
    assert ask(**says(block)).view.uninspected == kinds
    assert ask(**says({**RESULT, "content": [block]})).view.uninspected == kinds


def test_case_15_an_unlisted_field_is_unknown_and_travels():
    call = ask(brand_new={"x": 1}, another=None)
    assert call.unknown_fields == ("brand_new", "another")
    assert call.body["brand_new"] == {"x": 1}


def test_case_15_unlisted_fields_inside_are_named_by_where_they_stand():
    text = {"type": "text", "text": "x", "p": 1, "citations": [{"type": "char_location", "q": 2}]}
    call = ask(
        messages=[{"role": "user", "content": [text, text], "weight": 0}],
        system=[{"type": "text", "text": "x", "r": None}],
        tools=[tool(y=2, input_schema={"any": {"thing": 1}}, input_examples=[{"z": 1}])],
        thinking={"type": "enabled", "turbo": True},
        output_config={"format": {"type": "json_schema", "schema": {"s": 1}, "t": 1}},
        metadata={"user_id": "u", "team": "t"},
        tool_choice={"type": "auto", "v": 1},
        diagnostics={"previous_message_id": None, "w": 1},
    )
    assert call.unknown_fields == (
        "diagnostics.w",
        "messages.content.citations.q",
        "messages.content.p",
        "messages.weight",
        "metadata.team",
        "output_config.format.t",
        "system.r",
        "thinking.turbo",
        "tool_choice.v",
        "tools.y",
    )
    assert call.priced_fields == ()


def test_a_parsed_body_is_what_any_json_reader_made_of_it():
    raw = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\\u00e9"}],"x":1}'
    assert parse(Endpoint.MESSAGES, orjson.loads(raw), len(raw)).view.leaves[0].text == "é"
