"""Conditions to one Python function: the only dynamic code in the tree. Pure.

No text of a rule gets into the source. It is put together from the fixed pieces in this file, slot
and clause numbers, and names of constants; the constants themselves (strings, numbers, sets, tests
of patterns) lie in a table beside it. The function has no builtins but `len`.

    def match(s):        the slot vector
        f7 = s[7]        each fact that a condition reads, once
        m = 0            bit n is set where clause n matches
        r = 0            risk: the clauses that add to it come first
        if (f7 > K0):
            m += 1
            r += K1
        ...
        return m
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from policies.pdp.expression.pattern import pattern_test
from policies.pdp.expression.tree import (
    Constant,
    Element,
    Expression,
    FactUse,
    Operation,
    Operator,
    Quantifier,
    facts_read,
)
from policies.pdp.request import FINDING_FIELDS, RISK_MAX, SLOTS, FactValue

Match = Callable[[Sequence[FactValue]], int]
"""Takes a slot vector and returns which clauses match: bit n for clause n. It cannot raise."""

_RISK = SLOTS["risk"]

_FORM: Mapping[Operator, str] = {
    "!": "(not {0})",
    "==": "({0} == {1})",
    "!=": "({0} != {1})",
    "<": "({0} < {1})",
    "<=": "({0} <= {1})",
    ">": "({0} > {1})",
    ">=": "({0} >= {1})",
    "in": "({0} in {1})",
    "size": "len({0})",
    "startsWith": "{0}.startswith({1})",
    "endsWith": "{0}.endswith({1})",
    "contains": "({1} in {0})",
}
_JOIN: Mapping[Operator, str] = {"&&": " and ", "||": " or "}
_FIELD = {name: f"x.{name}" for name in FINDING_FIELDS} | {"": "x"}


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition, and the risk points that it adds where it matches."""

    condition: Expression
    points: int = 0


@dataclass(frozen=True, slots=True)
class Generated:
    """The source of `match` and the table of its constants."""

    source: str
    constants: Mapping[str, object]


def compile_clauses(clauses: Sequence[Clause], *, adds_risk: bool) -> Match:
    """Return the function that matches all clauses; see `generate`."""
    return build(generate(clauses, adds_risk=adds_risk))


def generate(clauses: Sequence[Clause], *, adds_risk: bool) -> Generated:
    """Return the code for these clauses.

    With `adds_risk` the fact `risk` is the capped sum of the points of the clauses that match, and
    what stands in its slot does not matter; without, it is read like every other fact.
    """
    generator = _Generator(adds_risk)
    body = generator.clauses(clauses)
    loads = [f" f{slot} = s[{slot}]" for slot in sorted(generator.used)]
    lines = [*generator.functions, "def match(s):", *loads, " m = 0", *body, " return m", ""]
    return Generated("\n".join(lines), generator.constants)


def build(generated: Generated) -> Match:
    """Return the function of generated code."""
    namespace: dict[str, object] = {"__builtins__": {"len": len}, **generated.constants}
    code = compile(generated.source, "<policy>", "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102 (the source holds no text of a rule; see the module's head)
    return cast("Match", namespace["match"])


class _Generator:
    def __init__(self, adds_risk: bool) -> None:
        self.constants: dict[str, object] = {}
        self.functions: list[str] = []
        self.used: set[int] = set()
        self._adds_risk = adds_risk
        self._names: dict[tuple[str, object], str] = {}

    def clauses(self, clauses: Sequence[Clause]) -> list[str]:
        """Return the statements of all clauses, those that add risk before the others."""
        first = [(bit, clause) for bit, clause in enumerate(clauses) if clause.points]
        then = [(bit, clause) for bit, clause in enumerate(clauses) if not clause.points]
        if not self._adds_risk:
            return self._statements([*first, *then])
        cap = self._constant("int", RISK_MAX)
        limit = [f" if f{_RISK} > {cap}:", f"  f{_RISK} = {cap}"]
        return [f" f{_RISK} = 0", *self._statements(first), *limit, *self._statements(then)]

    def _statements(self, clauses: Iterable[tuple[int, Clause]]) -> list[str]:
        lines: list[str] = []
        for bit, clause in clauses:
            lines += [f" if {self._code(clause.condition)}:", f"  m += {1 << bit}"]
            if clause.points and self._adds_risk:
                lines.append(f"  f{_RISK} += {self._constant('int', clause.points)}")
        return lines

    def _code(self, expression: Expression) -> str:
        if isinstance(expression, Constant):
            return self._constant(expression.type, expression.value)
        if isinstance(expression, FactUse):
            return self._fact(expression.name)
        if isinstance(expression, Element):
            return _FIELD[expression.field]
        if isinstance(expression, Operation):
            return self._operation(expression)
        return self._quantifier(expression)

    def _constant(self, type_name: str, value: object) -> str:
        """Return the constant's name. The type is part of the key: True, 1 and 1.0 are equal."""
        name = self._names.setdefault((type_name, value), f"K{len(self._names)}")
        self.constants[name] = frozenset(value) if isinstance(value, tuple) else value
        return name

    def _fact(self, name: str) -> str:
        slot = SLOTS[name]
        if slot != _RISK or not self._adds_risk:
            self.used.add(slot)
        return f"f{slot}"

    def _operation(self, operation: Operation) -> str:
        if operation.operator == "matches":
            return self._matches(operation)
        operands = [self._code(operand) for operand in operation.operands]
        if operation.operator in _JOIN:
            return f"({_JOIN[operation.operator].join(operands)})"
        return _FORM[operation.operator].format(*operands)

    def _matches(self, operation: Operation) -> str:
        subject, pattern = operation.operands
        text = cast("Constant", pattern).value
        name = self._constant("pattern", text)
        self.constants[name] = pattern_test(str(text))
        return f"{name}({self._code(subject)})"

    def _quantifier(self, quantifier: Quantifier) -> str:
        """Return a call of a function of its own that loops; an empty list needs no call."""
        items = self._fact(quantifier.over.name)
        names = sorted({use.name for use in facts_read(quantifier.body)})
        arguments = "".join(f", {self._fact(name)}" for name in names)
        wanted = quantifier.kind == "exists"
        body = self._code(quantifier.body)
        test = body if wanted else f"not {body}"
        function = f"q{len(self.functions)}"
        lines = [f"def {function}(l{arguments}):", " for x in l:", f"  if {test}:"]
        self.functions.append("\n".join([*lines, f"   return {wanted}", f" return {not wanted}"]))
        return f"({function}({items}{arguments}) if {items} else {not wanted})"
