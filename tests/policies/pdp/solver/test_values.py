"""Single values: figures, texts and guesses at patterns."""

import math
from random import Random

import pytest

from policies.pdp.expression.pattern import pattern_test
from policies.pdp.solver import numbers, strings
from policies.pdp.solver.domain import ANY, INT_MAX, INT_MIN
from policies.pdp.solver.literal import Literal
from policies.pdp.solver.samples import plain, samples
from tests.thorough import times

_TESTS = ["==", "<", "<=", ">", ">="]
_TEXTS = ["", "a", "ab", "b", "ba", "abc", "aé", "x\n"]


def _meets(value, literal):
    test = {
        "==": value == literal.value,
        "<": value < literal.value,
        "<=": value <= literal.value,
        ">": value > literal.value,
        ">=": value >= literal.value,
    }[literal.test]
    return test == literal.holds


@pytest.mark.parametrize("whole", [True, False])
def test_a_figure_is_found_exactly_where_there_is_one(whole):
    rng = Random(3)
    steps = [-1, 0, 1, 2, 3] if whole else [0.0, 0.25, 0.5, math.nextafter(0.5, 1), 1.0]
    for _ in range(times(3000)):
        literals = [
            Literal(rng.choice(_TESTS), rng.choice(steps), "int", rng.random() < 0.6)
            for _ in range(rng.randint(0, 4))
        ]
        left = numbers.span(literals, (steps[0], steps[-1]), whole=whole)
        found = numbers.pick(left, rng.choice(steps), whole=whole)
        near = [s for step in steps for s in (step, math.nextafter(step, 9))]
        tried = [value for value in near if steps[0] <= value <= steps[-1]]
        if whole:
            tried = steps
        possible = [v for v in tried if all(_meets(v, literal) for literal in literals)]
        if found is None:
            assert not possible
        else:
            assert all(_meets(found, literal) for literal in literals)
            assert steps[0] <= found <= steps[-1]


def test_the_figure_nearest_to_the_wanted_one_is_taken():
    left = numbers.span([Literal(">=", 512, "int")], ANY, whole=True)
    assert numbers.pick(left, 100, whole=True) == 512
    assert numbers.pick(left, 600, whole=True) == 600


def test_whole_figures_have_64_bits():
    assert numbers.pick(numbers.span([], ANY, whole=True), 0, whole=True) == 0
    top = numbers.span([Literal(">", INT_MAX, "int")], ANY, whole=True)
    assert numbers.pick(top, 0, whole=True) is None
    low = numbers.span([Literal("<", INT_MIN, "int")], ANY, whole=True)
    assert numbers.pick(low, 0, whole=True) is None


def test_figures_are_ones_that_people_write():
    def above(value):
        left = numbers.span([Literal(">", value, "double")], (0.0, 1.0), whole=False)
        return numbers.pick(left, 0.0, whole=False)

    assert (above(0.6), above(0.95), above(0.99)) == (0.7, 1.0, 1.0)
    assert above(0.0) == 0.1


def test_a_text_is_denied_only_where_there_is_none():
    rng = Random(5)
    unknown = 0
    for _ in range(times(4000)):
        literals = [_literal(rng) for _ in range(rng.randint(1, 3))]
        found = strings.pick(literals, ("",))
        if found.value is not None:
            assert all(_passes(found.value, literal) for literal in literals)
        elif found.certain:
            assert not any(all(_passes(t, each) for each in literals) for t in _pool())
        else:
            unknown += 1
    assert unknown < times(300)


def _literal(rng):
    test = rng.choice([*_TESTS, "in", "startsWith", "endsWith", "contains", "matches"])
    holds = rng.random() < 0.6
    if test == "in":
        return Literal(test, tuple(rng.sample(_TEXTS, 2)), "list<string>", holds)
    if test == "matches":
        return Literal(
            test, rng.choice(["^a", "b$", "^ab$", "a", "a+b?", "[ab]c"]), "string", holds
        )
    if rng.random() < 0.1:
        return Literal(rng.choice(_TESTS), rng.randint(0, 3), "int", holds, sized=True)
    return Literal(test, rng.choice(_TEXTS), "string", holds)


def _pool() -> list[str]:
    return [a + b + c for a in _TEXTS for b in _TEXTS for c in ["", "z", "\n"]]


def _passes(text, literal):
    if literal.sized:
        return _meets(len(text), literal)
    if literal.test in _TESTS:
        return _meets(text, literal)
    met = {
        "in": lambda: text in literal.value,
        "startsWith": lambda: text.startswith(literal.value),
        "endsWith": lambda: text.endswith(literal.value),
        "contains": lambda: literal.value in text,
        "matches": lambda: pattern_test(literal.value)(text),
    }[literal.test]()
    return met == literal.holds


def test_texts_to_avoid_make_nothing_certain():
    only = [Literal("==", "a", "string")]
    found = strings.pick(only, (), frozenset({"a"}))
    assert (found.value, found.certain) == (None, False)


@pytest.mark.parametrize(
    ("pattern", "test"),
    [
        ("gpt", ("contains", "gpt")),
        ("^gpt", ("startsWith", "gpt")),
        (r"\.com$", ("endsWith", ".com")),
        ("^a$", ("==", "a")),
        ("a.b", None),
        ("^(a|b)$", None),
        (r"cost\$", ("contains", "cost$")),
        (r"\d", None),
    ],
)
def test_a_pattern_of_a_fixed_text_is_a_plain_test(pattern, test):
    assert plain(pattern) == test
    for text in ("gpt", "xgpt", "gptx", "a", "ba", "a\n", ".com", "x.com", "x.com\n", "cost$", "$"):
        if test is not None:
            literal = Literal(test[0], test[1], "string")
            assert _passes(text, literal) == pattern_test(pattern)(text), text


@pytest.mark.parametrize(
    "pattern",
    [
        "^gpt-[0-9]+$", "(a|b)c", "x{3}", "x{2,}y?", r"\w+@\w+\.com", "[^a]b", "(?i)EMAIL", "a*b",
        "(?:ab)+c", r"[\d]z", r"\bword\b", "a{0,2}b",
    ],
)  # fmt: skip
def test_a_guess_at_a_pattern_is_right(pattern):
    assert any(pattern_test(pattern)(sample) for sample in samples(pattern))
