"""What is wrong with a declarative file, where, and what was expected. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from policies.pdp.nodes import Place
from policies.pdp.problem import Problem


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem in one file: the declaration or a policy that it names."""

    file: str
    problem: Problem

    def __str__(self) -> str:
        place = f"{self.problem.line}:{self.problem.column}: " if self.problem.line else ""
        hint = f" ({self.problem.hint})" if self.problem.hint else ""
        return f"{self.file}:{place or ' '}{self.problem.message}{hint}"


class DeclarationError(Exception):
    """A file cannot be applied; nothing was changed. `faults` is never empty."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def fault(file: str, at: Place, message: str, hint: str = "") -> Fault:
    """Return the fault that says `message` of this place."""
    return Fault(file, Problem(at[0], at[1], message, hint))
