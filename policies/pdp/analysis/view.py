"""The rules of one phase as questions see them, and the asking within a bound. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.pdp.analysis.causes import Cause, causes
from policies.pdp.analysis.finding import Finding, Kind, Severity, place, witness
from policies.pdp.combine import BoundRule
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.tree import Expression, facts_read
from policies.pdp.program import Layered, bind
from policies.pdp.request import SLOTS, FactValue, Phase
from policies.pdp.rules import PHASES
from policies.pdp.solver.goal import Goal
from policies.pdp.solver.search import Risks
from policies.pdp.solver.solve import Answer, risk_of, solve

STEPS_MAX = 40_000
"""Steps of all questions about one set of policies together."""

QUESTION_MAX = 600
_ROUNDS = 40
_RISK = SLOTS["risk"]


@dataclass(frozen=True, slots=True)
class Denial:
    """A cause that must not hold, and on which side."""

    cause: Cause
    side: int = 0

    @property
    def goal(self) -> Goal:
        """The goal that it does not hold."""
        return Goal(self.cause.when, holds=False, side=self.side)


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, and the causes that had to be looked at for it."""

    answer: Answer
    used: tuple[Cause, ...] = ()


class View:
    """What judges one phase of an effective policy; `side` 1 is the second of two."""

    def __init__(self, policy: EffectivePolicy, phase: Phase, side: int = 0) -> None:
        self.policy = policy
        self.phase = phase
        self.side = side
        self.rules = tuple(
            item for item in bind(policy.layered, phase) if item.rule.mode != "disabled"
        )
        self.enforced = tuple(item for item in self.rules if item.rule.mode == "enforce")
        self.causes = causes(policy.layered, phase)
        self.risks: Risks = (
            [(item.rule.when, item.rule.risk) for item in self.enforced if item.rule.risk]
            if phase == "request"
            else []
        )

    def goal(self, condition: Expression, *, holds: bool = True) -> Goal:
        """Return the goal that a condition holds here, or does not."""
        return Goal(condition, holds, self.side)

    def denials(self, without: Iterable[Cause] = ()) -> list[Denial]:
        """Return all causes but some, as what must not hold."""
        left_out = list(without)
        return [Denial(cause, self.side) for cause in self.causes if cause not in left_out]

    def denials_of(self, causes: Iterable[Cause]) -> list[Denial]:
        """Return these causes as what must not hold."""
        return [Denial(cause, self.side) for cause in causes]

    @property
    def all_rules(self) -> tuple[BoundRule, ...]:
        """The rules of both phases that are not disabled."""
        bound = (item for phase in PHASES for item in bind(self.policy.layered, phase))
        return tuple(item for item in bound if item.rule.mode != "disabled")

    def finding(
        self,
        kind: Kind,
        severity: Severity,
        words: str,
        rules: Sequence[BoundRule],
        *,
        reason: str = "",
        slots: Sequence[FactValue] = (),
    ) -> Finding:
        """Return a finding about these rules, at the place of the first."""
        first = rules[0]
        reads = [name for item in rules for name in item.reads]
        if "risk" in reads:
            reads += [use.name for when, _ in self.risks for use in facts_read(when)]
        line, column = place(self.document(first).document, first.rule.line)
        return Finding(
            kind=kind,
            severity=severity,
            words=words,
            rules=tuple(item.ref for item in rules),
            line=line,
            column=column,
            witness=witness(slots, reads) if slots else None,
            reason=reason,
        )

    def document(self, item: BoundRule) -> Layered:
        """Return the policy that a rule stands in."""
        return next(
            policy
            for policy in self.policy.layered
            if (policy.layer, policy.name) == (item.ref.layer, item.ref.policy)
        )


class Asker:
    """Asks questions until a bound is reached, and counts those that have no answer then."""

    def __init__(self, risks: Sequence[Risks], steps_max: int = STEPS_MAX) -> None:
        self._risks = risks
        self._steps_max = steps_max
        self.steps = 0
        self.undecided = 0

    def ask(self, goals: Sequence[Goal], *, free_risk: bool = False) -> Answer:
        """Look for facts for which all goals are met; with `free_risk` whatever the sum."""
        reads = {use.name for goal in goals for use in facts_read(goal.expression)}
        risks = self._risks if "risk" in reads and not free_risk else ()
        budget = min(QUESTION_MAX, self._steps_max - self.steps)
        answer = solve(goals, risks, budget) if budget > 0 else Answer("unknown", is_spent=True)
        self.steps += answer.steps
        self.undecided += answer.found == "unknown"
        return answer

    def permitted(self, goals: Sequence[Goal], denials: Sequence[Denial]) -> Found:
        """Look for facts for which all goals are met, and none of these causes holds.

        Causes are many and few of them matter: only those that an example met are looked at.
        """
        used: list[Denial] = []
        for _ in range(_ROUNDS):
            wanted = [each.goal for each in used]
            answer = self.ask([*goals, *wanted])
            met = self._met(answer, denials) if answer.found == "yes" else []
            new = [each for each in met if each not in used]
            if answer.found == "no":
                return self._least(goals, used, answer)
            if not new:
                return Found(answer)
            used += new[:2]
        self.undecided += 1
        return Found(Answer("unknown"), ())

    def _least(self, goals: Sequence[Goal], used: Sequence[Denial], answer: Answer) -> Found:
        """Return the one cause that is enough for the proof, where one is."""
        for each in used if len(used) > 1 else ():
            alone = self.ask([*goals, each.goal])
            if alone.found == "no":
                return Found(alone, (each.cause,))
        return Found(answer, tuple(each.cause for each in used))

    def _met(self, answer: Answer, denials: Sequence[Denial]) -> list[Denial]:
        seen = {each.side: self._seen(answer.slots, each.side) for each in denials}
        return [each for each in denials if evaluate(each.cause.when, seen[each.side])]

    def _seen(self, slots: Sequence[FactValue], side: int) -> list[FactValue]:
        seen = list(slots)
        if self._risks:
            seen[_RISK] = risk_of(self._risks[side], slots)
        return seen
