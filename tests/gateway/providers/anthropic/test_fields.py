"""Each field that the API's own library declares is listed, and treated as it is listed."""

import inspect
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from anthropic.types import Message, MessageTokensCount, message_count_tokens_params
from anthropic.types import message_create_params as create
from anthropic.types.beta import message_count_tokens_params as beta_count
from anthropic.types.beta import message_create_params as beta_create
from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

from gateway.exchange import Endpoint
from gateway.providers.anthropic import fields, vocabulary
from gateway.providers.anthropic.fields import COUNT_TOKENS, MESSAGES
from gateway.providers.openai.fields import Treatment
from tests.gateway.providers.anthropic.test_client import RESULT, USE, ask, count, says, tool

CREATE = create.MessageCreateParamsStreaming
COUNT = message_count_tokens_params.MessageCountTokensParams
HEADERS = {"betas"}
"""What the library takes as a field and sends as a header."""

TOOLS_OF_A_SET = ("ToolsetConfigsParam",)
"""Types whose fields are the names of tools."""


def hints(kind: Any) -> dict[str, Any]:
    if is_typeddict(kind):
        return get_type_hints(kind, include_extras=True)
    return {name: field.annotation for name, field in kind.model_fields.items()}


def records(kind: Any, found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return every object type within a type, by name, with its fields."""
    if is_typeddict(kind) or (inspect.isclass(kind) and issubclass(kind, BaseModel)):
        if kind.__name__ not in found:
            found[kind.__name__] = hints(kind)
            for child in found[kind.__name__].values():
                records(child, found)
    else:
        for part in get_args(kind):
            records(part, found)
    return found


def below(kind: Any, name: str) -> dict[str, dict[str, Any]]:
    return records(hints(kind)[name], {})


def literals(kind: Any) -> Iterator[str]:
    if isinstance(kind, str):
        yield kind
    for part in get_args(kind):
        yield from literals(part)


def declared(found: dict[str, dict[str, Any]]) -> set[str]:
    return {
        name
        for kind, names in found.items()
        for name in names
        if not kind.endswith(TOOLS_OF_A_SET) and kind != "InputSchemaTyped"
    }


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        (CREATE, Endpoint.MESSAGES),
        (create.MessageCreateParamsNonStreaming, Endpoint.MESSAGES),
        (beta_create.MessageCreateParamsStreaming, Endpoint.MESSAGES),
        (COUNT, Endpoint.COUNT_TOKENS),
        (beta_count.MessageCountTokensParams, Endpoint.COUNT_TOKENS),
    ],
)
def test_case_15_each_field_of_a_body_is_listed(kind, endpoint):
    unlisted = set(fields.unknown(dict.fromkeys(hints(kind)), endpoint))
    assert unlisted <= HEADERS | (
        {"billing_policy"} if endpoint is Endpoint.COUNT_TOKENS else set()
    )


@pytest.mark.parametrize("kind", [CREATE, COUNT])
@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("messages", fields.MESSAGE | fields.BLOCK),
        ("system", fields.BLOCK),
        ("tools", fields.TOOL),
        ("tool_choice", fields.OPTIONS),
        ("thinking", fields.OPTIONS),
        ("output_config", fields.OPTIONS),
    ],
)
def test_case_15_each_field_inside_is_listed(kind, name, listed):
    found = declared(below(kind, name)) - {"ttl"}
    assert len(found) > 1
    assert found <= listed | fields.PRICED_INSIDE


@pytest.mark.parametrize("name", ["metadata", "diagnostics"])
def test_case_15_each_field_of_other_options_is_listed(name):
    assert declared(below(CREATE, name)) <= fields.OPTIONS


def test_what_is_priced_inside_is_listed_there_alone():
    assert not fields.PRICED_INSIDE & (fields.BLOCK | fields.TOOL | fields.OPTIONS)


@pytest.mark.parametrize("kind", [CREATE, COUNT, Message, MessageTokensCount])
def test_each_field_is_a_word_of_the_api(kind):
    assert declared(records(kind, {})) <= vocabulary.FIELDS


def test_each_block_of_the_api_is_known():
    for content in (below(CREATE, "messages"), below(CREATE, "system"), below(Message, "content")):
        blocks = {
            word
            for kind, names in content.items()
            if "Block" in kind and "type" in names and "Source" not in kind
            for word in literals(names["type"])
            if not kind.startswith("CitationContentBlock")
        }
        assert "text" in blocks
        assert blocks <= vocabulary.KNOWN_BLOCKS


def test_the_words_that_are_left_out_are_the_apis_own():
    for kind in (CREATE, Message):
        for names in records(kind, {}).values():
            for name in ("stop_reason", "media_type", "effort", "display", "ttl", "file_type"):
                assert set(literals(names.get(name))) <= vocabulary.VALUES[name]


# What a field of each class is set to, to see that it is treated so.
SET = {"service_tier": "priority", "speed": "fast", "inference_geo": "us"}


@pytest.mark.parametrize("field", [name for name in MESSAGES if MESSAGES[name] is Treatment.PRICED])
def test_case_15_a_priced_field_is_named(field):
    assert ask(**{field: SET.get(field, {"x": "y"})}).priced_fields == (field,)
    assert ask(**{field: None}).priced_fields == ()


@pytest.mark.parametrize(
    "given",
    [
        {"service_tier": "auto"},
        {"service_tier": "standard_only"},
        {"speed": "standard"},
        {"inference_geo": "global"},
    ],
)
def test_case_15_a_priced_field_that_costs_nothing_as_it_is_set_is_not_named(given):
    assert ask(**given).priced_fields == ()


CACHE = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("given", "named"),
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
def test_case_15_to_write_a_cache_is_priced_wherever_it_is_asked_for(given, named):
    call = ask(**given)
    assert (call.priced_fields, call.unknown_fields) == ((named,), ())
    counted = count(**given)
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
