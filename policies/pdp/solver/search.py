"""The search for facts: goals are taken apart, alternatives tried, values chosen at the end. Pure.

What it finds is checked by the interpreter, so a fault here could only lose an answer; that there
is nothing is said only where every way ended in tests that exclude one another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from policies.pdp.expression.tree import Expression
from policies.pdp.request import FINDING_FIELDS, RISK_MAX
from policies.pdp.solver.goal import (
    Alternatives,
    Every,
    Goal,
    Needs,
    Part,
    Relation,
    Unary,
    Variable,
    Verdict,
    item,
    length,
    related,
    steps,
)
from policies.pdp.solver.literal import Literal
from policies.pdp.solver.state import Risk, State
from policies.pdp.solver.values import Values, assign, excluded

ITEMS_MAX = 24
"""So many items of one list are told apart at most."""

REASONS_MAX = 3
_CHOOSING = 10

Risks = Sequence[tuple[Expression, int]]
"""The conditions that add to the risk, and their points."""

Accept = Callable[[Values], bool]


@dataclass(slots=True)
class Search:
    """One question. `budget` bounds its steps; `reasons` are what excluded the ways that failed."""

    accept: Accept
    risks: Sequence[Risks]
    budget: int
    used: int = 0
    is_certain: bool = True
    reasons: list[str] = field(default_factory=list)

    def run(self, parts: Sequence[Part], state: State | None = None) -> Values | None:
        """Return values for which all parts are right, or None: certainly so or not."""
        return self._extend(state or State(), list(parts), [])

    @property
    def is_spent(self) -> bool:
        """True where the budget ended the search."""
        return self.used >= self.budget

    def _extend(self, state: State, todo: list[Part], choices: list[Alternatives]) -> Values | None:
        """Take parts until only alternatives are left, then try these in turn."""
        while todo:
            self.used += 1
            if self.is_spent:
                self.is_certain = False
                return None
            part = todo.pop()
            if isinstance(part, Goal):
                ways = steps(part, len(self.risks))
                if len(ways) == 1:
                    todo.extend(reversed(ways[0]))
                else:
                    choices.append(ways)
            elif not self._met(state, part, todo):
                return None
        return self._choose(state, choices)

    def _choose(self, state: State, choices: list[Alternatives]) -> Values | None:
        """Where tests known so far leave one way of a choice, or few, that choice comes first."""
        reason = excluded(state)
        if reason:
            self._because(reason)
            return None
        if not choices:
            return self._settle(state)
        left = [[way for way in ways if self._open(state, way)] for ways in choices]
        fewest = min(range(len(left)), key=lambda index: len(left[index]))
        rest = [each for index, each in enumerate(choices) if index != fewest]
        for way in left[fewest]:
            found = self._extend(state.copy(), list(reversed(way)), list(rest))
            if found is not None or self.is_spent:
                return found
        return None

    def _open(self, state: State, way: Sequence[Part]) -> bool:
        """Say whether no single test of a way is excluded already; only a look, at what is near."""
        self.used += 1
        for part in way:
            near = _near(part, len(self.risks))
            if isinstance(near, Verdict) and not near.met:
                return False
            if isinstance(near, Unary) and not near.variable.name.startswith("risk@"):
                name = near.variable.name
                tests = (*state.unary.get(name, ()), near.literal)
                if not State({name: tests}, {name: near.variable.type}).possible(name):
                    self._exclude(State({name: tests}, {name: near.variable.type}), name)
                    return False
        return True

    # Parts

    def _met(self, state: State, part: Part, todo: list[Part]) -> bool:
        if isinstance(part, Verdict):
            return part.met
        if isinstance(part, Unary):
            return self._tested(state, part.variable, part.literal, todo)
        if isinstance(part, Relation):
            state.know(part.left)
            state.know(part.right)
            state.relations = (*state.relations, part)
            return True
        if isinstance(part, Every):
            state.lists[part.over.name] = part.over
            state.every[part.over.name] = (*state.every.get(part.over.name, ()), part)
            todo += [_applied(part, name) for name in state.items.get(part.over.name, ())]
            return True
        return self._needed(state, cast("Needs", part), todo)

    def _tested(self, state: State, variable: Variable, literal: Literal, todo: list[Part]) -> bool:
        if variable.name.startswith("risk@"):
            self._bound_risk(state, variable)
        if state.add(variable, literal):
            return True
        self._exclude(state, variable.name)
        return False

    def _needed(self, state: State, needs: Needs, todo: list[Part]) -> bool:
        """Add an item to a list, which must be as every item is."""
        name = needs.over.name
        earlier = state.items.get(name, ())
        if len(earlier) >= ITEMS_MAX:
            self.is_certain = False
            return False
        new = f"{name}#{len(earlier)}"
        state.lists[name] = needs.over
        state.items[name] = (*earlier, new)
        todo += [_applied(every, new) for every in state.every.get(name, ())]
        todo.append(_applied(Every(*needs), new, equal=True))
        if state.length_at_least(name, 1):
            return True
        self._exclude(state, length(name).name)
        return False

    def _exclude(self, state: State, name: str) -> None:
        """Keep the reason: the fewest tests of this value that no value passes."""
        if len(self.reasons) >= REASONS_MAX:
            return
        tests = state.unary[name]
        for literal in tests:
            without = tuple(each for each in tests if each is not literal)
            alone = State({name: without}, {name: state.types[name]})
            if not alone.possible(name):
                tests = without
        said = " and ".join(literal.words(_shown(name)) for literal in tests)
        self._because(said)

    def _because(self, reason: str) -> None:
        if reason not in self.reasons and len(self.reasons) < REASONS_MAX:
            self.reasons.append(reason)

    # Risk

    def _bound_risk(self, state: State, variable: Variable) -> None:
        side = int(variable.name.partition("@")[2])
        if side not in state.risks:
            state.risks[side] = Risk(len(self.risks[side]))
            state.know(variable)
            self._limit(state, side)

    def _limit(self, state: State, side: int) -> bool:
        """The risk lies between the points so far and all that can still come."""
        risk = state.risks[side]
        rest = sum(points for _, points in self.risks[side][: risk.left])
        name = f"risk@{side}"
        variable = Variable(name, "int")
        low, high = min(risk.points, RISK_MAX), min(risk.points + rest, RISK_MAX)
        bounds = (Literal(">=", low, "int"), Literal("<=", high, "int"))
        tests = state.unary.get(name, ())
        state.unary[name] = tuple(each for each in tests if each not in risk.bounds)
        risk.bounds = bounds
        if all(state.add(variable, bound) for bound in bounds):
            return True
        self._exclude(state, name)
        return False

    def _settle(self, state: State) -> Values | None:
        """Decide for each rule that adds risk whether it holds; then choose the values."""
        for side, risk in state.risks.items():
            if risk.left:
                return self._weigh(state, side)
        return self._values(state)

    def _weigh(self, state: State, side: int) -> Values | None:
        risk = state.risks[side]
        condition, points = self.risks[side][risk.left - 1]
        enough = State({**state.unary}, {**state.types})
        is_enough = enough.add(
            Variable(f"risk@{side}", "int"),
            Literal("<=", min(risk.points, RISK_MAX), "int"),
        )
        for holds in (not is_enough, is_enough):
            way = state.copy()
            more = points if holds else 0
            way.risks[side] = Risk(risk.left - 1, risk.points + more, risk.bounds)
            if self._limit(way, side):
                found = self._extend(way, [Goal(condition, holds, side)], [])
                if found is not None or self.is_spent:
                    return found
        return None

    # Values

    def _values(self, state: State) -> Values | None:
        self.used += _CHOOSING
        found = assign(state, self.accept)
        if found.values is not None:
            return found.values
        if not found.certain:
            padded = self._padded(state) or self._merged(state)
            if padded is not None:
                return padded
            self.is_certain = False
        else:
            self._because(found.reason)
        return None

    def _padded(self, state: State) -> Values | None:
        """Lists that must be longer than what is known of them get one more item."""
        short = [
            name
            for name, over in _sized(state).items()
            if not state.items.get(name) and state.every.get(name) and over
        ]
        if not short:
            return None
        way, todo = state.copy(), list[Part]()
        for name in short:
            if not self._needed(way, Needs(state.lists[name], None), todo):
                return None
        return self._extend(way, todo, [])

    def _merged(self, state: State) -> Values | None:
        """Lists with more known items than they may have: perhaps these are all one."""
        same: list[Part] = []
        for name, items in state.items.items():
            if len(items) > 1 and not state.copy().length_at_least(name, len(items)):
                for other in items[1:]:
                    same += _equal(items[0], other, is_finding=name.endswith("findings"))
        if not same or any(part in state.relations for part in same):
            return None
        return self._extend(state.copy(), same, [])


def _near(part: Part, sides: int) -> Part:
    """Return what a goal comes to where there is one way to it, and one part of it."""
    while isinstance(part, Goal):
        ways = steps(part, sides)
        if len(ways) != 1 or len(ways[0]) != 1:
            return part
        part = ways[0][0]
    return part


def _applied(every: Every, name: str, *, equal: bool = False) -> Part:
    """Return what a demand on items says of one."""
    if every.body is not None:
        return every.body._replace(element=name)
    if every.term is None:
        return Verdict(met=True)
    return related("==", item(name, "", "string"), every.term, holds=equal)


def _equal(one: str, other: str, *, is_finding: bool) -> list[Part]:
    fields = FINDING_FIELDS if is_finding else {"": "string"}
    return [
        related("==", item(one, name, kind), item(other, name, kind), holds=True)  # type: ignore[arg-type]
        for name, kind in fields.items()
    ]


def _sized(state: State) -> Mapping[str, bool]:
    """Return the lists whose length is asked about, and whether it must be more than nothing."""
    found = {}
    for name in state.unary:
        if name.startswith("size("):
            over = name[5:-1]
            found[over] = not state.copy().add(length(over), Literal("==", 0, "int"))
    return found


def _shown(name: str) -> str:
    """Return a variable as people read it."""
    base, _, rest = name.partition("#")
    if not rest:
        return base.partition("@")[0]
    field_name = rest.partition(".")[2]
    return f"an item of {base}" if not field_name else f"{field_name} of one of {base}"
