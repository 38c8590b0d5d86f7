"""Are there facts for which all of this holds? Yes, with the facts; no, with the reason; or not
found out within the budget. Pure.

An example is checked by the interpreter, which knows nothing of how it was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.tree import Expression, facts_read
from policies.pdp.request import DEFAULTS, RISK_MAX, SLOTS, FactValue
from policies.pdp.solver.domain import coherent, complete, laws
from policies.pdp.solver.goal import Goal
from policies.pdp.solver.search import Risks, Search
from policies.pdp.solver.values import Values

BUDGET = 2_000
"""Steps of one question. A step takes some ten microseconds."""

_RISK = SLOTS["risk"]
_DETECTED = "what a detector finds, counts and scores never disagree"

Found = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`slots` are facts for which it holds (the risk of side 0 among them); `reasons` say why
    there are none; `steps` is what it cost."""

    found: Found
    slots: tuple[FactValue, ...] = ()
    reasons: tuple[str, ...] = ()
    steps: int = 0
    is_spent: bool = False

    @property
    def proof(self) -> str:
        """The reasons as one sentence without its end."""
        return "; ".join(self.reasons) or "no value is left"


def solve(goals: Sequence[Goal], risks: Sequence[Risks] = (), budget: int = BUDGET) -> Answer:
    """Look for facts for which all goals are met.

    With `risks`, one list for each side, the fact `risk` is the sum of what holds on the side of
    the goal that reads it; without, it is a fact like any other.
    """
    question = _Question(goals, risks)
    first = Search(question.fits, risks, budget)
    values = first.run(list(goals))
    if values is None:
        return _none(first)
    whole = question.whole(values)
    if coherent(whole):
        return Answer("yes", tuple(whole), steps=first.used)
    return _again(question, first.used, budget)


def _again(question: "_Question", used: int, budget: int) -> Answer:
    """Look once more, with the laws by which facts of one detector hang together."""
    known = [Goal(law) for law in laws(question.reads)]
    second = Search(question.fits_together, question.risks, budget)
    values = second.run([*question.goals, *known])
    second.used += used
    if values is None:
        if second.is_certain:
            second.reasons.append(_DETECTED)
        return _none(second)
    return Answer("yes", tuple(question.whole(values)), steps=second.used)


def _none(search: Search) -> Answer:
    found: Found = "no" if search.is_certain else "unknown"
    reasons = tuple(search.reasons) if search.is_certain else ()
    return Answer(found, (), reasons, search.used, search.is_spent)


class _Question:
    """What is asked, and the check of an answer."""

    def __init__(self, goals: Sequence[Goal], risks: Sequence[Risks]) -> None:
        self.goals = goals
        self.risks = risks
        conditions = [goal.expression for goal in goals]
        conditions += [condition for side in risks for condition, _ in side]
        self.reads = frozenset(
            use.name for condition in conditions for use in facts_read(condition)
        )

    def whole(self, values: Values) -> list[FactValue]:
        """Return the slot vector of these facts, with what goes with them."""
        slots = list(DEFAULTS)
        for name, value in values.items():
            slots[SLOTS[name]] = value
        whole = complete(slots, self.reads)
        if self.risks:
            whole[_RISK] = risk_of(self.risks[0], whole)
        return whole

    def fits(self, values: Values) -> bool:
        """Say whether the goals are met, as the interpreter sees it."""
        slots = self.whole(values)
        at_risk = [goal for goal in self.goals if _reads_risk(goal)] if self.risks else []
        return all(
            bool(evaluate(goal.expression, slots)) == goal.holds
            for goal in self.goals
            if goal not in at_risk
        ) and all(self._met(goal, slots) for goal in at_risk)

    def fits_together(self, values: Values) -> bool:
        """Say whether the goals are met by facts that can come about together."""
        return self.fits(values) and coherent(self.whole(values))

    def _met(self, goal: Goal, slots: Sequence[FactValue]) -> bool:
        seen = list(slots)
        seen[_RISK] = risk_of(self.risks[goal.side], slots)
        return bool(evaluate(goal.expression, seen)) == goal.holds


def _reads_risk(goal: Goal) -> bool:
    return any(use.name == "risk" for use in facts_read(goal.expression))


def risk_of(risks: Risks, slots: Sequence[FactValue]) -> int:
    """Return the capped sum of the points of the conditions that hold."""
    return min(sum(points for condition, points in risks if evaluate(condition, slots)), RISK_MAX)


def ask(*conditions: Expression, budget: int = BUDGET) -> Answer:
    """Look for facts for which all conditions hold, risk being a fact like any other."""
    return solve([Goal(condition) for condition in conditions], (), budget)
