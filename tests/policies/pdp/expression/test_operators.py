"""The type rules: what each operator takes. The refusals are shown with the parser."""

from policies.pdp.expression import operators
from policies.pdp.expression.tree import ALWAYS, Constant, FactUse, Operation

_ASKED = FactUse("model.asked", "string", 7)
_TOOLS = FactUse("call.tools", "list<string>")


def test_operations_have_their_type_and_the_place_of_their_left_end():
    assert operators.comparison("==", _ASKED, Constant("a", "string", 20), 15).at == 7
    assert operators.membership(_ASKED, _TOOLS, 15).at == 7
    assert operators.string_test("contains", _ASKED, [Constant("a", "string")], 30).at == 7
    assert operators.size([_TOOLS], 3) == Operation("size", (_TOOLS,), "int")
    assert operators.negation(ALWAYS, 4).at == 4


def test_a_conjunction_takes_in_conjunctions_and_leaves_disjunctions():
    inner = operators.logical("&&", [ALWAYS, ALWAYS])
    other = operators.logical("||", [ALWAYS, ALWAYS])
    assert operators.logical("&&", [inner, other]).operands == (ALWAYS, ALWAYS, other)


def test_constants_become_one_list_of_their_type():
    items = [Constant("a", "string"), Constant("b", "string")]
    assert operators.constants(items, 2) == Constant(("a", "b"), "list<string>")
