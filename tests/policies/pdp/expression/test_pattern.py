"""Patterns run on RE2: bounded when compiled, linear when matched, and they never raise."""

import time

import pytest

from policies.pdp.expression.pattern import (
    PATTERN_LENGTH_MAX,
    RE2_VERSION,
    PatternError,
    pattern_test,
)


def test_a_pattern_is_searched_for_anywhere():
    test = pattern_test("^gpt-[34]")
    assert test("gpt-4o") is True
    assert test("my gpt-4o") is False
    assert pattern_test("4o")("gpt-4o") is True
    assert pattern_test("é+$")("caféé") is True


def test_asking_twice_gives_the_same_answer_and_the_same_test():
    test = pattern_test("a.c")
    assert [test("abc"), test("abc"), test("xyz"), test("xyz")] == [True, True, False, False]
    assert pattern_test("a.c") is test


def test_long_strings_are_matched_too():
    assert pattern_test("x$")("a" * 100_000 + "x") is True
    assert pattern_test("x$")("a" * 100_000) is False


def test_a_lone_surrogate_cannot_make_it_raise():
    assert pattern_test(r"^.\?$")("\ud800?") is True
    assert pattern_test("a")("\udfff") is False


def test_a_byte_pattern_cannot_make_it_raise():
    assert pattern_test(r"^\C$")("é") is False
    assert pattern_test(r"\C")("é") is True


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a", r"missing \): \(a"),
        ("(?=a)", "invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
        ("[z-a]", "invalid character class range"),
        (r"(\pL{1,50}){1,20}", "too large"),
        (r".{1000}", "too large when compiled"),
        ("a" * (PATTERN_LENGTH_MAX + 1), "longer than"),
    ],
)
def test_patterns_that_are_refused(pattern, words):
    with pytest.raises(PatternError, match=words):
        pattern_test(pattern)


def test_the_classic_catastrophe_is_linear_here():
    started = time.process_time()
    assert pattern_test("^(a+)+$")("a" * 50_000 + "b") is False
    assert time.process_time() - started < 0.5


def test_the_version_of_the_matcher_is_known():
    assert RE2_VERSION[0].isdigit()
