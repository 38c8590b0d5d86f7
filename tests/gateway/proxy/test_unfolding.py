"""Bodies of providers that came folded: any split unfolds to the same, within bounds."""

import gzip
import itertools
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.coding import BadCoding, UnfoldsTooFar
from gateway.proxy.unfolding import PIECE_BYTES, beginning, unfolding
from tests.gateway.proxy.folding import FOLDED, header

MIB = 1024 * 1024
NAMES = sorted(FOLDED)
every_coding = pytest.mark.parametrize("name", NAMES)


def unfold(coding, chunks, most=MIB):
    folded = unfolding(coding, most)
    pieces = [piece for chunk in chunks for piece in folded.feed(chunk)]
    folded.close()
    assert all(pieces)
    return b"".join(pieces)


def split(body, cuts):
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    return [body[begin:end] for begin, end in itertools.pairwise(places)]


@given(st.sampled_from(NAMES), st.binary(max_size=3000), st.sets(st.integers(0, 3000)))
def test_any_split_unfolds_to_the_same(name, body, cuts):
    assert unfold(header(name), split(FOLDED[name](body), cuts)) == body


def flushed(name, body):
    """Return the beginning of a body that goes on, with all of it so far."""
    if name == "br":
        folding = brotli.Compressor()
        return folding.process(body) + folding.flush()
    if name == "zstd":
        folding = zstandard.ZstdCompressor().compressobj()
        return folding.compress(body) + folding.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    folding = zlib.compressobj(wbits={"deflate": 15, "deflate raw": -15}.get(name, 31))
    return folding.compress(body) + folding.flush(zlib.Z_SYNC_FLUSH)


@every_coding
def test_an_event_is_there_before_the_next_comes(name):
    folded = unfolding(header(name), MIB)
    assert b"".join(folded.feed(flushed(name, b"data: 1\n\n"))) == b"data: 1\n\n"


@every_coding
def test_the_limit_is_that_of_a_plain_answer(name):
    body = FOLDED[name](b"x" * 1000)
    assert unfold(header(name), [body], 1000) == b"x" * 1000
    with pytest.raises(UnfoldsTooFar):
        unfold(header(name), [body], 999)


@every_coding
def test_a_bomb_is_never_whole_in_memory(name):
    bomb = FOLDED[name](b"\0" * (256 * MIB))
    folded = unfolding(header(name), 64 * MIB)
    tracemalloc.start()
    try:
        with pytest.raises(UnfoldsTooFar):
            for piece in folded.feed(bomb):
                assert name == "zstd" or len(piece) <= 4 * PIECE_BYTES
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * MIB


@given(st.sampled_from(NAMES), st.binary(max_size=300), st.sets(st.integers(0, 300)))
def test_any_bytes_unfold_or_are_refused(name, body, cuts):
    try:
        unfold(header(name), split(body, cuts), 1000)
    except (BadCoding, UnfoldsTooFar):
        return
    assert body


@every_coding
def test_a_body_that_is_cut_short_or_goes_on_is_refused(name):
    body = FOLDED[name](b"some text, and some more of it" * 99)
    for broken in ([body[:-3]], [body[: len(body) // 2]], [body, b"\0more"], []):
        with pytest.raises(BadCoding):
            unfold(header(name), broken)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_several_members_are_one_body(name):
    first, second = FOLDED[name](b"one, "), FOLDED[name](b"two")
    assert unfold(name, [first + second]) == b"one, two"
    assert unfold(name, [first, second]) == b"one, two"


def test_what_is_plain_is_left_alone_and_what_is_unknown_refused():
    assert unfolding("", MIB) is None
    assert unfolding(" Identity", MIB) is None
    assert unfolding("GZIP ", MIB) is not None
    for name in ("compress", "gzip, br", "*", "gzip;q=1"):
        with pytest.raises(BadCoding):
            unfolding(name, MIB)


def test_as_much_as_there_is_of_an_error_is_read():
    text = b'{"error": {"message": "no such model"}}'
    folded = gzip.compress(text)
    assert beginning("gzip", folded, 1000) == text
    assert beginning("", text, 1000) == text
    assert text.startswith(beginning("gzip", folded[:-12], 1000))
    assert beginning("gzip", b"no gzip", 1000) == b""
    assert beginning("compress", text, 1000) == b""
    assert beginning("gzip", folded, 10) == b""
