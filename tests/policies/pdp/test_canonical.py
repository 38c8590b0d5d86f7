"""Stored JSON becomes nodes without places, or is refused."""

import pytest

from policies.pdp.canonical import BYTES_MAX, read_json
from policies.pdp.nodes import Listing, Mapping, Scalar
from policies.pdp.problem import PolicyError


def test_values_become_nodes():
    root = read_json('{"a": [1, 1.5, true, null, "é"]}'.encode())
    assert root == Mapping(
        (
            (
                Scalar("a", "a"),
                Listing(
                    (
                        Scalar(1, "1"),
                        Scalar(1.5, "1.5"),
                        Scalar(value=True, text="true"),
                        Scalar(None, "null"),
                        Scalar("é", "é"),
                    )
                ),
            ),
        )
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"NaN", "not JSON"),
        (b'{"a": 1, "a": 2}', "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b"[" * 100 + b"]" * 100, "nested more than"),
        (b'"\\u0000"', "U+0000"),
        (b'{"\\ud800": 1}', "surrogates"),
        (b'"' + b"a" * BYTES_MAX + b'"', "larger than"),
    ],
    ids=lambda value: repr(value[:16]),
)
def test_what_is_refused(data, words):
    with pytest.raises(PolicyError) as caught:
        read_json(data)
    assert words in str(caught.value)
    assert caught.value.line == 0
