"""Streams that are written here, as the official client reads them."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIError
from openai.types.chat import ChatCompletionChunk

from gateway.exchange import Endpoint
from gateway.providers.openai.stream import render_stream, stream_end, stream_error
from gateway.providers.openai.upstream import parse_answer
from tests.gateway.providers.openai.chunks import (
    DONE,
    HEL,
    ROLE,
    STOP,
    USAGE,
    delta,
    event,
    sdk,
    stream,
    told,
)


def test_a_failed_stream_raises_in_the_sdk_after_what_came_before():
    error = {"message": "gone", "type": "api_error", "code": "upstream_error", "param": None}
    chunks = sdk(ROLE + HEL + stream_error(error))
    assert [next(chunks).choices[0].delta.content for _ in range(2)] == ["", "Hel"]
    with pytest.raises(APIError) as caught:
        next(chunks)
    assert (caught.value.message, caught.value.code) == ("gone", "upstream_error")


def test_a_cut_stream_ends_well_formed_for_each_choice_that_was_open():
    found, passed = stream(
        event(delta(index=0, content="a"), delta(index=1, content="b"), obfuscation="z"),
        event(delta("stop", index=0), **told()),
    )
    chunks = list(sdk(passed + stream_end(found, "length")))
    last = chunks[-1]
    assert [(choice.index, choice.finish_reason) for choice in last.choices] == [(1, "length")]
    assert (last.id, last.model, last.usage) == ("c1", "m", None)
    assert stream_end(found, "length").endswith(DONE)


def test_a_stream_cut_before_or_after_everything_ends_well_formed():
    nothing, _ = stream()
    (only,) = sdk(stream_end(nothing, "content_filter"))
    assert [(choice.index, choice.finish_reason) for choice in only.choices] == [
        (0, "content_filter")
    ]
    finished, _ = stream(HEL, STOP)
    assert stream_end(finished, "length") == DONE


LOGPROBS = {
    "content": [{"token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": []}],
    "refusal": None,
}
ANSWER = {
    "id": "c9",
    "object": "chat.completion",
    "created": 7,
    "model": "m",
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "logprobs": LOGPROBS,
            "message": {
                "role": "assistant",
                "content": "Hi",
                "refusal": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {
                        "id": "a",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"x":1}'},
                    },
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
        },
        {
            "index": 1,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": None, "refusal": "no"},
        },
    ],
    "usage": USAGE,
}


def test_a_rendered_answer_is_read_by_the_sdk():
    answer = parse_answer(Endpoint.CHAT, orjson.dumps(ANSWER))
    events = render_stream(answer, keep_usage=True)
    for one in events[:-1]:
        ChatCompletionChunk.model_validate(orjson.loads(one[6:]), strict=True)
    chunks = list(sdk(b"".join(events)))
    assert {chunk.id for chunk in chunks} == {"c9"}
    assert (chunks[0].choices[0].delta.role, chunks[0].choices[0].delta.content) == (
        "assistant",
        "",
    )
    first = [choice for chunk in chunks for choice in chunk.choices if choice.index == 0]
    calls = [call for choice in first for call in choice.delta.tool_calls or ()]
    assert [(call.index, call.function.name, call.function.arguments) for call in calls] == [
        (0, "f", '{"x":1}'),
        (1, "g", "{}"),
    ]
    assert first[-1].finish_reason == "tool_calls"
    assert chunks[-1].usage.total_tokens == 13
    assert all(
        chunk.usage is None for chunk in sdk(b"".join(render_stream(answer, keep_usage=False)))
    )


TEXTS = st.none() | st.text(max_size=9)
CALLS = st.lists(
    st.builds(
        lambda position, name, arguments: {
            "id": f"i{position}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        },
        st.integers(0, 99),
        st.text(min_size=1, max_size=5),
        st.text(max_size=9),
    ),
    min_size=1,
    max_size=3,
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": TEXTS},
    optional={
        "refusal": TEXTS,
        "reasoning_content": TEXTS,
        "tool_calls": CALLS,
        "annotations": st.lists(st.integers(0, 9)),
    },
)
ANSWERS = st.lists(
    st.tuples(MESSAGES, st.sampled_from(["stop", "length"])), min_size=1, max_size=3
).map(
    lambda choices: {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "usage": USAGE,
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": finish}
            for index, (message, finish) in enumerate(choices)
        ],
    }
)


@given(ANSWERS, st.lists(st.integers(0, 5000)))
def test_case_17_an_answer_rendered_as_a_stream_and_gathered_again_is_the_same(body, cuts):
    answer = parse_answer(Endpoint.CHAT, orjson.dumps(body))
    data = b"".join(render_stream(answer, keep_usage=True))
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    found, _ = stream(*(data[a:b] for a, b in pairwise(edges)), collect=True)
    again = found.assemble()
    assert again.body == answer.body
    assert (again.usage, again.finish, again.tool_calls) == (
        answer.usage,
        answer.finish,
        answer.tool_calls,
    )
    assert {leaf.place for leaf in again.view.leaves} == {leaf.place for leaf in answer.view.leaves}
