"""The stream parser against the specification, at every byte."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.fault import TooLarge
from gateway.providers.sse import Event, Parser, encode

LIMIT = 10_000
ENDS = [b"\n", b"\r\n", b"\r"]


def parse(*chunks: bytes, limit: int = LIMIT) -> list[Event]:
    parser = Parser(limit)
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    last = parser.close()
    return [*events, last] if last else events


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def said(events: list[Event]) -> list[tuple[bytes | None, bytes]]:
    return [(event.data, event.name) for event in events if event.data is not None]


@pytest.mark.parametrize("end", ENDS)
def test_each_line_end_of_the_specification(end):
    stream = end.join(
        [
            b": hello",
            b"event: note",
            b"data: a",
            b"data:b",
            b"data:  c",
            b"id: 7",
            b"",
            b"data: z",
            b"",
            b"",
        ]
    )
    assert said(parse(stream)) == [(b"a\nb\n c", b"note"), (b"z", b"")]


def test_lines_may_end_in_different_ways_within_one_stream():
    assert said(parse(b"data: a\r\n\rdata: b\n\r\ndata: c\r\rdata: d\n\n")) == [
        (b"a", b""),
        (b"b", b""),
        (b"c", b""),
        (b"d", b""),
    ]


def test_empty_data_is_an_event_and_a_comment_is_not():
    comment, empty = parse(b": ping\n\ndata\n\n")
    assert (comment.raw, comment.data) == (b": ping\n\n", None)
    assert empty.data == b""


def test_unknown_fields_and_lines_without_a_colon_are_skipped():
    assert said(parse(b"foo: 1\nretry: 5\nbar\ndata: x\n\n")) == [(b"x", b"")]


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_byte_order_mark_is_dropped_wherever_it_is_split(cut):
    stream = b"\xef\xbb\xbfdata: a\n\n"
    assert parse(stream[:cut], stream[cut:]) == [Event(b"data: a\n\n", b"a")]


def test_a_first_byte_like_that_of_a_mark_is_kept():
    assert parse(b"\xef", b"\xbb", b"x\n\n")[0].raw == b"\xef\xbbx\n\n"


def test_bytes_that_no_blank_line_ends_are_told_at_the_end():
    parser = Parser(LIMIT)
    assert parser.feed(b"data: [DONE]\n") == []
    assert parser.rest == b"data: [DONE]\n"
    assert parser.close() == Event(b"data: [DONE]\n", b"[DONE]")
    assert parser.close() is None


def test_an_event_is_complete_with_its_last_byte_and_not_later():
    parser = Parser(LIMIT)
    assert parser.feed(b"data: a\r\n\r") == []
    assert parser.feed(b"\n") == [Event(b"data: a\r\n\r\n", b"a")]


def test_an_open_event_is_bounded():
    parser = Parser(10)
    assert len(parser.feed(b"data: 12345678\n\n" * 3)) == 3
    parser.feed(b"data: 1234")
    with pytest.raises(TooLarge):
        parser.feed(b"5")


PIECES = st.sampled_from(
    [b"data: a", b"data", b"data:", b"data: caf\xc3\xa9", b":c", b"event: e", b"id", b"x", b""]
)
STREAMS = st.lists(st.tuples(PIECES, st.sampled_from(ENDS))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(STREAMS, st.lists(st.integers(0, 500)))
def test_any_split_gives_the_same_events_and_loses_no_byte(stream, cuts):
    whole = parse(stream)
    assert parse(*split(stream, cuts)) == whole
    assert parse(*(stream[i : i + 1] for i in range(len(stream)))) == whole
    assert b"".join(event.raw for event in whole) == stream


def reference(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The algorithm of the specification, line by line, with no regard for speed."""
    events: list[tuple[bytes, bytes]] = []
    data: list[bytes] = []
    name = b""
    lines = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]
    for line in lines:
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if not line:
            if data:
                events.append((b"\n".join(data), name))
            data, name = [], b""
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return events


@given(STREAMS, st.sampled_from(ENDS))
def test_the_events_are_those_of_the_specification(stream, end):
    ended = stream + end + end
    assert said(parse(ended)) == reference(ended)


@given(
    st.lists(st.tuples(st.binary().filter(lambda b: b"\r" not in b), st.sampled_from([b"", b"e"])))
)
def test_what_is_encoded_is_parsed_back(events):
    assert said(parse(b"".join(encode(data, name) for data, name in events))) == events
