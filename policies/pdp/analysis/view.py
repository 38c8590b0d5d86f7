"""The rules of one phase as questions see them, and the asking within a bound. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from policies.pdp.analysis.causes import Cause, causes
from policies.pdp.analysis.finding import Finding, Kind, Severity, place, witness
from policies.pdp.combine import BoundRule
from policies.pdp.compile import Clause, Match, compile_clauses
from policies.pdp.decision import RuleRef
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.expression.tree import Expression, facts_read
from policies.pdp.program import Layered, bind
from policies.pdp.request import RISK_MAX, SLOTS, FactValue, Phase
from policies.pdp.rules import PHASES
from policies.pdp.solver.goal import Goal
from policies.pdp.solver.search import Risks
from policies.pdp.solver.solve import Answer, solve

QUESTION_MAX = 600
_STEPS, _STEPS_PER_RULE = 20_000, 400
_ROUNDS = 40
_RISK = SLOTS["risk"]


class Denial:
    """A cause that must not hold, on which side, and a fast test of whether it does."""

    def __init__(self, cause: Cause, side: int = 0) -> None:
        self.cause = cause
        self.side = side
        self.test = _test(cause.when)

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

    def denials(self, but: RuleRef | None = None) -> list[Denial]:
        """Return all causes but those of one rule, as what must not hold."""
        return [each for each in self._denials if but not in (each.cause.ref, *each.cause.others)]

    def condition(self, item: BoundRule) -> Denial:
        """Return the condition of a rule as what must not hold."""
        return self._conditions[item.ref]

    @cached_property
    def _denials(self) -> list[Denial]:
        return [Denial(cause, self.side) for cause in self.causes]

    @cached_property
    def _conditions(self) -> dict[RuleRef, Denial]:
        return {
            item.ref: Denial(Cause(item.ref, item.rule.when), self.side) for item in self.enforced
        }

    @property
    def everything(self) -> tuple[BoundRule, ...]:
        """All rules, disabled ones too."""
        return bind(self.policy.layered, self.phase)

    def reads(self, condition: Expression) -> tuple[str, ...]:
        """Return the facts that a condition depends on; by way of the risk, too."""
        names = [use.name for use in facts_read(condition)]
        if "risk" in names:
            names += [use.name for when, _ in self.risks for use in facts_read(when)]
        return tuple(dict.fromkeys(names))

    @cached_property
    def is_risk_read(self) -> bool:
        """Whether a rule of either phase that is not disabled reads the risk, or shows it."""
        bound = (item for phase in PHASES for item in bind(self.policy.layered, phase))
        active = (item for item in bound if item.rule.mode != "disabled")
        return any("risk" in (*item.reads, *item.rule.shows) for item in active)

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
        reads = [name for item in rules for name in self.reads(item.rule.when)]
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


def steps_for(policy: EffectivePolicy) -> int:
    """Return the bound on the steps of all questions about one effective policy."""
    return _STEPS + _STEPS_PER_RULE * sum(len(each.document.rules) for each in policy.layered)


class Asker:
    """Asks questions until a bound is reached, and counts those that have no answer then."""

    def __init__(self, risks: Sequence[Risks], steps_max: int) -> None:
        self._risks = risks
        self._seen = _Seen(risks)
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

    def _met(self, answer: Answer, denials: Sequence[Denial]) -> list[Denial]:
        seen = {side: self._seen.by(answer.slots, side) for side in {each.side for each in denials}}
        return [each for each in denials if each.test(seen[each.side])]

    def _least(self, goals: Sequence[Goal], used: Sequence[Denial], answer: Answer) -> Found:
        """Return the one cause that is enough for the proof, where one is."""
        for each in used if len(used) > 1 else ():
            alone = self.ask([*goals, each.goal])
            if alone.found == "no":
                return Found(alone, (each.cause,))
        return Found(answer, tuple(each.cause for each in used))


class _Seen:
    """Facts as each side sees them: with the risk of its own rules."""

    def __init__(self, risks: Sequence[Risks]) -> None:
        self._risks = [[(_test(condition), points) for condition, points in each] for each in risks]

    def by(self, slots: Sequence[FactValue], side: int) -> Sequence[FactValue]:
        """Return the facts of a side."""
        if not self._risks:
            return slots
        seen = list(slots)
        points = sum(points for test, points in self._risks[side] if test(slots))
        seen[_RISK] = min(points, RISK_MAX)
        return seen


def _test(condition: Expression) -> Match:
    return compile_clauses([Clause(condition)], adds_risk=False)
