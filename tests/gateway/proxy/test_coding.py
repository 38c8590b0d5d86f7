"""Content codings: read within bounds, written where it pays."""

import gzip
import tracemalloc

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.coding import (
    CODINGS,
    WORTHWHILE_BYTES,
    BadCoding,
    UnfoldsTooFar,
    decode,
    encode,
)

MIB = 1024 * 1024
FOLD = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress}


@given(st.sampled_from(CODINGS), st.binary(max_size=5000))
def test_what_was_folded_unfolds(coding, body):
    assert decode(coding, FOLD[coding](body), 5000) == body


@pytest.mark.parametrize("coding", CODINGS)
def test_the_limit_is_that_of_a_plain_body(coding):
    folded = FOLD[coding](b"x" * 1000)
    assert decode(coding, folded, 1000) == b"x" * 1000
    with pytest.raises(UnfoldsTooFar):
        decode(coding, folded, 999)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_not_unfolded(coding):
    bomb = FOLD[coding](b"\0" * (256 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(UnfoldsTooFar):
            decode(coding, bomb, MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 128 * MIB


@given(st.sampled_from(CODINGS), st.binary(max_size=200))
def test_any_bytes_unfold_or_are_refused(coding, body):
    try:
        decode(coding, body, 1000)
    except (BadCoding, UnfoldsTooFar):
        return
    assert body  # nothing at all is no coding


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_that_is_cut_short_or_goes_on_is_refused(coding):
    folded = FOLD[coding](b"some text, and some more of it" * 99)
    for broken in (folded[:-3], folded[: len(folded) // 2], folded + b"more", b""):
        with pytest.raises(BadCoding):
            decode(coding, broken, MIB)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_long_answer_is_folded_as_the_client_takes_it(coding):
    body = b'{"some":"text"}' * 2000
    folded, name = encode(body, coding.encode())
    assert name == coding.encode()
    assert len(folded) < len(body)
    assert decode(coding, folded, len(body)) == body


def test_the_best_of_those_taken_is_chosen():
    body = b"x" * WORTHWHILE_BYTES
    assert encode(body, b"gzip, deflate, br, zstd")[1] == b"zstd"
    assert encode(body, b"gzip;q=0.5, br;q=1.0")[1] == b"br"
    assert encode(body, b"zstd;q=0, GZIP")[1] == b"gzip"


def test_what_does_not_pay_or_is_not_taken_stays_plain():
    assert encode(b"x" * (WORTHWHILE_BYTES - 1), b"gzip") is None
    body = b"x" * WORTHWHILE_BYTES
    assert encode(body, b"") is None
    assert encode(body, b"deflate, identity, gzip;q=0") is None
