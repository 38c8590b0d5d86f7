"""The answers of the messages API: why they ended, what they call, how much they say."""

import json
from typing import get_args

import orjson
import pytest
from anthropic.types import Message, StopReason

from gateway.exchange import Usage
from gateway.providers.anthropic.answers import FINISHES, answer, answer_bytes
from gateway.providers.fault import BadAnswer
from gateway.providers.openai.upstream import error_message
from gateway.providers.walk import UNVIEWED
from tests.gateway.providers.anthropic.bodies import ANSWER


def message(*content, **more):
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
        **more,
    }
    Message.model_validate(body)
    return body


def test_an_answer_is_read():
    body = message({"type": "text", "text": "hello"})
    found = answer(body, Usage(3, 2))
    assert (found.body, found.usage, found.finish, found.tool_calls) == (
        body,
        Usage(3, 2),
        "stop",
        (),
    )
    assert ("hello", "assistant", "content") in found.view.leaves
    assert answer(body, None, viewed=False).view == UNVIEWED


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("brand_new", "brand_new"),
        (None, ""),
        (["end_turn"], ""),
    ],
)
def test_why_it_ended_is_told_in_the_words_of_all_dialects(reason, finish):
    assert answer({**message(), "stop_reason": reason}, None).finish == finish


def test_each_reason_of_the_api_has_a_word():
    assert set(get_args(StopReason)) - FINISHES.keys() == {"pause_turn"}


def test_the_tools_that_it_calls_are_named():
    assert answer(ANSWER, None).tool_calls == ("web_search", "f")


def test_a_count_of_tokens_is_an_answer_that_says_nothing():
    found = answer({"input_tokens": 9}, None)
    assert (found.finish, found.tool_calls, found.view.leaves) == ("", (), ())
    assert answer_bytes({"input_tokens": 9}) == 0


def deep():
    value = []
    for _ in range(200):
        value = [value]
    return value


@pytest.mark.parametrize(
    "body",
    [
        {"content": "hello"},
        {"content": ["hello"]},
        {"content": {}},
        {"content": [{"type": "tool_use", "id": "t", "input": {}}]},
        {"content": [{"type": "tool_use", "name": 5}]},
        {"content": [{"type": "text", "text": deep()}]},
    ],
)
def test_what_is_malformed_is_no_answer(body):
    with pytest.raises(BadAnswer):
        answer(body, None)


def test_the_bytes_are_those_of_what_the_model_says():
    call = {"type": "tool_use", "id": "toolu_1", "name": "fn", "input": {"a": "é"}}
    body = message(
        {"type": "thinking", "thinking": "why", "signature": "x" * 99},
        {"type": "text", "text": "é", "citations": None},
        call,
        {"type": "redacted_thinking", "data": "A" * 99},
    )
    assert answer_bytes(body) == 3 + 2 + 2 + len('{"a":"é"}'.encode())
    assert answer_bytes(json.loads(json.dumps(body))) == answer_bytes(body)


def test_what_the_provider_says_went_wrong():
    body = {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
        "request_id": "req_1",
    }
    assert error_message(orjson.dumps(body)) == "Overloaded"
