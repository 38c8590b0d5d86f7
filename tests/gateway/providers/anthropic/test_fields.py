"""Every field that the API's own library declares is listed, and its kinds of block are known."""

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
