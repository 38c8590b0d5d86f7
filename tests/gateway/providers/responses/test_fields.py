"""Every field that the API's own library declares is listed, and is a word of the API."""

from typing import Any

import pytest
from openai.types.responses import (
    CustomToolParam,
    EasyInputMessageParam,
    FunctionToolParam,
    Response,
    ResponseCustomToolCallOutputParam,
    ResponseCustomToolCallParam,
    ResponseFunctionToolCallParam,
    ResponseOutputMessageParam,
    ResponseReasoningItemParam,
    ResponseStreamEvent,
    ResponseTextConfigParam,
    response_create_params,
)
from openai.types.responses.response_input_param import FunctionCallOutput, Message
from openai.types.shared_params.reasoning import Reasoning

from gateway.exchange import Endpoint
from gateway.providers.openai import fields, vocabulary
from tests.gateway.providers.anthropic.test_fields import declared, hints, literals, records

CREATE = response_create_params.ResponseCreateParamsStreaming
ITEMS = (
    EasyInputMessageParam,
    Message,
    ResponseOutputMessageParam,
    ResponseFunctionToolCallParam,
    FunctionCallOutput,
    ResponseCustomToolCallParam,
    ResponseCustomToolCallOutputParam,
    ResponseReasoningItemParam,
)
DEEPER = {"mode", "ttl"} | {
    # of annotations, tokens, callers
    *("container_id", "start_index", "end_index", "index", "title", "url"),
    *("bytes", "logprob", "token", "top_logprobs", "caller_id"),
}


def inner(*kinds: Any) -> set[str]:
    found: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        records(kind, found)
    return declared(found)


def test_case_15_each_field_of_a_body_is_listed():
    body = dict.fromkeys(hints(CREATE))
    assert len(body) > 25
    assert fields.unknown(body, Endpoint.RESPONSES) == ()


def test_no_field_is_listed_that_the_api_does_not_declare():
    assert set(fields.RESPONSES) <= set(hints(CREATE))


def test_case_15_each_field_of_an_item_is_listed():
    for kind in ITEMS:
        assert set(hints(kind)) <= fields.ITEM
    listed = fields.ITEM | fields.ITEM_PART | fields.PRICED_INSIDE | DEEPER
    assert inner(*ITEMS) <= listed


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        (FunctionToolParam, fields.ITEM_TOOL),
        (CustomToolParam, fields.ITEM_TOOL | {"definition", "syntax"}),
        (Reasoning, fields.REASONING | {"mode"}),
        (ResponseTextConfigParam, fields.TEXT | fields.TEXT_FORMAT),
        (response_create_params.StreamOptions, fields.STREAM_OPTIONS),
    ],
)
def test_case_15_each_field_inside_is_listed(kind, listed):
    assert inner(kind) <= listed


def test_each_field_of_what_is_known_is_a_word_of_the_api():
    assert set(hints(CREATE)) - fields.RESPONSES.keys() == set()
    assert inner(*ITEMS) | inner(FunctionToolParam, Reasoning) <= vocabulary.FIELDS
    assert fields.RESPONSES.keys() <= vocabulary.FIELDS | {"moderation"}


def test_each_field_that_ends_an_answer_is_a_word_of_the_api():
    for name in ("id", "created_at", "incomplete_details", "usage", "status", "output"):
        assert name in hints(Response)
        assert name in vocabulary.FIELDS
    assert inner(hints(Response)["usage"]) - vocabulary.FIELDS == {
        "ttl_12h_tokens",
        "ttl_30m_tokens",
    }


def test_the_words_that_are_left_out_are_the_apis_own():
    own: dict[str, set[str]] = {}
    for kind in (CREATE, Response, ResponseStreamEvent):
        for names in records(kind, {}).values():
            for name, hint in names.items():
                own.setdefault(name, set()).update(literals(hint))
    for name in ("status", "reason", "phase", "truncation", "include", "effort"):
        assert vocabulary.VALUES[name] <= own[name]
    known = {"message", "reasoning", "function_call", "summary_text", "output_text", "input_file"}
    assert known <= vocabulary.VALUES["type"] & own["type"]
