"""Conditions made of conditions. Pure."""

from collections.abc import Iterable

from policies.pdp.expression import operators
from policies.pdp.expression.tree import ALWAYS, Constant, Expression, FactUse, Operation, Operator
from policies.pdp.request import FACTS

NEVER: Expression = Constant(value=False, type="bool")


def all_of(conditions: Iterable[Expression]) -> Expression:
    """Return the condition that all hold; `true` of none."""
    parts = [each for each in conditions if each != ALWAYS]
    if NEVER in parts:
        return NEVER
    return operators.logical("&&", parts) if len(parts) > 1 else parts[0] if parts else ALWAYS


def any_of(conditions: Iterable[Expression]) -> Expression:
    """Return the condition that at least one holds; `false` of none."""
    parts = [each for each in conditions if each != NEVER]
    if ALWAYS in parts:
        return ALWAYS
    return operators.logical("||", parts) if len(parts) > 1 else parts[0] if parts else NEVER


def negated(condition: Expression) -> Expression:
    """Return the condition that another does not hold."""
    if isinstance(condition, Constant):
        return NEVER if condition.value else ALWAYS
    if isinstance(condition, Operation) and condition.operator == "!":
        return condition.operands[0]
    return operators.negation(condition, 0)


def fact(name: str) -> FactUse:
    """Return the value of a fact."""
    return FactUse(name, FACTS[name].type)


def text(value: str) -> Constant:
    """Return a text."""
    return Constant(value, "string")


def compared(name: str, operator: Operator, value: int | str) -> Expression:
    """Return a comparison of a fact with a constant."""
    constant = text(value) if isinstance(value, str) else Constant(value, "int")
    return operators.comparison(operator, fact(name), constant, 0)


def among(item: Expression, values: Iterable[str]) -> Expression:
    """Return the condition that a text is one of these."""
    listed = Constant(tuple(sorted(values)), "list<string>")
    return operators.membership(item, listed, 0) if listed.value else NEVER


def holds(name: str, value: str) -> Expression:
    """Return the condition that the list of a fact holds a text."""
    return operators.membership(text(value), fact(name), 0)
