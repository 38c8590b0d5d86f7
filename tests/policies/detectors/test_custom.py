"""Words and patterns of a tenant: found where a plain look at every place finds them, and no work
without a bound."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.detectors import custom
from policies.detectors.custom import Custom, CustomDetector, TooManyMatchesError
from policies.detectors.extent import PatternFault
from policies.detectors.finding import Leaf, Scan
from policies.detectors.patterns import UntranslatableError
from policies.detectors.scanner import CUSTOM, DetectorConfig, Scanner
from policies.detectors.validators import VALIDATORS

NEEDS = frozenset({CUSTOM})


def words(*values, **rest):
    return CustomDetector("PROJECT", words=values, **rest)


def patterns(*values, **rest):
    return CustomDetector("NUMBER", patterns=values, **rest)


def texts(detector, text):
    return [text[start:end] for _, _, start, end in Custom([detector]).find(text)]


@pytest.mark.parametrize(
    ("detector", "text", "found"),
    [
        (words("Bluebird"), "the BLUEBIRD, bluebird's nest", ["BLUEBIRD", "bluebird"]),
        (words("Bluebird"), "bluebirds xbluebird blue_bird _bluebird bluebird1", []),
        (words("Bluebird", case_sensitive=True), "bluebird Bluebird", ["Bluebird"]),
        (words("bird", whole_words=False), "Bluebirds", ["bird"]),
        (
            words("Red Kite"),
            "red\n  kite, RED\u00a0KITE, redkite",
            ["red\n  kite", "RED\u00a0KITE"],
        ),
        (words("Red Kite"), "red     kite", []),
        (words("red kite", "red"), "red kite, red kites", ["red kite", "red"]),
        (words("foo bar", "bar baz"), "xfoo bar baz", ["bar baz"]),
        (words("foo bar", "bar baz"), "foo bar baz", ["foo bar", "bar baz"]),
        (words("Straße"), "STRASSE strasse straße", ["STRASSE", "strasse", "straße"]),
        (words("strasse"), "straße", ["straße"]),
        (words("C++", "C"), "C, c++ and C#", ["C", "c++", "C"]),
        (words(".net"), "asp.net is .NET", [".net", ".NET"]),
        (words("café"), "café Café", ["café", "Café"]),
        (words("cafe"), "cafe\u0301", []),
        (words("字"), "漢字", []),
        (words("字", whole_words=False), "漢字", ["字"]),
        (words("ΟΔΟΣ"), "οδος", ["οδος"]),
        (patterns(r"CN-\d{4}"), "CN-1234CN-5678 CN-99999", ["CN-1234", "CN-5678", "CN-9999"]),
        (patterns(r"\bCN-\d{4}\b"), "CN-1234CN-5678 CN-9999", ["CN-9999"]),
        (patterns(r"^id: \d+$", max_length=20), "id: 1\nid: 2 x\nid: 3", ["id: 1", "id: 3"]),
        (patterns(r"(?i)key=(\w{3})"), "KEY=abc", ["KEY=abc"]),
        (patterns(r"a[\s\S]*b", max_length=5), "a--b a---b a----b", ["a--b", "a---b"]),
        (patterns(r"a[\s\S]*b|a", max_length=5), "a----b", ["a"]),
        (patterns(r"\d{16}", validator="luhn"), "114242424242424242", ["4242424242424242"]),
        (patterns(r"\d{16}", validator="luhn"), "1111111111111111", []),
        (patterns("ab", "bc"), "abc", ["ab", "bc"]),
        (patterns("ab", "abc"), "abc", ["abc"]),
        (patterns("[ab]{2}"), "abab", ["ab", "ba", "ab"]),
        (patterns("ü.{2}"), "üüxy", ["üüx", "üxy"]),
        (words("bird"), "\ud800 bird \ud800", ["bird"]),
        (words(), "bird", []),
    ],
)
def test_what_is_found(detector, text, found):
    assert texts(detector, text) == found


def test_several_detectors_have_kinds_and_scores_of_their_own():
    many = Custom([words("bird", score=0.5), patterns("bird"), words("ird", whole_words=False)])
    assert many.kinds == {"PROJECT", "NUMBER"}
    assert many.find("a bird") == [("NUMBER", 1.0, 2, 6), ("PROJECT", 0.5, 2, 6)]
    assert many.find("a girl") == []


@pytest.mark.parametrize(
    ("detector", "reach"),
    [
        (words("bird", "red kite"), 11),
        (words("bird"), 0),
        (patterns(r"\d{4} \d{4}"), 9),
        (patterns(r"\S+"), 0),
        (patterns("a.*b", max_length=40), 40),
        (patterns("a.*b", max_length=custom.LENGTH_MAX), custom.LENGTH_MAX),
        (patterns("a.b", max_length=40), 3),
    ],
)
def test_how_far_what_holds_blanks_can_reach(detector, reach):
    assert Custom([detector]).reach == reach


def test_a_pattern_that_cannot_be_used_is_no_detector():
    with pytest.raises(PatternFault):
        Custom([patterns("(?=a)")])
    with pytest.raises(UntranslatableError):
        Custom([patterns("a{2000}")])


# What follows looks at every place by itself, with Python's own means.


def naive_words(detector, text):
    found = []
    for start in range(len(text)):
        ends = [
            end
            for end in range(start + 1, min(len(text), start + 30) + 1)
            if is_word(detector, text, start, end)
        ]
        if ends:
            found.append((start, max(ends)))
    return outermost(found)


def is_word(detector, text, start, end):
    value = text[start:end]
    if value != value.strip() or re.search(r"\s{5,}", value):
        return False
    borders = (start, end) if detector.whole_words else ()
    if any(0 < at < len(text) and of_word(text[at - 1]) and of_word(text[at]) for at in borders):
        return False
    fold = (lambda it: it) if detector.case_sensitive else str.casefold
    return fold(" ".join(value.split())) in {
        fold(" ".join(word.split())) for word in detector.words
    }


def of_word(sign):
    return sign == "_" or unicodedata.category(sign)[0] in "LMN"


def naive_pattern(detector, text):
    program = re.compile(detector.patterns[0], re.MULTILINE | re.ASCII)
    longest = detector.max_length or len(text)
    check = VALIDATORS.get(detector.validator, bool)
    places = (program.match(text, start, start + longest) for start in range(len(text)))
    return outermost([it.span() for it in places if it and it.group() and check(it.group())])


def outermost(found):
    return [
        one
        for one in found
        if not any(o != one and o[0] <= one[0] and one[1] <= o[1] for o in found)
    ]


ALPHABET = "abABß sS\u017fé_+\n\u0301\u00a0"
SOME = ["ab", "a b", "a", "ss", "aß", "b+", "+a", "bé", "_a", "s b a", "AB"]


@given(
    st.lists(st.sampled_from(SOME), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.text(ALPHABET, max_size=40),
)
@example(some=["a", "a b"], case_sensitive=False, whole_words=True, text="a b\u0301")
def test_words_are_those_of_a_plain_look_at_every_place(some, case_sensitive, whole_words, text):
    detector = words(*some, case_sensitive=case_sensitive, whole_words=whole_words)
    found = [span[2:] for span in Custom([detector]).find(text)]
    assert found == naive_words(detector, text)


def test_many_words_are_found_as_few_are():
    others = [f"x{number}" for number in range(250)]
    many = words("red", "red kite", "red kite\u00df", *others, *(f"red {one}" for one in others))
    assert len(Custom([many])._searches) > 3
    text = "red, red kite, red  KITESS, x7 red x9"
    found = ["red", "red kite", "red  KITESS", "x7", "red x9"]
    assert texts(many, text) == found
    assert Custom([many]).may_find("a red\nkite")
    assert texts(many, "\u00e9 red\u00a0kite") == ["red\u00a0kite"]


BOUNDED = [
    r"\bab\b",
    "^a+b",
    "b$",
    "[ab]{1,3}",
    r"a\w{2,}",
    "ab?|b+1",
    r"\d{2,4}",
    "a.{0,3}b",
    "é.",
]
LIMITED = ["a[^b]*b", r"\w+ \w+", "[^a]+", "a.*1|a", r"(?:ab)+1?", r"\d+", "é[^1]*1"]


@given(
    st.sampled_from([*((one, 0) for one in BOUNDED), *((one, 6) for one in LIMITED)]),
    st.sampled_from(["", "luhn"]),
    st.text("ab1 2é\n", max_size=40),
)
def test_patterns_are_those_of_a_plain_look_at_every_place(asked, validator, text):
    pattern, longest = asked
    detector = patterns(pattern, max_length=longest, validator=validator)
    found = [span[2:] for span in Custom([detector]).find(text)]
    assert found == naive_pattern(detector, text)


@given(st.sampled_from(BOUNDED), st.text("ab1 é\n", max_size=20), st.integers(0, 9000))
def test_long_texts_are_searched_part_by_part_and_give_the_same(pattern, text, before):
    detector = patterns(pattern, max_length=100)
    filled = "-" * before + "\n" + text
    found = [(start - before - 1, end - before - 1) for _, _, start, end in find(detector, filled)]
    assert found == [span[2:] for span in find(detector, text)]


def find(detector, text):
    return Custom([detector]).find(text)


@given(st.lists(st.text("ab 1-\n", max_size=15), min_size=2, max_size=4))
def test_a_gate_passes_lines_that_a_text_of_its_own_would_pass(lines):
    many = Custom([words("ab", "a b"), *(patterns(one, max_length=9) for one in BOUNDED)])
    if any(many.find(line) for line in lines):
        assert many.may_find("\n".join(lines))


# Work.

WORST = [
    ("a[ab]{100}c|a", "ab" * 40_000),
    ("a[ab]*c", "ab" * 40_000),
    (r"(?:[a-z]{1,20}\s?){1,20}1", "word " * 16_000),
    (r"\w+@corp", "w" * 80_000),
    ("(a?){100}b", "a" * 80_000),
    ("[^b]*b", "a" * 80_000),
]


class Counted:
    """Counts how many characters RE2 is asked to look through."""

    def __init__(self, program):
        self.program, self.characters = program, 0

    def search(self, text, at, end):
        self.characters += end - at
        return self.program.search(text, at, end)

    def match(self, text, at, end):
        self.characters += end - at
        return self.program.match(text, at, end)


@pytest.mark.parametrize(("pattern", "text"), WORST)
def test_worst_inputs_take_a_bounded_number_of_steps(pattern, text):
    longest = 200
    many = Custom([patterns(pattern, max_length=longest)])
    (search,) = many._searches
    counted = Counted(search.program)
    many._searches = [search._replace(program=counted)]
    many.find(text)
    at_each = custom._STEP + custom._UTF8_MOST * (longest + 1)
    assert counted.characters <= custom.ATTEMPTS_MAX * at_each
    assert counted.characters <= len(text) * at_each


def test_a_text_of_nothing_but_matches_is_not_read_to_its_end():
    many = Custom([patterns("a")])
    assert len(many.find("a" * (custom.ATTEMPTS_MAX - 1))) == custom.ATTEMPTS_MAX - 1
    with pytest.raises(TooManyMatchesError):
        many.find("a" * (custom.ATTEMPTS_MAX + 1))


def test_two_hundred_patterns_share_one_set():
    many = Custom([patterns(rf"\bX{number}-\d{{4,8}}") for number in range(200)])
    assert len(many._gate._ascii) == 1
    assert [span[2:] for span in many.find("see X17-1234.")] == [(4, 12)]


def test_case_23_patterns_that_do_not_fit_into_one_set_are_split():
    many = Custom([patterns(rf"[a-z]{{1,999}}X{number}-\d{{4}}") for number in range(150)])
    assert len(many._gate._ascii) > 1
    assert many.find("abX3-1234")[0][2:] == (0, 9)
    assert many.find("abX149-1234")[0][2:] == (0, 11)


# As one of the detectors.


def scanner(*detectors):
    return Scanner(DetectorConfig(custom=detectors))


def test_the_scanner_looks_for_them_in_every_view():
    some = scanner(words("bluebird", score=0.7))
    leaves = [Leaf("Bluebird", "user", ""), Leaf("b\u200blue\u2060bird \uff22luebird", "user", "")]
    scan = some.scan(leaves, NEEDS)
    assert [finding[:7] for finding in scan.findings] == [
        ("PROJECT", "custom", 0.7, 0, 0, 8, "raw"),
        ("PROJECT", "custom", 0.7, 1, 0, 10, "plain"),
        ("PROJECT", "custom", 0.7, 1, 11, 19, "plain"),
    ]
    assert not scan.failed


def test_the_version_is_another_where_anything_of_them_is():
    ways = [(), (words("a"),), (words("b"),), (words("a", score=0.5),), (patterns("a"),)]
    assert len({scanner(*way).version for way in ways}) == len(ways)


def test_without_any_nothing_is_found():
    scan = scanner().scan([Leaf("bluebird", "user", "")], NEEDS)
    assert scan == Scan((), frozenset())


def test_too_many_matches_are_a_failure_and_not_nothing():
    text = "a" * (custom.ATTEMPTS_MAX + 1)
    scan = scanner(patterns("a")).scan([Leaf(text, "user", "")], NEEDS)
    assert scan == Scan((), NEEDS)
