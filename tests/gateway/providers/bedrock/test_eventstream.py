"""Frames of an event stream: whole however their bytes are split, and nothing that is none."""

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.bedrock.eventstream import Message, Parser
from gateway.providers.fault import BadAnswer, TooLarge
from tests.mock_bedrock import frame, frame_of, sealed

LIMIT = 1 << 16
NAMES = st.text("abc:-", min_size=1, max_size=8)
HEADERS = st.dictionaries(NAMES, st.text(max_size=20), max_size=4)
FRAMES = st.lists(st.tuples(HEADERS, st.binary(max_size=80)), max_size=5)


def read(data, sizes=(1 << 20,)):
    """Return the messages of a stream whose bytes come in pieces of these sizes, in turn."""
    parser, found, position, turn = Parser(LIMIT), [], 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        found += parser.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    assert parser.is_between
    return found


@given(FRAMES, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_any_frames_split_anywhere_are_the_same_messages(frames, sizes):
    data = b"".join(frame_of(headers, payload) for headers, payload in frames)
    expected = [Message(headers, payload) for headers, payload in frames]
    assert read(data, sizes) == expected
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    assert [(dict(one.headers), one.payload) for one in theirs] == frames


@given(FRAMES.filter(bool), st.data())
def test_a_byte_that_changed_is_noticed(frames, data):
    raw = bytearray(b"".join(frame_of(headers, payload) for headers, payload in frames))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    parser = Parser(LIMIT)
    try:
        found = parser.feed(bytes(raw))
    except (BadAnswer, TooLarge):
        return
    raise AssertionError(f"nobody noticed: {found}")


@given(st.binary(max_size=200))
def test_noise_is_no_stream(noise):
    parser = Parser(LIMIT)
    try:
        parser.feed(noise)
    except (BadAnswer, TooLarge):
        return
    assert len(noise) < 12 or not noise


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_headers_of_noise_are_read_or_refused(headers, payload):
    try:
        (found,) = Parser(LIMIT).feed(sealed(headers, payload))
    except BadAnswer:
        return
    assert found.payload == payload


def test_headers_of_every_type_are_passed_by_but_strings():
    told = b"".join(
        bytes([1]) + name + value
        for name, value in (
            (b"a", b"\x00"),
            (b"b", b"\x01"),
            (b"c", b"\x02\x07"),
            (b"d", b"\x03\x00\x07"),
            (b"e", b"\x04" + bytes(4)),
            (b"f", b"\x05" + bytes(8)),
            (b"g", b"\x06\x00\x02xx"),
            (b"h", b"\x07\x00\x02\xc3\xa9"),
            (b"i", b"\x08" + bytes(8)),
            (b"j", b"\x09" + bytes(16)),
        )
    )
    assert read(sealed(told, b"x")) == [Message({"h": "é"}, b"x")]


@pytest.mark.parametrize(
    "headers",
    [
        b"\x01",
        b"\x01a\x0a",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x05xx",
        b"\x01a\x05\x00",
        b"\x01\xff\x00",
        b"\x01a\x07\x00\x01\xff",
    ],
)
def test_headers_that_are_none_are_refused(headers):
    with pytest.raises(BadAnswer, match="header"):
        Parser(LIMIT).feed(sealed(headers, b""))


def test_a_frame_beyond_the_limit_is_refused_by_its_first_bytes():
    with pytest.raises(TooLarge):
        Parser(100).feed(frame_of({}, b"x" * 100)[:12])


def test_a_frame_shorter_than_its_headers_is_refused():
    prelude = struct.pack(">II", 16, 1)
    with pytest.raises(BadAnswer, match="shorter"):
        Parser(LIMIT).feed(prelude + struct.pack(">I", zlib.crc32(prelude)))


def test_half_a_frame_is_not_between_two():
    parser, whole = Parser(LIMIT), frame("messageStart", {"role": "assistant"})
    (found,) = parser.feed(whole + whole[:-1])
    assert (found.headers[":event-type"], found.payload) == (
        "messageStart",
        b'{"role":"assistant"}',
    )
    assert not parser.is_between
