"""Every visible character of a scalar knows where it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.nodes import NOWHERE, SPACES, Mapping, Scalar, fault, place_of
from policies.pdp.yaml_text import read_yaml


def _scalar(text: str) -> Scalar:
    root = read_yaml(text)
    assert isinstance(root, Mapping)
    value = root.entries[-1][1]
    assert isinstance(value, Scalar)
    return value


def _written(text: str, place: tuple[int, int]) -> str:
    return text.split("\n")[place[0] - 1][place[1] - 1 :]


def test_place_of_counts_lines_and_columns_from_one():
    assert place_of("ab\ncd", 0) == (1, 1)
    assert place_of("ab\ncd", 4) == (2, 2)
    assert place_of("a\r\nb\rc", 5) == (3, 1)


def test_a_fault_has_one_problem_at_its_place():
    assert (fault((3, 4), "x", "y").line, fault((3, 4), "x", "y").column) == (3, 4)


@pytest.mark.parametrize(
    ("text", "part", "place"),
    [
        ("when: risk > 80", "80", (1, 14)),
        ("when: risk >\n   80", "80", (2, 4)),
        ('when: "risk > 80"', "80", (1, 15)),
        (r'when: "a == \"b\" && risk"', "risk", (1, 22)),
        (r'when: "\x61\u0062\U00000063 risk"', "risk", (1, 29)),
        (r'when: "a\trisk\x20now"', "risk", (1, 11)),
        (r'when: "a\trisk\x20now"', "now", (1, 19)),
        ('when: "a \\\n  risk"', "risk", (2, 3)),
        (r'when: "a\_risk"', "risk", (1, 11)),
        ("when: 'it''s risk'", "risk", (1, 14)),
        ("when: >-\n  a &&\n    b\n\n  risk", "risk", (5, 3)),
        ("when: |+  # risk, but not here\n  a &&\n  risk\n", "risk", (3, 3)),
        ("when: >2\n    risk", "risk", (2, 5)),
        ("a: é𝄞\nwhen: 𝄞 risk", "risk", (2, 9)),
        ("a: 1\r\nwhen: b risk", "risk", (2, 9)),
    ],
)
def test_the_place_of_a_part_is_exact_in_every_style(text, part, place):
    scalar = _scalar(text)
    assert scalar.place(scalar.text.index(part)) == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("when: risk", (1, 11)),
        ("when: 'risk'", (1, 12)),
        ("when: >-\n  risk >\n\n# comment\nnext: 1", (2, 9)),
        ("when:", (1, 6)),
        ("when:  \n\nnext: 1", (1, 6)),
        ("when: ''", (1, 7)),
    ],
)
def test_the_end_of_a_scalar_is_behind_its_last_character(text, place):
    root = read_yaml(text)
    assert isinstance(root, Mapping)
    scalar = root.entries[0][1]
    assert isinstance(scalar, Scalar)
    assert scalar.place(len(scalar.text)) == place


def test_a_scalar_without_a_text_is_nowhere():
    assert Scalar("a", "a").place(0) == NOWHERE


_words = st.lists(st.text("ab&é\"'\\𝄞:#>|", min_size=1, max_size=6), min_size=1, max_size=6)


def _plain_quotes(words: list[str]) -> str:
    return "when: '" + "\n    ".join(words).replace("'", "''") + "'"


def _double_quotes(words: list[str]) -> str:
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "é": "\\u00e9", "𝄞": "\\U0001D11E"})
    return 'when: "' + "\\t".join(word.translate(escapes) for word in words) + '"'


def _literal(words: list[str]) -> str:
    return "when: |\n  " + "\n  ".join(words)


def _folded(words: list[str]) -> str:
    return "when: >-\n  " + "\n\n  ".join(words)


@given(words=_words, style=st.sampled_from([_plain_quotes, _double_quotes, _literal, _folded]))
def test_visible_characters_are_found_where_they_were_written(words, style):
    text = style(words)
    scalar = _scalar(text)
    visible = "".join(words)
    assert "".join(char for char in scalar.text if char not in SPACES) == visible
    places = []
    for offset, char in enumerate(scalar.text):
        if char not in SPACES:
            place = scalar.place(offset)
            places.append(place)
            written = _written(text, place)
            assert written[0] == char or (written[0] == "\\" and style is _double_quotes)
    assert places == sorted(set(places))
