"""Bodies: JSON, bounded, and nothing in them that the database cannot hold."""

import io

import pytest
from rest_framework.exceptions import ParseError

from audit.rest.parsing import BODY_MAX, JSONBody
from audit.rest.problems import Problem


def parse(raw):
    return JSONBody().parse(io.BytesIO(raw))


def test_json_is_read_as_it_is():
    assert parse(b'{"a": [1, 2.5, "x", true, null]}') == {"a": [1, 2.5, "x", True, None]}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": ["\\ud800"]}',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda raw: raw[:12],
)
def test_what_cannot_be_read_or_held_is_refused(raw):
    with pytest.raises(ParseError):
        parse(raw)


def test_a_body_has_an_end():
    assert parse(b'"' + b"x" * (BODY_MAX - 2) + b'"')
    with pytest.raises(Problem, match="at most"):
        parse(b'"' + b"x" * (BODY_MAX - 1) + b'"')
