"""What is asked of the facts, taken apart step by step into tests of single values. Pure.

Variables are facts by name, `call.tools#0` for an item of a list, `findings#1.score` for a field of
one, and `size(call.tools)` for the length of a list. `risk@1` is the risk on side 1, where the
risk rules of two policies are asked about at once.
"""

from typing import NamedTuple, cast

from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.tree import (
    Constant,
    Element,
    Expression,
    FactUse,
    Operation,
    Quantifier,
    ValueType,
)
from policies.pdp.solver.literal import FLIPPED, Literal, Test

_PIECES_LENGTH_MAX = 40


class Goal(NamedTuple):
    """An expression that shall hold, or not; `element` is the item that its loop variable is."""

    expression: Expression
    holds: bool = True
    side: int = 0
    element: str = ""


class Variable(NamedTuple):
    """A value that is looked for; `sized`: what counts of it is its length."""

    name: str
    type: ValueType
    sized: bool = False


class Relation(NamedTuple):
    """A test of one variable against another that shall hold, or not."""

    test: Test
    left: Variable
    right: Variable
    holds: bool


class Unary(NamedTuple):
    """A test of one variable against a constant."""

    variable: Variable
    literal: Literal


class Needs(NamedTuple):
    """An item of a list that shall exist: one for which `body` is right, or that equals `term`."""

    over: FactUse
    body: Goal | None
    term: Variable | Constant | None = None


class Every(NamedTuple):
    """What shall be right of every item of a list: `body`, or that it does not equal `term`."""

    over: FactUse
    body: Goal | None
    term: Variable | Constant | None = None


class Verdict(NamedTuple):
    """A goal without variables: it is met, or cannot be."""

    met: bool


Part = Goal | Relation | Unary | Needs | Every | Verdict
Alternatives = tuple[tuple[Part, ...], ...]
"""Ways in which a goal is met: all parts of one of them."""


def steps(goal: Goal, sides: int) -> Alternatives:
    """Return the ways to meet a goal, one step nearer to single tests."""
    expression = goal.expression
    if isinstance(expression, Constant):
        return ((Verdict(expression.value == goal.holds),),)
    if isinstance(expression, Quantifier):
        return ((_quantified(expression, goal),),)
    if isinstance(expression, Operation):
        return _operation(expression, goal, sides)
    literal = Literal("==", value=True, type="bool", holds=goal.holds)
    return ((Unary(_variable(expression, goal, sides), literal),),)


def _quantified(expression: Quantifier, goal: Goal) -> Part:
    body = Goal(expression.body, goal.holds, goal.side)
    if (expression.kind == "exists") == goal.holds:
        return Needs(expression.over, body)
    return Every(expression.over, body)


def _operation(operation: Operation, goal: Goal, sides: int) -> Alternatives:
    operator, operands = operation.operator, operation.operands
    if operator == "!":
        return ((goal._replace(expression=operands[0], holds=not goal.holds),),)
    if operator in ("&&", "||"):
        parts = tuple(goal._replace(expression=operand) for operand in operands)
        return (parts,) if (operator == "&&") == goal.holds else tuple((part,) for part in parts)
    if operands[0].type == "bool" and operator in ("==", "!="):
        return _same(operands, goal, same=(operator == "==") == goal.holds)
    if operator == "in" and isinstance(operands[1], FactUse):
        term = _term(operands[0], goal, sides)
        part = Needs if goal.holds else Every
        return ((part(operands[1], None, term),),)
    if all(isinstance(operand, Constant) for operand in operands):
        return ((Verdict(bool(evaluate(operation, ())) == goal.holds),),)
    return ((_tested(operation, goal, sides),),)


def _same(operands: tuple[Expression, ...], goal: Goal, *, same: bool) -> Alternatives:
    """Two conditions have the same value, or have not."""
    left, right = operands
    return tuple(
        (
            goal._replace(expression=left, holds=value),
            goal._replace(expression=right, holds=value == same),
        )
        for value in (True, False)
    )


def _tested(operation: Operation, goal: Goal, sides: int) -> Part:
    holds, operator = goal.holds, operation.operator
    if operator == "!=":
        holds, operator = not holds, "=="
    return related(
        cast("Test", operator),
        _term(operation.operands[0], goal, sides),
        _term(operation.operands[1], goal, sides),
        holds=holds,
    )


def related(
    test: Test, left: Variable | Constant, right: Variable | Constant, *, holds: bool
) -> Part:
    """Return a test of two terms: with a constant in it, it is one of a single variable."""
    if isinstance(left, Variable) and isinstance(right, Variable):
        return Relation(test, left, right, holds)
    if isinstance(left, Variable) and isinstance(right, Constant):
        return Unary(left, Literal(test, right.value, right.type, holds, left.sized))
    if isinstance(left, Constant) and isinstance(right, Variable) and test in FLIPPED:
        literal = Literal(FLIPPED[test], left.value, left.type, holds, right.sized)
        return Unary(right, literal)
    pieces = _pieces(test, left) if isinstance(right, Variable) and not right.sized else ()
    if pieces:
        return Unary(cast("Variable", right), Literal("in", pieces, "list<string>", holds))
    return Relation(test, _any(left), _any(right), holds)


def _pieces(test: Test, term: Variable | Constant) -> tuple[str, ...]:
    """Return all that a constant text begins with, ends in or holds; nothing of a long one."""
    text = term.value if isinstance(term, Constant) else None
    if not isinstance(text, str) or len(text) > _PIECES_LENGTH_MAX:
        return ()
    ends = range(len(text) + 1)
    match test:
        case "startsWith":
            found = [text[:end] for end in ends]
        case "endsWith":
            found = [text[start:] for start in ends]
        case _:
            found = [text[start:end] for start in ends for end in ends if start <= end]
    return tuple(dict.fromkeys(found))


def _any(term: Variable | Constant) -> Variable:
    """Return a variable for a constant that stands where only guessing helps."""
    return term if isinstance(term, Variable) else Variable("", term.type)


def _term(expression: Expression, goal: Goal, sides: int) -> Variable | Constant:
    return expression if isinstance(expression, Constant) else _variable(expression, goal, sides)


def _variable(expression: Expression, goal: Goal, sides: int) -> Variable:
    if isinstance(expression, FactUse):
        name = expression.name
        return Variable(f"risk@{goal.side}" if name == "risk" and sides else name, expression.type)
    if isinstance(expression, Element):
        return item(goal.element, expression.field, expression.type)
    operand = cast("Operation", expression).operands[0]
    inner = _variable(operand, goal, sides)
    if operand.type == "string":
        return inner._replace(sized=True)
    return length(inner.name)


def item(element: str, field: str, kind: ValueType) -> Variable:
    """Return the variable of an item of a list, or of a field of it."""
    return Variable(f"{element}.{field}" if field else element, kind)


def length(name: str) -> Variable:
    """Return the variable of a list's length."""
    return Variable(f"size({name})", "int")
