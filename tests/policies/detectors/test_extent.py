"""What a pattern can match is read from it: its length, its blanks, and what RE2 cannot do."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.detectors.extent import BLANKS, UNENDING, Extent, PatternFault, extent_of
from policies.detectors.patterns import UntranslatableError, compiled

BLANK = True


@pytest.mark.parametrize(
    ("pattern", "extent"),
    [
        ("", Extent(0, 0)),
        ("abc", Extent(3, 3)),
        (r"CN-\d{8}", Extent(11, 11)),
        ("a{2,}", Extent(2, UNENDING)),
        ("a{,}", Extent(4, 4)),
        ("a{02}", Extent(5, 5)),
        ("a{2,03}", Extent(7, 7)),
        (r"\01*a", Extent(1, UNENDING)),
        ("a{0}b", Extent(1, 1)),
        ("(?:ab|c)?d+?", Extent(1, UNENDING)),
        ("a|", Extent(0, 1)),
        ("(?P<name>a b){2}", Extent(6, 6, BLANK)),
        ("(?<name>ab)", Extent(2, 2)),
        ("a.b", Extent(3, 3, BLANK)),
        (r"\S+", Extent(1, UNENDING)),
        (r"\s?x", Extent(1, 2, BLANK)),
        (r"[^a]", Extent(1, 1, BLANK)),
        (r"[^\s]", Extent(1, 1)),
        (r"[]a\]]{3}", Extent(3, 3)),
        ("[[:space:]]", Extent(1, 1, BLANK)),
        ("[[:alpha:]-]*", Extent(0, UNENDING)),
        (r"\pL{1,3}\p{Greek}", Extent(2, 4)),
        (r"\PL", Extent(1, 1, BLANK)),
        (r"\x41\x{20}", Extent(2, 2, BLANK)),
        (r"\Qa.b \E", Extent(4, 4, BLANK)),
        (r"\Qa.b", Extent(3, 3)),
        (r"^\b$\B", Extent(0, 0)),
        ("(?:^)*", Extent(0, 0)),
        ("(?i)a(?is-U:b)", Extent(2, 2)),
        (r"\.\-\\", Extent(3, 3)),
        ("(?:.*){3}", Extent(0, UNENDING, BLANK)),
        (r"(?: ){0}", Extent(0, 0)),
    ],
)
def test_the_extent_of_a_pattern(pattern, extent):
    assert extent_of(pattern) == extent
    compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "position", "message"),
    [
        ("ab(?=c)", 2, "no look-around"),
        ("(?!c)", 0, "no look-around"),
        ("x(?<=c)", 1, "no look-around"),
        ("(a)(?<!c)", 3, "no look-around"),
        (r"(a)\1", 3, "no back-references"),
        (r"(?P<n>a)\k<n>", 8, "no back-references"),
        ("(?P<n>a)(?P=n)", 8, "no back-references"),
        ("(?>a)", 0, "no such group"),
        ("(?#a)", 0, "no such group"),
        (r"\Aa", 0, "where a text ends"),
        (r"a\z", 1, "where a text ends"),
        (r"\C", 0, "half a character"),
        ("a\\", 1, "half a character"),
        ("(?m)^a", 0, "always stand for a line"),
        ("(?x)a", 0, "no such flag"),
        ("a**", 2, "a repeat of a repeat"),
        ("a{2}{3}", 6, "a repeat of a repeat"),
        ("a++", 2, "a repeat of a repeat"),
        ("a(?i)*", 5, "after flags"),
        ("x[a b](?i)+y", 10, "after flags"),
        ("(?i)(?s){2,}", 8, "after flags"),
        (r"a\Q\E*", 5, r"after \E"),
        (r"a\Qbc\E{3}", 7, r"after \E"),
        ("ab{,3}", 2, "RE2 takes {,3} for a text"),
        ("*a", 0, "nothing stands before"),
        ("a|+", 2, "nothing stands before"),
        ("a)", 1, "closes nothing"),
        ("a(b", 1, "never closed"),
        ("a[b", 1, "never closed"),
        (r"a[b\]", 1, "never closed"),
        (r"\yb", 0, r"does not know \y"),
        (r"a[z-a]", 1, "does not know [z-a]"),
        (r"a\p{Nothing}", 1, "does not know"),
        (r"a\pL{100}", 1, "more than 10,000 instructions"),
        (r"(?:a\pL{5}b{2}){0,3}", 0, "more than 10,000 instructions"),
        ("(" * 40, 31, "more than 30 deep"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_position(pattern, position, message):
    with pytest.raises(PatternFault) as fault:
        extent_of(pattern)
    assert fault.value.position == position
    assert message in fault.value.message
    assert str(fault.value) == fault.value.message


ATOMS = ["a", "b", " ", ".", r"\s", r"\S", r"\d", "[^a]", "[ab]", r"\x{20}", "ü", r"\n", r"\b", "^"]
TIMES = ["", "", "?", "*", "+", "{2}", "{1,3}", "{0,2}?", "{2,}"]


def _patterns():
    atom = st.sampled_from(ATOMS)
    return st.recursive(
        st.tuples(atom, st.sampled_from(TIMES)).map("".join),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map("".join),
            st.lists(inner, min_size=1, max_size=3).map(lambda some: f"(?:{'|'.join(some)})"),
            st.tuples(inner, st.sampled_from(TIMES)).map(lambda it: f"({it[0]}){it[1]}"),
        ),
        max_leaves=6,
    )


@given(_patterns(), st.text("ab 1ü\n", max_size=12))
def test_no_match_is_beyond_the_extent(pattern, text):
    extent = extent_of(pattern)
    for match in compiled(pattern).finditer(text):
        assert extent.least <= len(match.group()) <= extent.most
        assert extent.blank or not any(sign in BLANKS for sign in match.group())


def _found(pattern, text):
    """Return what RE2 finds, nothing for what it refuses."""
    try:
        return [match.group() for match in compiled(pattern).finditer(text)]
    except UntranslatableError:
        return []


SIGNS = st.sampled_from(
    [*"ab (?=|<!P>)[]{}^$*+\\12bsdQEpLz,:-m", "(?i)", "\\Q", "\\E", "{2}", "{,2}", "{02}", "\\01"]
)


@given(st.lists(SIGNS, max_size=14).map("".join), st.text("ab \1{},02", max_size=12))
@example(pattern="a(?i)*", text="aaaa")
@example(pattern=r"a\Q\E*", text="aaaa")
@example(pattern="a(?i)+(?i)b", text="aab")
def test_any_text_is_read_or_refused(pattern, text):
    refused = None
    try:
        extent = extent_of(pattern)
    except PatternFault as fault:
        refused = fault
    if refused is None:
        assert 0 <= extent.least <= extent.most <= UNENDING
        for match in _found(pattern, text):
            assert extent.least <= len(match) <= extent.most
            assert extent.blank or not any(sign in BLANKS for sign in match)
    else:
        assert 0 <= refused.position <= len(pattern)
        assert refused.message
