"""What RE2 is given in place of a pattern: never narrower, and where it counts the same."""

import string

import pytest
import re2
import regex
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors import patterns
from policies.detectors.patterns import (
    UntranslatableError,
    any_word,
    asks_only_for_words,
    compiled,
    exact,
    may_consist_of,
    shortest,
    unicode_class,
    widened,
)

FLAGS = regex.DOTALL | regex.MULTILINE | regex.IGNORECASE
EVERYTHING = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
ASCII = EVERYTHING[:128]


def _all_within(found: list[str], wide: str) -> bool:
    return re2.fullmatch(f"(?:{wide})+", "".join(found), patterns.options(64 << 20)) is not None


@pytest.mark.parametrize("escape", [r"\d", r"\s"])
def test_unicode_classes_hold_exactly_the_characters_of_regex(escape):
    inside = unicode_class(escape)
    members = regex.findall(escape, EVERYTHING)
    assert len(members) > 20
    assert _all_within(members, f"[{inside}]")
    others = regex.sub(escape, "", EVERYTHING)
    assert re2.search(f"[{inside}]", others) is None


@pytest.mark.parametrize(
    "pattern", [r"\d", r"\s", r"\w", r"\D", r"\S", r"\W", ".", "[^x]", "[^\\d]"]
)
def test_wide_classes_hold_every_character_that_regex_matches(pattern):
    wide = widened(pattern, FLAGS)
    assert _all_within(regex.findall(pattern, EVERYTHING, FLAGS), wide.unicode)
    assert _all_within(regex.findall(pattern, ASCII, FLAGS), wide.ascii)


def test_wide_letters_hold_every_character_that_regex_takes_for_them():
    odd = set()
    for letter in string.ascii_letters:
        found = regex.findall(letter, EVERYTHING, FLAGS)
        odd.update(character for character in found if not character.isascii())
        wide = widened(letter, FLAGS)
        assert _all_within(found, wide.unicode)
        assert _all_within(regex.findall(letter, ASCII, FLAGS), wide.ascii)
    assert odd == set("\u0130\u0131\u017f\u212a")  # dotted and dotless i, long s, the Kelvin sign


@pytest.mark.parametrize(
    "pattern", ["[a-z]", "[A-F0-9]", "[h-j]", "[a-z\u00e4\u00f6\u00fc]", "\u00e9", "[^a-z]", "[^k]"]
)
def test_wide_ranges_hold_every_character_that_regex_takes_for_them(pattern):
    assert _all_within(regex.findall(pattern, EVERYTHING, FLAGS), widened(pattern, FLAGS).unicode)


def test_words_are_found_wherever_lower_case_shows_them():
    for character in EVERYTHING:
        lowered = character.lower()
        if character.isascii() or lowered == character:
            continue
        for part in lowered:
            assert re2.search(any_word([part]).unicode, character), (character, part)


def test_word_borders_are_the_same_between_all_ascii_characters():
    program = exact(r"(?:.\b.)", FLAGS)
    for first in ASCII:
        pairs = [first + second for second in ASCII]
        ours = [program.fullmatch(pair) is not None for pair in pairs]
        assert ours == [regex.fullmatch(r".\b.", pair, FLAGS) is not None for pair in pairs]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?<![A-Z])AB", "AB"),
        (r"(?<![A-Z])AB", ".AB"),
        (r"(?<!\d)1(?!\d)", "x1"),
        (r"(?<!ab)c", "xxc"),
        (r"(?=x)x\Z", "x"),
        (r"([:-])a\1b", ":a:b"),
        (r"a+?b*+(?>c)", "abc"),
        (r"(?i:k)", "K"),
        (r"\b(?i)(?:ab)\b", "AB"),
        (r"(?:ab){2,60}", "ab" * 40),
        (r"x{25,59}", "x" * 30),
        (r"[0-9]{8,17}", "1" * 17),
    ],
)
def test_wide_patterns_match_what_the_original_does(pattern, text):
    assert regex.search(pattern, text, FLAGS)
    wide = widened(pattern, FLAGS)
    assert re2.search(wide.ascii, text)
    assert re2.search(wide.unicode, text)


def test_a_refused_first_character_stays_refused_in_ascii_text():
    wide = widened(r"(?<![A-Z])AB12", 0)
    assert re2.search(wide.ascii, "xAB12")
    assert re2.search(wide.ascii, "XAB12") is None


@pytest.mark.parametrize(
    "pattern", [r"(?<=a)b", r"\p{L}", "[", r"(?(1)a|b)", r"(?s:a.b)", r"(a\1)"]
)
def test_what_re2_cannot_say_is_refused_or_loosened(pattern):
    try:
        wide = widened(pattern, FLAGS)
    except UntranslatableError:
        return
    for text in ("ab", "b", "a\nb"):
        if regex.search(pattern, text, FLAGS):
            assert re2.search(wide.unicode, text)


