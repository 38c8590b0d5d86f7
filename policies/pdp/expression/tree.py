"""The typed tree of a condition: five shapes of node, one table of operators. Pure.

`at` is the offset in the text the node was read from; it takes no part in equality, so that a tree
read back from its canonical text equals the first one.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from policies.pdp.request import FactType

ConstantValue = bool | int | float | str | tuple[bool, ...] | tuple[int | float | str, ...]
ValueType = FactType | Literal["finding", "list<bool>", "list<int>", "list<double>"]
Operator = Literal[
    "&&", "||", "!", "==", "!=", "<", "<=", ">", ">=", "in",
    "size", "startsWith", "endsWith", "contains", "matches",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal, or a list of literals of one type."""

    value: ConstantValue
    type: ValueType
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FactUse:
    """The value of one fact."""

    name: str
    type: ValueType
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Element:
    """The loop variable of the quantifier around it, or one field of it."""

    variable: str
    field: str
    type: ValueType
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator applied to operands whose types fit it. && and || take two or more."""

    operator: Operator
    operands: tuple["Expression", ...]
    type: ValueType
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Quantifier:
    """exists(variable, body) or all(variable, body) over the list that a fact holds."""

    kind: Literal["exists", "all"]
    over: FactUse
    variable: str
    body: "Expression"
    at: int = dataclasses.field(default=0, compare=False)

    @property
    def type(self) -> ValueType:
        """A quantifier is true or false."""
        return "bool"


Expression = Constant | FactUse | Element | Operation | Quantifier


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield the expression and all that it is made of, in the order of the text."""
    yield expression
    if isinstance(expression, Operation):
        for operand in expression.operands:
            yield from walk(operand)
    elif isinstance(expression, Quantifier):
        yield from walk(expression.over)
        yield from walk(expression.body)


def facts_read(expression: Expression) -> tuple[FactUse, ...]:
    """Return every use of a fact, in the order of the text."""
    return tuple(node for node in walk(expression) if isinstance(node, FactUse))


def texts(expression: Expression) -> tuple[str, ...]:
    """Return every text that stands in it, those in lists too, in the order of the text."""
    found: list[str] = []
    for node in walk(expression):
        if isinstance(node, Constant):
            values = node.value if isinstance(node.value, tuple) else (node.value,)
            found += [value for value in values if isinstance(value, str)]
    return tuple(found)


ALWAYS: Expression = Constant(value=True, type="bool")
"""The condition `true`."""
