"""The type rules: what each operator takes."""

import pytest

from policies.pdp.expression import operators
from policies.pdp.expression.tokens import ExpressionError
from policies.pdp.expression.tree import ALWAYS, Constant, FactUse, Operation

_ASKED = FactUse("model.asked", "string", 7)
_TOOLS = FactUse("call.tools", "list<string>", 8)
_RISK = FactUse("risk", "int", 9)
_SCORE = FactUse("pii.max_score", "double", 10)
_STREAM = FactUse("call.stream", "bool", 11)
_WORD = Constant("a", "string", 12)
_ONE = Constant(1, "int", 13)


def test_operations_have_their_type_and_the_place_of_their_left_end():
    assert operators.comparison("==", _ASKED, _WORD, 15).at == 7
    assert operators.membership(_ASKED, _TOOLS, 15).at == 7
    assert operators.string_test("contains", _ASKED, [_WORD], 30).at == 7
    assert operators.string_test("matches", _ASKED, [_WORD], 30).type == "bool"
    assert operators.size([_TOOLS], 3) == Operation("size", (_TOOLS,), "int")
    assert operators.size([_ASKED], 3).type == "int"
    assert operators.negation(ALWAYS, 4).at == 4


def test_a_conjunction_takes_in_conjunctions_and_leaves_disjunctions():
    inner = operators.logical("&&", [ALWAYS, ALWAYS])
    other = operators.logical("||", [ALWAYS, ALWAYS])
    assert operators.logical("&&", [inner, other]).operands == (ALWAYS, ALWAYS, other)


def test_constants_become_one_list_of_their_type():
    items = [_WORD, Constant("b", "string")]
    assert operators.constants(items, 2) == Constant(("a", "b"), "list<string>")


@pytest.mark.parametrize(
    ("build", "at", "words", "hint"),
    [
        (lambda: operators.require_bool(_RISK, "it"), 9, "it must be true or false", "> 0"),
        (lambda: operators.require_bool(_SCORE, "it"), 10, "of type double", ">= 0.5"),
        (lambda: operators.require_bool(_ASKED, "it"), 7, "of type string", ""),
        (lambda: operators.require_bool(_TOOLS, "it"), 8, "of type list<string>", "size(...)"),
        (lambda: operators.logical("&&", [ALWAYS, _RISK]), 9, "an operand of &&", ""),
        (lambda: operators.negation(_RISK, 1), 9, "the operand of !", ""),
        (lambda: operators.comparison("==", _RISK, _WORD, 2), 2, "int with string", ""),
        (lambda: operators.comparison("<", _SCORE, _ONE, 2), 2, "double with int", "write 1.0"),
        (lambda: operators.comparison("<", _RISK, Constant(1.5, "double"), 2), 2, "int with double",
         "whole number"),
        (lambda: operators.comparison("<", _RISK, _SCORE, 2), 2, "int with double", ""),
        (lambda: operators.comparison("==", _TOOLS, _TOOLS, 2), 2, "cannot be compared", "use in"),
        (lambda: operators.comparison("<", _STREAM, ALWAYS, 2), 2, "not defined for bool", "=="),
        (lambda: operators.membership(_RISK, _TOOLS, 2), 8, "needs a list<int>", ""),
        (lambda: operators.membership(_WORD, _ASKED, 2), 7, "this is string", ".contains"),
        (lambda: operators.constants([], 2), 2, "the list is empty", ""),
        (lambda: operators.constants([_ONE, _RISK], 2), 9, "constants only", ""),
        (lambda: operators.constants([_ONE, _WORD], 2), 12, "string after int", ""),
        (lambda: operators.constants([Constant((1,), "list<int>", 5)], 2), 5, "constants only", ""),
        (lambda: operators.size([], 2), 2, "takes one value", ""),
        (lambda: operators.size([_TOOLS, _TOOLS], 2), 2, "takes one value", ""),
        (lambda: operators.size([_RISK], 2), 9, "this is int", ""),
        (lambda: operators.size([_WORD], 2), 12, "of a fact", ""),
        (lambda: operators.string_test("contains", _ASKED, [], 2), 2, "takes one string", ""),
        (lambda: operators.string_test("contains", _ASKED, [_ONE], 2), 2, "takes one string", ""),
        (lambda: operators.string_test("matches", _ASKED, [_ASKED], 2), 7, "constant pattern", ""),
        (lambda: operators.string_test("matches", _ASKED, [Constant("(", "string", 6)], 2), 6,
         "RE2 refuses the pattern", "no look-around"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_at_its_place(build, at, words, hint):
    with pytest.raises(ExpressionError) as caught:
        build()
    assert caught.value.offset == at
    assert words in caught.value.message
    assert hint in caught.value.hint
