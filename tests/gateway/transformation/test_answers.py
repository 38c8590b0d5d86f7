"""Fields are taken out of whole answers, and out of events whatever the seams."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transformation.answers import Cuts, EventCutter, together

CHUNKS = (
    b': a comment\n\ndata: {"id":"x","choices":[{"delta":{"content":"a"},"logprobs":{}}]}\n\n'
    b'event: ping\r\ndata: {"type":"ping"}\r\n\r\n'
    b'event: message\ndata: {"type":"m",\ndata: "usage":{"a":1}}\n\n'
    b"data: [DONE]\n\n"
)
POINTERS = (("choices", "*", "logprobs"), ("usage",))
EXPECTED = (
    b': a comment\n\ndata: {"id":"x","choices":[{"delta":{"content":"a"}}]}\n\n'
    b'event: ping\r\ndata: {"type":"ping"}\r\n\r\n'
    b'event: message\ndata: {"type":"m"}\n\n'
    b"data: [DONE]\n\n"
)


@given(st.lists(st.integers(0, len(CHUNKS)), max_size=6))
def test_events_are_cut_whatever_the_seams(seams):
    cutter, told, begin = EventCutter(POINTERS), b"", 0
    for end in [*sorted(seams), len(CHUNKS)]:
        told += cutter.feed(CHUNKS[begin:end])
        begin = end
    assert told + cutter.close() == EXPECTED


def test_an_event_left_open_is_cut_at_the_end():
    cutter = EventCutter((("a",),))
    assert cutter.feed(b'data: {"a":1,"b":2}\n') == b""
    assert json.loads(cutter.close().removeprefix(b"data: ")) == {"b": 2}
    assert cutter.close() == b""


@pytest.mark.parametrize("data", [b"no json", b"[1]", b'"a"'])
def test_an_event_that_nobody_can_cut_does_not_pass(data):
    cutter = EventCutter((("a",),))
    assert cutter.feed(b"data: " + data + b'\n\ndata: {"b":1}\n\n') == b'data: {"b":1}\n\n'


def test_a_whole_answer_loses_its_fields_and_no_more():
    body = {"choices": [{"logprobs": 1, "x": 1}, {"x": 2}], "usage": 1}
    cuts = together([Cuts(whole=(("choices", "*", "logprobs"),)), Cuts(whole=(("usage",),))])
    assert cuts.of_whole(body) == {"choices": [{"x": 1}, {"x": 2}]}
    assert body["usage"] == 1
    assert together([]).of_whole(body) is body
