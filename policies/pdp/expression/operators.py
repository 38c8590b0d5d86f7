"""What each operator takes: the type rules, as checked constructors of operations. Pure."""

from collections.abc import Sequence
from typing import cast

from policies.pdp.expression.pattern import PatternError, pattern_test
from policies.pdp.expression.tokens import ExpressionError
from policies.pdp.expression.tree import Constant, Expression, Operation, Operator, ValueType

EQUALITIES = frozenset({"==", "!="})
COMPARISONS = EQUALITIES | {"<", "<=", ">", ">="}
STRING_TESTS = frozenset({"startsWith", "endsWith", "contains", "matches"})

_ORDERED = frozenset({"int", "double", "string"})
_SCALARS = _ORDERED | {"bool"}


def require_bool(expression: Expression, what: str) -> None:
    """Raise ExpressionError unless the expression is true or false; `what` names its role."""
    if expression.type == "bool":
        return
    hints = {"int": "compare it, as in ... > 0", "double": "compare it, as in ... >= 0.5"}
    hint = hints.get(expression.type, "")
    if expression.type.startswith("list"):
        hint = "use size(...) > 0, in or exists(...)"
    message = f"{what} must be true or false, this is a value of type {expression.type}"
    raise ExpressionError(expression.at, message, hint)


def logical(operator: Operator, operands: Sequence[Expression]) -> Operation:
    """Return && or || over two or more operands; the same operator inside is spliced in."""
    flat: list[Expression] = []
    for operand in operands:
        require_bool(operand, f"an operand of {operator}")
        same = isinstance(operand, Operation) and operand.operator == operator
        flat += cast("Operation", operand).operands if same else (operand,)
    return Operation(operator, tuple(flat), "bool", operands[0].at)


def negation(operand: Expression, at: int) -> Operation:
    """Return !operand."""
    require_bool(operand, "the operand of !")
    return Operation("!", (operand,), "bool", at)


def comparison(operator: Operator, left: Expression, right: Expression, at: int) -> Operation:
    """Return a comparison of two values of one scalar type; `at` is the operator's place."""
    if left.type != right.type:
        raise ExpressionError(at, *_mismatch(left, right))
    if left.type not in _SCALARS:
        hint = "use in, size(...), exists(...) or all(...)"
        raise ExpressionError(at, f"values of type {left.type} cannot be compared", hint)
    if operator not in EQUALITIES and left.type not in _ORDERED:
        raise ExpressionError(at, f"{operator} is not defined for {left.type}", "use == or !=")
    return Operation(operator, (left, right), "bool", left.at)


def _mismatch(left: Expression, right: Expression) -> tuple[str, str]:
    message = f"cannot compare {left.type} with {right.type}"
    for side in (left, right):
        if isinstance(side, Constant) and {left.type, right.type} == {"int", "double"}:
            wanted = f"{side.value}.0" if side.type == "int" else "a whole number"
            return message, f"write {wanted}"
    return message, ""


def membership(item: Expression, container: Expression, at: int) -> Operation:
    """Return `item in container`; `at` is the operator's place."""
    if container.type != f"list<{item.type}>":
        message = f"in needs a list<{item.type}> on its right, this is {container.type}"
        hint = "write .contains(...) to look into a string" if container.type == "string" else ""
        raise ExpressionError(container.at, message, hint)
    return Operation("in", (item, container), "bool", item.at)


def constants(items: Sequence[Expression], at: int) -> Constant:
    """Return a list of constants of one type."""
    values: list[bool | int | float | str] = []
    for item in items:
        if not isinstance(item, Constant) or isinstance(item.value, tuple):
            raise ExpressionError(item.at, "a list may hold constants only")
        if item.type != items[0].type:
            message = f"a list holds values of one type: {item.type} after {items[0].type}"
            raise ExpressionError(item.at, message)
        values.append(item.value)
    if not items:
        raise ExpressionError(at, "the list is empty: nothing can be in it")
    return Constant(tuple(values), cast("ValueType", f"list<{items[0].type}>"), at)


def size(operands: Sequence[Expression], at: int) -> Operation:
    """Return the number of characters of a string, or of items of a fact's list."""
    if len(operands) != 1:
        raise ExpressionError(at, "size(...) takes one value")
    operand = operands[0]
    fits = operand.type == "string" or operand.type.startswith("list")
    if not fits or isinstance(operand, Constant):
        message = f"size(...) takes a string or list of a fact, this is {operand.type}"
        raise ExpressionError(operand.at, message)
    return Operation("size", (operand,), "int", at)


def string_test(
    method: Operator, subject: Expression, arguments: Sequence[Expression], at: int
) -> Operation:
    """Return subject.method(argument) for two strings; a pattern must be a constant."""
    if len(arguments) != 1 or arguments[0].type != "string":
        raise ExpressionError(at, f"{method}(...) takes one string")
    argument = arguments[0]
    if method == "matches":
        _check_pattern(argument)
    return Operation(method, (subject, argument), "bool", subject.at)


def _check_pattern(argument: Expression) -> None:
    if not isinstance(argument, Constant):
        raise ExpressionError(argument.at, "matches(...) takes a constant pattern")
    try:
        pattern_test(str(argument.value))
    except PatternError as error:
        hint = "RE2 has no look-around and no back-references"
        raise ExpressionError(argument.at, str(error), hint) from None
