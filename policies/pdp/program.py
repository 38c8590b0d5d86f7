"""The rules of one phase, compiled, with the decisions that they lead to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from policies.pdp.combine import BoundRule, Outcome, Verdicts, combine, none_attached
from policies.pdp.compile import Clause, compile_clauses
from policies.pdp.decision import DEFAULT_RULE, Decision, Layer, RuleRef
from policies.pdp.document import Document
from policies.pdp.exemption import Exempt
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.request import RISK_MAX, SLOTS, FactValue, Phase

REMEMBERED_MAX = 4096
"""How many sets of matching rules a program keeps the decision of."""

_RISK = SLOTS["risk"]


@dataclass(frozen=True, slots=True)
class Layered:
    """One version of a policy, attached at one layer."""

    layer: Layer
    name: str
    version: int
    document: Document

    def ref(self, rule_id: str) -> RuleRef:
        """Return the reference of a rule of this policy."""
        return RuleRef(self.layer, self.name, rule_id)


def bind(layered: Sequence[Layered], phase: Phase) -> tuple[BoundRule, ...]:
    """Return the rules of this phase, disabled ones too, in the order of policies and text."""
    return tuple(
        BoundRule.of(policy.ref(rule.id), rule)
        for policy in layered
        for rule in policy.document.rules
        if rule.phase == phase
    )


class Program:
    """What judges one phase while certain detectors have failed and certain rules do not hold.

    A set of matching rules is a mask: bit n stands for rule n of `judged`. Calls are many and masks
    are few, so the decision of a mask is kept, unless its sentences show facts.
    """

    def __init__(
        self,
        layered: Sequence[Layered],
        phase: Phase,
        failed: frozenset[str],
        exempt: Exempt = (),
    ) -> None:
        self._exempt = exempt
        self._free = frozenset(rule for rule, _ in exempt)
        self.phase = phase
        self.bound = bind(layered, phase)
        active = [item for item in self.bound if item.rule.mode != "disabled"]
        broken = [item for item in active if item.detectors & failed]
        self.adds_risk = phase == "request"
        self.judged = tuple(item for item in active if not item.detectors & failed)
        self.match = compile_clauses(
            [Clause(item.rule.when, self._points(item)) for item in self.judged],
            adds_risk=self.adds_risk,
        )
        self.ready: dict[int, Decision] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._layered = layered
        self._failed = failed
        self._denying = [item for item in broken if item.rule.on_error == "deny"]

    def resolve(self, mask: int, slots: Sequence[FactValue]) -> Decision:
        """Return the decision for a mask that `ready` does not hold, and keep what can be kept."""
        if len(self._outcomes) >= REMEMBERED_MAX:
            self._outcomes.clear()
            self.ready.clear()
        outcome = self._outcomes.get(mask) or self.outcome(mask)
        self._outcomes[mask] = outcome
        if outcome.final:
            self.ready[mask] = outcome.decision
        return outcome.settled(self.phase, slots)

    def outcome(self, mask: int) -> Outcome:
        """Return the outcome where these rules match."""
        if not self._layered:
            return Outcome(none_attached())
        chosen = [item for bit, item in enumerate(self.judged) if mask >> bit & 1]
        matched = [item for item in chosen if self._holds(item)]
        found = [*chosen, *self._denying]
        closed = self._unpermitted(matched)
        kept_out = {str(item.ref) for item in found if _enforced(item)} | {*map(str, closed)}
        return combine(
            Verdicts(
                matched=matched,
                failed=[item for item in self._denying if self._holds(item)],
                detectors=self._failed,
                shadow=[item for item in found if not _enforced(item)],
                unpermitted=[ref for ref in closed if str(ref) not in self._free],
                exemptions=[name for rule, name in self._exempt if rule in kept_out],
            )
        )

    def interpret(self, slots: Sequence[FactValue]) -> tuple[int, list[FactValue]]:
        """Return the mask as the interpreter finds it, and the slots with the risk that it found.

        The twin of `match`: the rules that add risk first, then the others.
        """
        seen = list(slots)
        mask = risk = 0
        for bit, item in enumerate(self.judged):
            if self._points(item) and evaluate(item.rule.when, seen):
                mask |= 1 << bit
                risk += self._points(item)
        if self.adds_risk:
            seen[_RISK] = min(risk, RISK_MAX)
        for bit, item in enumerate(self.judged):
            if not self._points(item) and evaluate(item.rule.when, seen):
                mask |= 1 << bit
        return mask, seen

    def _unpermitted(self, matched: Sequence[BoundRule]) -> list[RuleRef]:
        """Return the defaults that deny: a request needs a permit of each policy that is closed."""
        if not self.adds_risk:
            return []
        permits = {(item.ref.layer, item.ref.policy) for item in matched if item.rule.permit}
        return [
            policy.ref(DEFAULT_RULE)
            for policy in self._layered
            if not policy.document.default_permit and (policy.layer, policy.name) not in permits
        ]

    def _holds(self, item: BoundRule) -> bool:
        return _enforced(item) and str(item.ref) not in self._free

    def _points(self, item: BoundRule) -> int:
        """Return the risk that the rule adds: one that does not hold adds none."""
        return item.rule.risk if self._holds(item) else 0


def _enforced(item: BoundRule) -> bool:
    return item.rule.mode == "enforce"
