"""Problems say where they are and show the place."""

from policies.pdp.problem import PROBLEMS_MAX, PolicyError, Problem, closest


def test_an_error_shows_line_column_source_and_caret():
    error = PolicyError([Problem(2, 3, "this is wrong", "do that")], "first\nab!d\nthird")
    assert str(error) == "2:3: this is wrong\n  ab!d\n    ^\n  hint: do that"
    assert (error.line, error.column) == (2, 3)
    assert (error.message, error.hint) == ("this is wrong", "do that")


def test_a_problem_without_a_place_shows_none():
    assert str(PolicyError([Problem(0, 0, "wrong", "do that")], "text")) == "wrong - do that"
    assert str(PolicyError([Problem(0, 0, "wrong")])) == "wrong"


def test_a_problem_without_the_text_shows_its_place_only():
    assert str(PolicyError([Problem(4, 2, "wrong")])) == "4:2: wrong"
    assert str(PolicyError([Problem(4, 2, "wrong")], "one line")) == "4:2: wrong"


def test_problems_are_sorted_by_place_and_said_once():
    late, early = Problem(3, 1, "late"), Problem(1, 9, "early")
    error = PolicyError([late, early, late])
    assert error.problems == (early, late)
    assert error.message == "early"


def test_the_number_of_problems_is_bounded():
    error = PolicyError(Problem(line, 1, "x") for line in range(1, 1000))
    assert len(error.problems) == PROBLEMS_MAX


def test_a_tab_before_the_place_stays_a_tab_so_that_the_caret_stands_below():
    assert str(PolicyError([Problem(1, 3, "x")], "\ta!")) == "1:3: x\n  \ta!\n  \t ^"


def test_a_long_line_is_shown_around_the_place():
    line = "a" * 5000 + "!" + "b" * 5000
    shown = str(PolicyError([Problem(1, 5001, "x")], line)).split("\n")
    assert len(shown[1]) == 102
    assert shown[1][shown[2].index("^")] == "!"


def test_every_kind_of_line_break_counts():
    error = PolicyError([Problem(4, 1, "x")], "a\r\nb\rc\nd")
    assert str(error).split("\n")[1] == "  d"


def test_the_closest_name_is_proposed():
    assert closest("call.byte", ["call.bytes", "risk"]) == 'did you mean "call.bytes"?'
    assert closest("zzz", ["call.bytes", "risk"]) == ""
    assert closest("call.bytes" * 10, ["call.bytes"]) == ""
