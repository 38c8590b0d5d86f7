"""Keys and values are read into types, and every fault is gathered at its place."""

import re

import pytest

from policies.pdp import fields
from policies.pdp.fields import Fields
from policies.pdp.nodes import NOWHERE, Listing, Mapping, Node, Scalar
from policies.pdp.problem import PolicyError
from policies.pdp.yaml_text import read_yaml


def _node(text: str) -> Node:
    root = read_yaml(f"key: {text}")
    assert isinstance(root, Mapping)
    return root.entries[0][1]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (fields.word(re.compile("[a-z]+"), "a word"), "abc", "abc"),
        (fields.choice(("on", "off")), "on", "on"),
        (fields.whole(1, 3), "3", 3),
        (fields.whole(1, 3), "1", 1),
        (fields.decimal(0.0, 1.0), "0.25", 0.25),
        (fields.decimal(0.0, 1.0), "1", 1.0),
        (fields.flag, "false", False),
        (fields.only_true, "true", True),
        (fields.listing(fields.whole(1, 3), 2), "[1, 2]", (1, 2)),
        (fields.listing(fields.whole(1, 3), 2), "[]", ()),
    ],
)
def test_values(read, text, value):
    got = read(_node(text))
    assert got == value
    assert type(got) is type(value)


def test_a_text_may_be_as_long_as_allowed_and_empty_where_allowed():
    assert fields.text(3)(_node("abc")).text == "abc"
    assert fields.text(3, empty=True)(_node("''")).text == ""


def test_negative_zero_is_zero():
    assert str(fields.decimal(0.0, 1.0)(_node("-0.0"))) == "0.0"


@pytest.mark.parametrize(
    ("read", "text", "words", "hint"),
    [
        (fields.text(3), "abcd", "longer than 3", ""),
        (fields.text(3), "' '", "is empty", ""),
        (fields.text(3), "5", 'expected a text, found the value "5"', "quotes"),
        (fields.text(3), "true", 'expected a text, found the value "true"', "quotes"),
        (fields.text(3), "", "expected a text, found nothing", ""),
        (fields.text(3), "[a]", "expected a text, found a list", ""),
        (fields.text(3), "{a: b}", "expected a text, found keys with values", ""),
        (fields.word(re.compile("[a-z]+"), "a word"), "a1", '"a1" is not a word', ""),
        (fields.choice(("on", "off")), "onn", 'one of on, off, found "onn"', 'did you mean "on"?'),
        (fields.choice(("on", "off"), ("auto",)), "auto", "auto is not available in this version",
         "available: on, off"),
        (fields.whole(1, 3), "4", "4 is not between 1 and 3", ""),
        (fields.whole(1, 3), "0", "0 is not between 1 and 3", ""),
        (fields.whole(1, 3), "1.0", 'expected a whole number, found the value "1.0"', ""),
        (fields.whole(0, 3), "true", "expected a whole number", ""),
        (fields.whole(1, 3), "'1'", 'found the text "1"', ""),
        (fields.decimal(0.0, 1.0), "1.1", "1.1 is not between", ""),
        (fields.decimal(0.0, 1.0), "-0.1", "is not between", ""),
        (fields.decimal(0.0, 1.0), ".nan", "is not between", ""),
        (fields.decimal(0.0, 1.0), "true", "expected a number", ""),
        (fields.flag, "yes", 'expected true or false, found the text "yes"', ""),
        (fields.only_true, "false", "only true", "leave the key out"),
        (fields.listing(fields.flag, 2), "true", "expected a list", ""),
    ],
)  # fmt: skip
def test_faults_stand_at_the_value(read, text, words, hint):
    with pytest.raises(PolicyError) as caught:
        read(_node(text))
    assert (caught.value.line, caught.value.column) == _node(text).at
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_a_list_that_is_too_long_is_refused_at_the_first_item_too_many():
    with pytest.raises(PolicyError, match="1:17: the list has more than 2 items"):
        fields.listing(fields.flag, 2)(_node("[true,  1, true]"))


def test_all_items_of_a_list_are_looked_at():
    with pytest.raises(PolicyError) as caught:
        fields.listing(fields.whole(1, 3), 9)(_node("[9, 1, x]"))
    assert [problem.column for problem in caught.value.problems] == [7, 13]


def test_keys_are_read_and_faults_gathered():
    keys = Fields(read_yaml("a: 1\nbb: 2\nlater: 3\nc: x"), "a thing", ("a", "b", "c"), ("later",))
    assert "a" in keys
    assert "b" not in keys
    assert keys.required("a", fields.whole(0, 9), 7) == 1
    assert keys.required("b", fields.whole(0, 9), 7) == 7
    assert keys.optional("b", fields.whole(0, 9), 8) == 8
    assert keys.optional("c", fields.whole(0, 9), 9) == 9
    assert (keys.at, keys.key_at("a"), keys.value_at("a")) == ((1, 1), (1, 1), (1, 4))
    assert keys.node("b") is None
    keys.note((9, 9), "ours", "hint")
    assert keys.faulty
    with pytest.raises(PolicyError) as caught:
        keys.finish()
    assert [
        (problem.line, problem.column, problem.message) for problem in caught.value.problems
    ] == [
        (1, 1, "a thing needs the key b"),
        (2, 1, 'a thing has no key "bb"'),
        (3, 1, "later is not available in this version"),
        (4, 4, 'expected a whole number, found the text "x"'),
        (9, 9, "ours"),
    ]
    assert [problem.hint for problem in caught.value.problems[1:3]] == [
        'did you mean "b"?',
        "available: a, b, c",
    ]


def test_keys_without_faults_finish_in_silence():
    keys = Fields(read_yaml("a: 1"), "a thing", ("a",))
    keys.finish()
    assert not keys.faulty


def test_an_unknown_key_that_resembles_none_is_answered_with_all():
    keys = Fields(read_yaml("zzz: 1"), "a thing", ("a", "b"))
    with pytest.raises(PolicyError, match="hint: known: a, b"):
        keys.finish()


def test_what_is_no_mapping_has_no_keys():
    for node in (Listing(()), Scalar("a", "a", NOWHERE)):
        with pytest.raises(PolicyError, match="a thing must be keys with values"):
            Fields(node, "a thing", ("a",))