@pytest.mark.parametrize(
    "pattern",
    [
        r"a(?=b)",
        r"(?<!a)b",
        r"(a)\1",
        "a+?",
        "(?:a?)+",
        r"\Ba",
        "^a",
        r"(?i:a)",
        r"[\W]",
        "a*+",
        "(?>a)",
    ],
)
def test_exact_refuses_what_could_change_a_span(pattern):
    with pytest.raises(UntranslatableError):
        exact(pattern, FLAGS)


def test_exact_refuses_a_dot_that_stops_at_a_line():
    with pytest.raises(UntranslatableError):
        exact("a.b", regex.IGNORECASE)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b[0-9]{3}[- .][0-9]{2}\b",
        r"a|ab|abc",
        r"(?:a|ab)(?:c|bcd)(?:d*)",
        r"\b(\w+)@(\w+)\b",
        r"[^ab]{2,3}b",
        r"x{2,}|\sx",
        r"(ab?){2,4}",
    ],
)
@given(text=st.text(alphabet="ab cdx01-.@\n\x0b\x1c_", max_size=40))
def test_exact_programs_have_the_spans_of_the_original(pattern, text):
    ours = [match.span() for match in exact(pattern, FLAGS).finditer(text)]
    assert ours == [match.span() for match in regex.finditer(pattern, text, FLAGS)]


@pytest.mark.parametrize(
    ("pattern", "blind"),
    [
        (r"\b[!#\w]+@\w+(?:\.\w+)+\b", True),
        (r"\d@\w", False),
        (r"[a-z]@\w", False),
        (r"[^@]@", False),
        (r"k@\w", False),
        (r".@\w", False),
        (r"\w\s", False),
        ("\u00e9@\\w", False),
    ],
)
def test_which_patterns_ask_only_for_words(pattern, blind):
    assert asks_only_for_words(pattern) is blind


def test_shortest_counts_the_characters_of_the_shortest_match():
    assert shortest(r"0(?:1\d{3}|[2-9]{2})") == 3
    assert shortest("(?!)") == 0


def test_compiled_refuses_a_broken_pattern():
    with pytest.raises(UntranslatableError):
        compiled("(")


def test_the_parser_of_python_still_names_its_nodes_as_we_do():
    names = {
        code.name for code, _ in patterns._parsed(r"a.[bz](?:ce|df)(e)f*g*?h(?=i)(?<!j)\bk(l)\2")
    }
    assert names == {
        "LITERAL", "ANY", "IN", "BRANCH", "SUBPATTERN", "MAX_REPEAT", "MIN_REPEAT", "ASSERT",
        "ASSERT_NOT", "AT", "GROUPREF",
    }  # fmt: skip


LETTERS = frozenset(string.ascii_letters + " ,")


@pytest.mark.parametrize(
    ("pattern", "may"),
    [
        ("[a-z]+@[a-z]+", False),
        ("[a-z]+@?[a-z]+", True),
        (r"\d{3}", False),
        (r"\d{0,3}[A-Z]", True),
        (r"(?:\d|[a-z])x", True),
        (r"(?:\d|:)x", False),
        (r"(?i)([A-Z]{2}[0-9])", False),
        (r"[^a-z]", True),
        (r"\w+", True),
        (r"a.c", True),
        (r"(?<![a-z])4(?!5)", False),
        ("\u00e9", True),
        ("[\u0430-\u044f]", True),
        (r"(?>\d)", True),
        ("(", True),
    ],
)
def test_a_pattern_that_asks_for_what_is_not_there_matches_none_of_it(pattern, may):
    assert may_consist_of(pattern, LETTERS) is may


PARTS = st.sampled_from(
    ["a", "Z", "7", "@", r"\d", r"\w", r"\s", "[a-f]", "[0-9x]", "[0-9]", "[^a]", ".", r"\b", "::"]
)
REPEATED = st.builds(lambda part, many: part + many, PARTS, st.sampled_from(["", "?", "{2}", "*"]))
JOINED = st.lists(REPEATED, min_size=1, max_size=5).map("".join)
BRANCHED = st.lists(JOINED, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})")


@given(st.lists(BRANCHED, min_size=1, max_size=2).map("".join), st.text(" ,aAbfZzx", max_size=12))
def test_what_cannot_consist_of_letters_matches_no_text_of_them(pattern, text):
    program = regex.compile(pattern.replace(r"\b?", "").replace(r"\b*", ""), FLAGS)
    if not may_consist_of(program.pattern, LETTERS):
        assert program.search(text) is None
