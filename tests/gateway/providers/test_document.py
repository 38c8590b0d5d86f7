"""JSON of one meaning only."""

import pytest

from gateway.providers.document import dump, load


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a":1,"a":2}',
        '[{"b":{"a":1,"\\u0061":2}}]',
        "NaN",
        "[Infinity]",
        '"\\ud800"',
        "1e999",
        "[" * 1100 + "]" * 1100,
        "[" * 65 + "]" * 65,
        b'"\xff"',
    ],
)
def test_case_15_what_two_readers_could_take_differently_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        load(text)


@pytest.mark.parametrize(
    "value", [None, 1, "x", [], [[1]] * 70, [1, [2]], {"a": {"a": [{"a": "é"}]}}]
)
def test_what_has_one_meaning_is_read_and_written(value):
    assert load(dump(value)) == value


def test_keys_keep_their_order():
    assert dump(load('{"b": 1, "a": 2}')) == '{"b":1,"a":2}'
