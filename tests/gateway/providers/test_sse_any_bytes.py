"""The stream parser on any bytes in any pieces, against a reader that is slow and plain."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.providers.fault import TooLarge
from gateway.providers.sse import Parser
from tests.gateway.providers.test_sse import parse, said, split

BOM = b"\xef\xbb\xbf"
MIB = 1 << 20


def lines_of(stream):
    """Return the lines, and what no line end has ended: byte by byte, CR LF being one end."""
    lines, line, position = [], b"", 0
    while position < len(stream):
        byte = stream[position : position + 1]
        if byte in (b"\r", b"\n"):
            lines.append(line)
            line = b""
            if stream[position : position + 2] == b"\r\n":
                position += 1
        else:
            line += byte
        position += 1
    return lines, line


def reference(stream):
    """Return data and type of each event. What the end leaves open is one, too: a provider that
    forgets its last blank line still said it."""
    stream = stream.removeprefix(BOM)
    lines, rest = lines_of(stream)
    events, data, name = [], [], b""
    for line in [*lines, rest, b""]:
        if not line:
            if data:
                events.append((b"\n".join(data), name))
            data, name = [], b""
            continue
        field, colon, value = line.partition(b":")
        if colon and value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            data.append(value)
        if field == b"event":
            name = value
    return events


WORDS = [
    b"data", b"data:", b"data: ", b"event:", b"event: done", b"id: 1", b"retry: 5", b":", b": ping",
    b"[DONE]", b"{}", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\r", BOM, BOM[:1], BOM[:2],
    b"\0", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xe2\x80\xa8", b"caf\xc3\xa9", b"\xff", b" ",
]  # fmt: skip
BYTES = st.one_of(st.binary(max_size=60), st.sampled_from(WORDS))
STREAMS = st.lists(BYTES, max_size=30).map(b"".join)
CUTS = st.lists(st.integers(0, 2000), max_size=20)


@given(STREAMS, CUTS)
@example(b"data: a\r\n\r", [])
@example(b"data: a\r", [8])
@example(BOM + b"data: a", [1, 2])
@example(BOM + BOM + b"data: a\n\n", [4])
@example(b"data: \0\n\n\0", [])
@example(b"data\n\ndata", [])
@example(b"event: e\n\ndata: x\n\n", [9, 10])
def test_any_bytes_in_any_pieces_are_what_a_plain_reader_reads(stream, cuts):
    expected = reference(stream)
    assert said(parse(stream)) == expected
    assert said(parse(*split(stream, cuts))) == expected
    assert said(parse(*(stream[at : at + 1] for at in range(len(stream))))) == expected


@given(STREAMS, CUTS)
def test_no_byte_is_lost_but_a_mark_at_the_begin(stream, cuts):
    raw = b"".join(event.raw for event in parse(*split(stream, cuts)))
    assert raw == stream.removeprefix(BOM)


@given(STREAMS, CUTS, st.integers(1, 40))
def test_no_more_is_held_than_the_limit(stream, cuts, limit):
    parser = Parser(limit)
    chunks = split(stream, cuts)
    found = []
    for chunk in chunks:
        try:
            found += parser.feed(chunk)
        except TooLarge:
            open_bytes = len(stream.removeprefix(BOM)) - sum(len(one.raw) for one in found)
            assert open_bytes > limit
            return
        assert len(parser.rest) <= max(limit, len(BOM) - 1)  # what may become the mark
    last = parser.close()
    assert said([*found, last] if last else found) == reference(stream)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("size", [1 << 10, 1 << 16])
def test_a_huge_line_is_one_event_and_is_not_copied_over_and_over(end, size):
    line = b"data: " + b"x" * (4 * MIB)
    stream = line + end + b"data: y" + end
    tracemalloc.start()
    try:
        events = parse(*(stream[at : at + size] for at in range(0, len(stream), size)),
                       limit=8 * MIB)  # fmt: skip
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert said(events) == [(line[6:], b""), (b"y", b"")]
    assert peak < 40 * MIB


def test_a_line_that_never_ends_is_refused_at_the_limit():
    parser = Parser(MIB)
    fed = 0
    with pytest.raises(TooLarge):
        while fed < 2 * MIB:
            parser.feed(b"x" * 1000)
            fed += 1000
    assert fed <= MIB


def test_many_lines_of_one_event_are_one_text():
    stream = b"data: x\r\n" * 10_000 + b"\r\n"
    ((data, name),) = said(parse(stream, limit=MIB))
    assert (data, name) == (b"\n".join([b"x"] * 10_000), b"")
