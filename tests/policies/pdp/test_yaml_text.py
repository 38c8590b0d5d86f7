"""YAML is read by the 1.2 core schema, and what could surprise is refused where it stands."""

import contextlib
import math
import time

import pytest

from policies.pdp.nodes import Listing, Mapping, Scalar
from policies.pdp.problem import PolicyError
from policies.pdp.yaml_text import BYTES_MAX, DEPTH_MAX, NODES_MAX, read_yaml


def _value(text: str) -> object:
    root = read_yaml(f"key: {text}")
    assert isinstance(root, Mapping)
    scalar = root.entries[0][1]
    assert isinstance(scalar, Scalar)
    return scalar.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("no", "no"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("-12", -12),
        ("+12", 12),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("2026-01-01", "2026-01-01"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'true'", "true"),
        ('"12"', "12"),
        ("'~'", "~"),
        ("''", ""),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    got = _value(text)
    assert got == value
    assert type(got) is type(value)


def test_not_a_number_is_a_number_here():
    got = _value(".nan")
    assert isinstance(got, float)
    assert math.isnan(got)


def test_the_tree_has_the_shape_and_the_places_of_the_text():
    root = read_yaml("a:\n  - x\n  - {b: 'y'}\n")
    assert isinstance(root, Mapping)
    key, items = root.entries[0]
    assert (key.text, key.at) == ("a", (1, 1))
    assert isinstance(items, Listing)
    assert items.at == (2, 3)
    first, second = items.items
    assert first.at == (2, 5)
    assert isinstance(second, Mapping)
    assert second.at == (3, 5)
    assert second.entries[0][1].at == (3, 9)


def test_a_byte_order_mark_in_front_is_passed_over():
    root = read_yaml("\ufeffa: b")
    assert isinstance(root, Mapping)
    assert root.entries[0][0].at == (1, 1)


_TAG = "an unquoted ! starts a YAML tag"


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "empty"),
        ("# only a comment", 1, 1, "empty"),
        ("a: 1\nb: 2\na: 3", 3, 1, 'the key "a" stands twice, first in line 1'),
        ("a: {b: 1, b: 2}", 1, 11, "stands twice"),
        ("a: &x 1", 1, 4, "anchors"),
        ("a: &x [1]\nb: *x", 1, 4, "anchors"),
        ("a: *x", 1, 4, "aliases"),
        ("a: !!str 1", 1, 4, _TAG),
        ("a: !x [1]", 1, 4, _TAG),
        ("a: ! 1", 1, 4, _TAG),
        ("when: !user.present", 1, 7, _TAG),
        ("when: !user.present && true", 1, 7, _TAG),
        ("rules:\n  - when: !(risk > 1)", 2, 11, _TAG),
        ("rules:\n  - id: a\n    when: !", 3, 11, _TAG),
        ("when: !{a", 1, 7, _TAG),
        ("%YAML 1.1\n---\na: 1", 1, 1, "directives"),
        ("# c\n%TAG ! x\n---\na: 1", 2, 1, "directives"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document"),
        ("a: b: c", 1, 5, "mapping values"),
        ("a: [1, 2", 1, 9, "YAML"),
        ("a: 'x", 1, 6, "YAML"),
        ("when: 'a' in call.tags", 1, 11, "YAML"),
        ('a: "\\q"', 1, 6, "YAML"),
        ('a: "\\UFFFFFFFF"', 1, 5, "names no character"),
        ('a: "\\U00110000"', 1, 5, "names no character"),
        ('a: "\\0"', 1, 4, "U+0000"),
        ('a: "\\ud800"', 1, 4, "surrogates"),
        ("a: x\x00", 1, 5, "U+0000"),
        ("a: x\nb: \ud800", 2, 4, "U+D800"),
        ("a: x\u2028y", 1, 5, "U+2028"),
        ("a: x\x85y", 1, 5, "U+0085"),
        ("a: x\ufeffy", 1, 5, "U+FEFF"),
        ("\ta: x", 1, 1, "YAML"),
        ("? [a]\n: b", 1, 3, "a key must be a word"),
        ("a: " + "9" * 41, 1, 4, "more than 40 digits"),
        ("a: " + "[" * 100, 1, 4 + DEPTH_MAX, "nested more than"),
        ("- " * 100 + "x", 1, 2 * DEPTH_MAX + 3, "nested more than"),
    ],
)
def test_what_could_surprise_is_refused_where_it_stands(text, line, column, words):
    with pytest.raises(PolicyError) as caught:
        read_yaml(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.message


def test_a_bare_condition_that_is_no_yaml_gets_the_hint_to_quote_it():
    with pytest.raises(PolicyError) as caught:
        read_yaml("when: 'a' in call.tags")
    assert "put the whole condition in quotes" in caught.value.hint


def test_an_unquoted_exclamation_mark_gets_the_hint_to_quote_it():
    with pytest.raises(PolicyError) as caught:
        read_yaml("when: !user.present")
    assert 'when: "!user.present"' in caught.value.hint


def test_a_document_may_be_as_large_as_allowed_and_no_larger():
    text = "a: " + "é" * ((BYTES_MAX - 3) // 2)
    assert isinstance(read_yaml(text), Mapping)
    with pytest.raises(PolicyError, match="larger than"):
        read_yaml(text + "éé")


def test_a_document_may_have_so_many_values_and_no_more():
    with pytest.raises(PolicyError, match="more than"):
        read_yaml("[" + "a," * NODES_MAX + "]")
    root = read_yaml("[" + "a," * (NODES_MAX - 1) + "]")
    assert isinstance(root, Listing)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 60_000,
        "{" * 60_000,
        "- " * 30_000,
        "? " * 30_000,
        "a: &a [" + "*a," * 20_000 + "]",
        "&a " * 20_000,
        "!a " * 20_000,
        "a: " + "'" * 60_001,
        'a: "' + "\\" * 60_000,
        "%" * 60_000,
        "a: |\n" + " \n" * 30_000,
        "a" * 60_000 + ":",
        "[" + "a," * 30_000 + "]",
        "\n".join(f"k{number}: [a]" for number in range(5_000)),
        "#" * 60_000,
        "---\n" * 15_000,
        ": " * 30_000,
        "[]" * 30_000,
        "a:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 340)),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_no_document_takes_long(text):
    started = time.process_time()
    with contextlib.suppress(PolicyError):
        read_yaml(text)
    assert time.process_time() - started < 5.0
