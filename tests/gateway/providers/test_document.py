"""JSON of one meaning only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


PLAIN_NAMES = st.sampled_from(["a", "b", 'a":', '":', "", "é", "x y"])


@st.composite
def objects(draw, depth=2):
    """Return the text of an object: keys twice now and then, spaced and escaped as it comes."""
    members = []
    for _ in range(draw(st.integers(0, 3))):
        name = json.dumps(draw(PLAIN_NAMES), ensure_ascii=draw(st.booleans()))
        if draw(st.booleans()):
            name = name.replace('\\"', "\\u0022")
        gap = draw(st.sampled_from(["", " ", "\n"]))
        value = draw(objects(depth - 1)) if depth and draw(st.booleans()) else name
        members.append(f"{name}{gap}:{gap}{value}")
    return "{" + ",".join(members) + "}"


@given(objects())
def test_a_key_twice_is_found_however_it_is_written(text):
    """The quick look at a text never hides what the slow one would find."""

    def unique(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        expected = json.loads(text, object_pairs_hook=unique)
    except ValueError:
        with pytest.raises(ValueError, match="twice"):
            load(text)
    else:
        assert load(text) == expected
