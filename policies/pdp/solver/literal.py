"""A test of one value against a constant, and what the value can be at all. Pure."""

from collections.abc import Mapping
from typing import Literal as Either
from typing import NamedTuple

from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.tree import Constant, ConstantValue, Operator, ValueType

Test = Either["==", "<", "<=", ">", ">=", "in", "startsWith", "endsWith", "contains", "matches"]

FLIPPED: Mapping[Operator, Test] = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""What a comparison is with its sides exchanged."""

OPPOSITE: Mapping[Test, Test] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
"""What a comparison by order is where it does not hold."""


class Literal(NamedTuple):
    """`test` of a value against a constant, and whether it holds; `sized`: of a text's length."""

    test: Test
    value: ConstantValue
    type: ValueType
    holds: bool = True
    sized: bool = False

    def words(self, name: str) -> str:
        """Return the literal as a condition on something of this name."""
        subject = f"size({name})" if self.sized else name
        constant = format_condition(Constant(self.value, self.type))
        if self.test in FLIPPED:
            sign = self.test if self.holds else {"==": "!=", **OPPOSITE}[self.test]
            return f"{subject} {sign} {constant}"
        if self.test == "in":
            text = f"{subject} in {constant}"
            return text if self.holds else f"!({text})"
        return f"{'' if self.holds else '!'}{subject}.{self.test}({constant})"


class Pick(NamedTuple):
    """A value that passes all tests; without one, `certain` says whether there is none."""

    value: ConstantValue | None
    certain: bool = True
