"""What is asked so far of each single value, and whether that can be. Pure."""

from dataclasses import dataclass, field, replace
from functools import lru_cache

from policies.pdp.expression.tree import FactUse, ValueType
from policies.pdp.request import FACTS, FINDING_FIELDS
from policies.pdp.solver import strings
from policies.pdp.solver.domain import ANY, FIELD_RANGES, INT_MAX, RANGES, Range
from policies.pdp.solver.goal import Every, Relation, Variable, length
from policies.pdp.solver.literal import Literal, Pick
from policies.pdp.solver.numbers import pick as pick_number
from policies.pdp.solver.numbers import span

Literals = tuple[Literal, ...]

_USUAL: dict[str, float | str] = {"score": 1.0, "count": 1, "place": "user"}
_LENGTHS: Range = (0, INT_MAX)


@dataclass(slots=True)
class Risk:
    """How far the sum of one side is settled: rules that are left, the points so far, and the
    bounds that these put on it."""

    left: int
    points: int = 0
    bounds: Literals = ()


@dataclass(slots=True)
class State:
    """Tests by variable, tests between variables, items by list, and what every item must pass."""

    unary: dict[str, Literals] = field(default_factory=dict)
    types: dict[str, ValueType] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    items: dict[str, tuple[str, ...]] = field(default_factory=dict)
    every: dict[str, tuple[Every, ...]] = field(default_factory=dict)
    lists: dict[str, FactUse] = field(default_factory=dict)
    risks: dict[int, Risk] = field(default_factory=dict)

    def copy(self) -> "State":
        """Return a state that may change alone: what it holds is never changed in place."""
        return State(
            dict(self.unary),
            dict(self.types),
            self.relations,
            dict(self.items),
            dict(self.every),
            dict(self.lists),
            {side: replace(risk) for side, risk in self.risks.items()},
        )

    def know(self, variable: Variable) -> None:
        """Note that a value is looked for."""
        if variable.name:
            self.types.setdefault(variable.name, variable.type)

    def add(self, variable: Variable, literal: Literal) -> bool:
        """Note a test of a value; False where no value passes all of them."""
        self.know(variable)
        earlier = self.unary.get(variable.name, ())
        if literal in earlier:
            return True
        self.unary[variable.name] = (*earlier, literal)
        return self.possible(variable.name)

    def possible(self, name: str) -> bool:
        """Say whether a value is not excluded."""
        found = choose(self.types[name], range_of(name), self.unary.get(name, ()), None)
        return found.value is not None or not found.certain

    def length_at_least(self, name: str, least: int) -> bool:
        """Note how many items a list has; False where it may not have so many."""
        return self.add(length(name), Literal(">=", least, "int"))


def range_of(name: str) -> Range:
    """Return the range of a variable."""
    if name.startswith("size("):
        return _LENGTHS
    base, _, rest = name.partition("#")
    if rest:
        return FIELD_RANGES.get(rest.partition(".")[2], ANY)
    return RANGES.get(base.partition("@")[0], ANY)


def usual(name: str, kind: ValueType) -> bool | float | str:
    """Return the value that a variable has where nothing speaks against it."""
    if name in FACTS:
        default = FACTS[name].default
        return default if isinstance(default, bool | int | float | str) else 0
    field_name = name.partition("#")[2].partition(".")[2]
    if field_name in FINDING_FIELDS:
        return _USUAL.get(field_name, "other")
    if kind == "string":
        return "other"
    return False if kind == "bool" else 0


@lru_cache(maxsize=65536)
def choose(
    kind: ValueType, bounds: Range, literals: Literals, wanted: bool | float | str | None
) -> Pick:
    """Return a value of this type that passes all tests, if possible the wanted one."""
    if kind == "bool":
        fits = [
            value
            for value in ((False, True) if not wanted else (True, False))
            if all((value == literal.value) == literal.holds for literal in literals)
        ]
        return Pick(fits[0] if fits else None)
    if kind == "string":
        return strings.pick(literals, () if wanted is None else (str(wanted),))
    left = span(literals, bounds, whole=kind == "int")
    return Pick(pick_number(left, _figure(wanted), whole=kind == "int"))


def _figure(wanted: bool | float | str | None) -> float:
    return wanted if isinstance(wanted, int | float) else 0
