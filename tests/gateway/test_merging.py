"""Two changes of one text: both are there afterwards, whatever they touch."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.merging import BETWEEN, OURS, THEIRS, merge, sides

NAMES = ("you", "version 2")
texts = st.lists(st.sampled_from("abcde"), max_size=8).map(lambda rows: "\n".join(rows) + "\n")


def lines(text):
    return set(text.splitlines())


def merged(base, ours, theirs):
    return merge(base, ours, theirs, NAMES)


def test_changes_of_other_lines_are_both_there():
    found = merged("a\nb\nc\nd\n", "a\nB\nc\nd\n", "a\nb\nc\nD\ne\n")
    assert (found.text, found.conflicts) == ("a\nB\nc\nD\ne\n", 0)


def test_changes_of_the_same_lines_stand_between_marks():
    found = merged("a\nb\nc\n", "a\nB\nc\n", "a\nBB\nc\n")
    marked = f"a\n{OURS} you\nB\n{BETWEEN}\nBB\n{THEIRS} version 2\nc\n"
    assert (found.text, found.conflicts) == (marked, 1)


def test_what_both_changed_alike_stands_once():
    assert merged("a\n", "b\n", "b\n").text == "b\n"
    assert merged("a\n", "", "").text == ""
    assert merged("a\n", "a", "b").text == "b"


@given(texts, texts)
def test_a_side_without_a_change_gives_way(base, other):
    assert merged(base, base, other) == merged(base, other, base)
    assert (merged(base, base, other).text, merged(base, other, base).conflicts) == (other, 0)


@given(texts, texts, texts)
def test_no_line_that_somebody_wrote_is_lost(base, ours, theirs):
    found = merged(base, ours, theirs)
    written = (lines(ours) | lines(theirs)) - lines(base)
    assert written <= lines(found.text)
    assert found.text.count(OURS) == found.text.count(THEIRS) == found.conflicts


@given(texts, texts, texts)
def test_the_sides_change_nothing_but_their_order(base, ours, theirs):
    one, other = merge(base, ours, theirs, NAMES), merge(base, theirs, ours, NAMES)
    assert one.conflicts == other.conflicts
    both = sides(base, ("you", ours), ("they", theirs))
    assert [side.name for side in (both.ours, both.theirs)] == ["you", "they"]
    assert [line.text for line in both.ours.lines if line.look != "removed"] == ours.splitlines()


def test_what_only_some_take_for_the_end_of_a_line_is_none():
    base = "a: 1\nb: 1\nk: 'x\u2028y'\n"
    ours, theirs = base.replace("a: 1", "a: 2"), base.replace("y'", "z'")
    assert merged(base, ours, theirs).text == "a: 2\nb: 1\nk: 'x\u2028z'\n"


def test_thousands_of_equal_lines_are_no_work_and_none_is_lost():
    base = "x\n" * 20_000
    found = merged(base, base + "y\n", "z\n" + base)
    assert {"x", "y", "z"} <= lines(found.text)
