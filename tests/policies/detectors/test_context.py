"""Which words around a match count, and for what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors import context
from policies.detectors.context import boosted, context_of, words_around
from tests.policies.detectors.stock import CarefulEnhancer, WordsEngine

LETTERS = "ab12 .,_-\n\u00e9\u0301\u0130\u5b57:"


def test_five_words_before_the_word_itself_and_the_next_are_read():
    text = "one two three four five six seven 123 eight nine"
    assert words_around(text, text.index("123")) == [
        "123",
        "seven",
        "six",
        "five",
        "four",
        "three",
        "123",
    ]


def test_words_that_say_nothing_do_not_use_up_the_window():
    text = "passport number of the person who was there is 123"
    assert words_around(text, text.index("123"))[:4] == ["123", "person", "number", "passport"]


def test_a_match_inside_a_word_is_read_with_that_word():
    assert words_around("card4111 x", 4)[0] == "card4111"


def test_words_are_split_at_underscores():
    assert words_around("user_ssn 123", 9)[:3] == ["123", "ssn", "user"]


@pytest.mark.parametrize("text", ["", "   ", "..."])
def test_where_no_words_are_none_are_returned(text):
    assert words_around(text, len(text)) == []


@given(st.text(LETTERS, max_size=60), st.data())
def test_the_words_are_those_of_the_stock_enhancer(text, data):
    start = data.draw(st.integers(0, len(text)))
    artifacts = WordsEngine().process_text(text, "en")
    try:
        stock = CarefulEnhancer()._extract_surrounding_words(artifacts, "", start)
    except ValueError:  # no word at or after the start
        stock = [""]
    assert set(words_around(text, start)) == set(stock) - {""}


def test_a_long_gap_does_not_hide_the_words_before_it():
    text = "passport " + "." * 5000 + " 123"
    assert "passport" in words_around(text, text.index("123"))


@pytest.mark.parametrize(
    ("words", "supported"),
    [
        (["us"], True),
        (["focus"], False),
        (["passport"], True),
        (["passportnumber"], True),
        (["pass"], False),
        (["\uc5ec\uad8c\uc740"], True),
        ([], False),
    ],
)
def test_short_words_must_stand_alone_and_long_ones_need_not(words, supported):
    assert context_of(["US", "passport", "\uc5ec\uad8c"]).supported_by(words) is supported


def test_without_context_words_nothing_is_supported():
    assert not context_of([]).supported_by(["passport"])


@pytest.mark.parametrize(("score", "raised"), [(0.01, 0.4), (0.05, 0.4), (0.5, 0.85), (0.9, 1.0)])
def test_support_raises_a_score_to_a_floor_and_not_over_one(score, raised):
    assert boosted(score) == pytest.approx(raised)


def test_the_words_that_say_nothing_are_lower_case():
    assert all(word == word.lower() for word in context.STOP_WORDS)
