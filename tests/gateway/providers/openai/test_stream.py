"""Streams of chat chunks: every place that usage can stand, every way that bytes can be cut."""

import orjson
import pytest

from gateway.exchange import Endpoint
from gateway.providers import sse
from gateway.providers.fault import TooLarge
from gateway.providers.openai.upstream import parse_answer
from tests.gateway.providers.openai.chunks import (
    DONE,
    HEL,
    KNOWN,
    LO,
    ROLE,
    STOP,
    USAGE,
    delta,
    event,
    stream,
    told,
)

# Where providers put usage; each must come to what the same answer tells unstreamed.
CORPUS = {
    "own chunk": [ROLE, HEL, LO, STOP, event(**told()), DONE],
    "with an empty delta": [ROLE, HEL, LO, STOP, event(delta(), **told()), DONE],
    "with the finish": [ROLE, HEL, LO, event(delta("stop"), **told()), DONE],
    "with content": [ROLE, HEL, event(delta(content="lo"), **told()), STOP, DONE],
    "in the middle, null later": [
        ROLE,
        event(delta(content="Hel"), **told()),
        event(delta(content="lo"), usage=None),
        STOP,
        DONE,
    ],
    "in every chunk, growing": [
        event(delta(content="Hel"), **told(completion_tokens=1, total_tokens=10)),
        event(delta(content="lo"), **told()),
        STOP,
        DONE,
    ],
    "twice, then zeros": [
        ROLE,
        HEL,
        LO,
        STOP,
        event(**told()),
        event(usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        DONE,
    ],
    "in two halves": [
        event(delta(content="Hello"), usage={"prompt_tokens": 9}),
        event(delta("stop"), usage={"completion_tokens": 4}),
        DONE,
    ],
    "after the end": [ROLE, HEL, LO, STOP, DONE, event(**told())],
    "in the choice": [ROLE, HEL, LO, event({**delta("stop"), **told()}), DONE],
    "no end mark": [ROLE, HEL, LO, STOP, event(**told())],
    "no last blank line": [ROLE, HEL, LO, STOP, event(**told())[:-2]],
    "crlf and comments": [
        b": hi\r\n\r\n",
        *(e.replace(b"\n", b"\r\n") for e in (ROLE, HEL, LO, STOP, event(**told()))),
        DONE,
    ],
}


@pytest.mark.parametrize("name", CORPUS)
def test_usage_wherever_it_stands_is_that_of_the_answer_in_one_piece(name):
    whole = {
        "id": "c1",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "usage": USAGE,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
    }
    expected = parse_answer(Endpoint.CHAT, orjson.dumps(whole))
    assert expected.usage == KNOWN
    for collect in (False, True):
        found, _ = stream(*CORPUS[name], collect=collect)
        assert (found.usage, found.finish, found.output_bytes) == (KNOWN, "stop", 5)
    answer = found.assemble()
    assert answer.body["choices"] == whole["choices"]
    assert (answer.usage, answer.finish) == (expected.usage, expected.finish)


@pytest.mark.parametrize("name", CORPUS)
def test_a_stream_cut_at_every_byte_says_the_same(name):
    data = b"".join(CORPUS[name])
    whole, passed = stream(data)
    for cut in range(len(data) + 1):
        found, same = stream(data[:cut], data[cut:])
        assert (found.usage, found.finish, found.done, same) == (
            KNOWN,
            whole.finish,
            whole.done,
            passed,
        )
    found, same = stream(*(data[i : i + 1] for i in range(len(data))))
    assert (found.usage, same) == (KNOWN, passed)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 9, "completion_tokens": 0},
    ],
)
def test_usage_that_is_absent_or_nothing_is_unknown(usage):
    found, _ = stream(ROLE, HEL, STOP, event(usage=usage), DONE)
    assert found.usage is None


def test_what_passes_is_what_came_byte_for_byte():
    events = [
        b"\xef\xbb\xbf",
        b": keep-alive\n\n",
        ROLE,
        b"id: 7\r\n" + HEL,
        LO.replace(b"\n", b"\r\n"),
        STOP,
        DONE,
    ]
    found, passed = stream(*events)
    assert passed == b"".join(events[1:])
    assert found.done


