"""The canonical text of a condition: one spelling for one tree. Pure."""

import re

from policies.pdp.expression.operators import COMPARISONS, STRING_TESTS
from policies.pdp.expression.tree import (
    Constant,
    ConstantValue,
    Element,
    Expression,
    FactUse,
    Operation,
)

# How tightly a node holds together; a looser one inside a tighter one needs parentheses.
_OR, _AND, _RELATION, _UNARY, _PRIMARY = range(5)

_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def format_condition(expression: Expression) -> str:
    """Return the text that parses to an equal tree, the same for equal trees."""
    if isinstance(expression, Constant):
        return _constant(expression.value)
    if isinstance(expression, FactUse):
        return expression.name
    if isinstance(expression, Element):
        return ".".join(filter(None, (expression.variable, expression.field)))
    if isinstance(expression, Operation):
        return _operation(expression)
    body = format_condition(expression.body)
    return f"{expression.over.name}.{expression.kind}({expression.variable}, {body})"


def _operation(operation: Operation) -> str:
    operator, operands = operation.operator, operation.operands
    if operator == "size":
        return f"size({format_condition(operands[0])})"
    if operator in STRING_TESTS:
        subject, argument = (format_condition(operand) for operand in operands)
        return f"{subject}.{operator}({argument})"
    if operator == "!":
        return f"!{_inside(operands[0], _UNARY)}"
    # Operands of a relation are one step tighter than it: relations do not chain.
    tight = _strength(operation) + 1
    return f" {operator} ".join(_inside(operand, tight) for operand in operands)


def _inside(expression: Expression, tight: int) -> str:
    text = format_condition(expression)
    return text if _strength(expression) >= tight else f"({text})"


def _strength(expression: Expression) -> int:
    if not isinstance(expression, Operation):
        return _PRIMARY
    if expression.operator in COMPARISONS:
        return _RELATION
    return {"||": _OR, "&&": _AND, "in": _RELATION, "!": _UNARY}.get(expression.operator, _PRIMARY)


def _constant(value: ConstantValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{_ESCAPED.sub(_escape, value)}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_constant, value))}]"
    return repr(value)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT.get(char) or f"\\u{ord(char):04x}"
