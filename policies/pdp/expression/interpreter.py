"""The meaning of a condition, node by node: slow, plain, and the twin of the compiled form. Pure.

Both operands of && and || are evaluated: nothing can raise, so the order cannot be seen.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from policies.pdp.expression.pattern import pattern_test
from policies.pdp.expression.tree import (
    Constant,
    Element,
    Expression,
    FactUse,
    Operation,
    Operator,
    Quantifier,
)
from policies.pdp.request import SLOTS, FactValue

# The types were checked when the tree was made: Any stands for "of the type that it was found to
# have", which Python's types cannot say.
Value = Any

_MEANING: Mapping[Operator, Callable[..., Value]] = {
    "&&": lambda *values: all(values),
    "||": lambda *values: any(values),
    "!": lambda value: not value,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "in": lambda item, container: any(item == other for other in container),
    "size": len,
    "startsWith": lambda subject, start: subject.startswith(start),
    "endsWith": lambda subject, end: subject.endswith(end),
    "contains": lambda subject, part: part in subject,
    "matches": lambda subject, pattern: pattern_test(pattern)(subject),
}


def evaluate(expression: Expression, slots: Sequence[FactValue], element: Value = None) -> Value:
    """Return the value of `expression` for these facts; `element` is the loop variable's value."""
    if isinstance(expression, Constant):
        return expression.value
    if isinstance(expression, FactUse):
        return slots[SLOTS[expression.name]]
    if isinstance(expression, Element):
        return getattr(element, expression.field) if expression.field else element
    if isinstance(expression, Operation):
        operands = [evaluate(operand, slots, element) for operand in expression.operands]
        return _MEANING[expression.operator](*operands)
    answers = [evaluate(expression.body, slots, item) for item in _items(expression, slots)]
    return any(answers) if expression.kind == "exists" else all(answers)


def _items(quantifier: Quantifier, slots: Sequence[FactValue]) -> Value:
    return slots[SLOTS[quantifier.over.name]]