def test_the_usage_chunk_goes_to_who_asked_for_it():
    events = [ROLE, HEL, STOP, event(**told()), DONE]
    assert stream(*events)[1] == b"".join([ROLE, HEL, STOP, DONE])
    assert stream(*events, keep_usage=True)[1] == b"".join(events)


def test_a_chunk_without_choices_that_is_not_usage_passes():
    prompt_filter = event(prompt_filter_results=[])
    assert stream(prompt_filter, STOP)[1] == prompt_filter + STOP


def test_nothing_passes_after_the_end_mark():
    found, passed = stream(STOP, DONE, HEL, DONE, b": x\n\n", b"data: garbage\n\n")
    assert (passed, found.failed, found.output_bytes) == (STOP + DONE, None, 0)


def test_gathering_passes_nothing():
    assert stream(ROLE, HEL, STOP, DONE, collect=True)[1] == b""


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'data: {"error": {"message": "overloaded\\n now"}}\n\n', "overloaded now"),
        (b'data: {"error": "flat"}\n\n', "flat"),
        (b'event: error\ndata: {"message": "named"}\n\n', "named"),
        (b"event: error\ndata: {}\n\n", "{}"),
        (b"data: <html>\n\n", "what is no event of a chat"),
        (b"data: [1]\n\n", "what is no event of a chat"),
        (b"data: " + b'{"a":' * 99 + b"1" + b"}" * 99 + b"\n\n", "what is no event of a chat"),
        (event("x"), "what is no event of a chat"),
        (event(delta(index="0")), "what is no event of a chat"),
        (event(delta(index=-1)), "what is no event of a chat"),
        (event(delta(index=128)), "what is no event of a chat"),
        (event({"index": 0, "delta": "x"}), "what is no event of a chat"),
        (event({"index": 0, "delta": {}, "finish_reason": 5}), "what is no event of a chat"),
        (event(delta(tool_calls={"x": 1})), "what is no event of a chat"),
        (event(delta(tool_calls=["x"])), "what is no event of a chat"),
        (event(delta(tool_calls=[{"index": "x"}])), "what is no event of a chat"),
        (sse.encode(b'{"choices": 5}'), "what is no event of a chat"),
    ],
)
@pytest.mark.parametrize("collect", [False, True])
def test_a_stream_that_fails_says_why_and_passes_nothing_more(broken, reason, collect):
    found, passed = stream(ROLE, HEL, broken, LO, event(**told()), DONE, collect=collect)
    assert found.failed is not None
    assert reason in found.failed
    assert passed == (b"" if collect else ROLE + HEL)
    assert found.usage == KNOWN


def test_an_error_of_no_words_is_still_one():
    found, _ = stream(b'data: {"error": "\\u0000"}\n\n', b'data: {"error": "second"}\n\n')
    assert found.failed == "the provider told of an error without a word"


@pytest.mark.parametrize(
    "tail", [b'data: {"choices": [{"ind', b": half a comment", b"data", b"data: "]
)
def test_half_an_event_at_the_end_is_dropped(tail):
    found, passed = stream(ROLE, HEL, tail)
    assert (passed, found.done, found.failed) == (ROLE + HEL, False, None)


def test_a_whole_event_without_its_blank_line_is_ended_for_the_client():
    found, passed = stream(ROLE, STOP, b"data: [DONE]\n")
    assert passed == ROLE + STOP + DONE
    assert found.done
    assert stream(ROLE, HEL[:-2])[1] == ROLE + HEL


def test_the_bytes_in_flight_are_bounded():
    with pytest.raises(TooLarge):
        stream(b"data: " + b"x" * 2000, limit=1000)
    stream(*[HEL] * 100, limit=1000)
    with pytest.raises(TooLarge):
        stream(*[HEL] * 100, limit=1000, collect=True)


def test_output_is_counted_in_bytes_wherever_it_is():
    call = {"index": 0, "id": "i", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    found, _ = stream(
        event(delta(role="assistant", content="é")),
        event(delta(reasoning_content="abc", tool_calls=[call, call])),
        event(delta(extra=[1, "x"], none=None)),
        event({"index": 1}),
    )
    assert found.output_bytes == 2 + 3 + 2 * 3
