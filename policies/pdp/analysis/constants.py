"""The constants that conditions test a fact against: where decisions turn. Pure."""

from collections.abc import Iterable, Mapping

from policies.pdp.expression.tree import (
    Constant,
    Element,
    Expression,
    FactUse,
    Operation,
    Quantifier,
    walk,
)

Scalars = dict[str, set[bool | int | float | str]]


def tested(conditions: Iterable[Expression]) -> Mapping[str, frozenset[bool | int | float | str]]:
    """Return for each fact the constants that it, its length or its items are tested against."""
    found: Scalars = {}
    for condition in conditions:
        _collect(condition, "", found)
    return {name: frozenset(values) for name, values in found.items()}


def _collect(expression: Expression, over: str, found: Scalars) -> None:
    """`over` is the list that the loop variable runs over."""
    if isinstance(expression, Quantifier):
        _collect(expression.body, expression.over.name, found)
        return
    if not isinstance(expression, Operation):
        return
    names = {_subject(each, over) for each in expression.operands} - {""}
    values = [value for each in expression.operands for value in _values(each)]
    for name in names:
        found.setdefault(name, set()).update(values)
    for operand in expression.operands:
        _collect(operand, over, found)


def _subject(expression: Expression, over: str) -> str:
    for node in walk(expression) if _is_plain(expression) else ():
        if isinstance(node, FactUse):
            return node.name
        if isinstance(node, Element):
            return over
    return ""


def _is_plain(expression: Expression) -> bool:
    """Say whether it is a fact, an item, or the length of one."""
    sized = isinstance(expression, Operation) and expression.operator == "size"
    return sized or isinstance(expression, FactUse | Element)


def _values(expression: Expression) -> tuple[bool | int | float | str, ...]:
    if not isinstance(expression, Constant):
        return ()
    return expression.value if isinstance(expression.value, tuple) else (expression.value,)
