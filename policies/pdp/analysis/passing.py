"""What would make a refused request pass: the fewest changes, and of these the nearest. Pure.

The values that are tried are those at which decisions turn: just under, at and over each constant
that a fact is tested against. What is said has been decided again, by the policy itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from policies.pdp.analysis.causes import Cause, causes
from policies.pdp.analysis.constants import tested
from policies.pdp.analysis.finding import given
from policies.pdp.analysis.moves import Constants, Handle, Move, handles
from policies.pdp.decision import Decision
from policies.pdp.evaluate import FOREVER, EffectivePolicy
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.tree import facts_read
from policies.pdp.obligations import Json
from policies.pdp.request import FACTS, SLOTS, FactValue

TRIES_MAX = 3_000
"""Decisions that are made at most; each takes some ten microseconds."""

CHANGES_MAX = 3


@dataclass(frozen=True, slots=True)
class Way:
    """Changes with which the request is permitted: each in words, and the facts then."""

    moves: tuple[Move, ...]

    @property
    def words(self) -> str:
        """The changes as one phrase."""
        return " and ".join(move.words for move in self.moves)

    @property
    def facts(self) -> tuple[tuple[str, FactValue], ...]:
        """The facts that are other than before."""
        changed = {name: value for move in self.moves for name, value in move.facts}
        return tuple((name, changed[name]) for name in FACTS if name in changed)

    def written(self) -> dict[str, Json]:
        """Return it as data."""
        return {
            "words": self.words,
            "changes": [
                {"words": move.words, "facts": {name: given(value) for name, value in move.facts}}
                for move in self.moves
            ],
        }


def would_pass(
    policy: EffectivePolicy,
    slots: Sequence[FactValue],
    models: Sequence[str] = (),
    at_s: float = FOREVER,
    tries_max: int = TRIES_MAX,
) -> Way | None:
    """Return the nearest way to a permit for a request that is denied on these facts.

    `models` are the public models that the caller may ask for, where they are known. None: it is
    permitted, no policy is attached, or nothing was found within `tries_max` decisions.
    """
    decision = policy.decide("request", slots, at_s=at_s)
    if decision.permitted or not decision.determining:
        return None
    search = _Search(policy, slots, at_s, tries_max)
    return search.run(decision, handles(models))


class _Search:
    def __init__(
        self, policy: EffectivePolicy, slots: Sequence[FactValue], at_s: float, tries_max: int
    ) -> None:
        self._policy = policy
        self._slots = slots
        self._at_s = at_s
        self._left = tries_max
        rules = [rule for each in policy.layered for rule in each.document.rules]
        self._risk_reads = frozenset(name for rule in rules if rule.risk for name in rule.reads)
        self._causes = causes(policy.layered, "request")
        conditions = [cause.when for cause in self._causes]
        conditions += [rule.when for rule in rules if rule.risk]
        self._constants: dict[str, Constants] = dict(tested(conditions))

    def run(self, decision: Decision, known: Sequence[Handle]) -> Way | None:
        """Try one change, then two, then three; every cause must be touched by one of them."""
        must = [self._reads(cause) for cause in self._held(decision)]
        every = frozenset[str]().union(*(self._reads(cause) for cause in self._causes))
        useful = [
            (handle, list(handle.moves(self._slots, self._constants)))
            for handle in known
            if handle.facts & every
        ]
        for count in range(1, CHANGES_MAX + 1):
            sets = sorted(
                combinations(useful, count), key=lambda some: sum(h.cost for h, _ in some)
            )
            for some in sets:
                if all(any(handle.facts & reads for handle, _ in some) for reads in must):
                    for moves in product(*(moves for _, moves in some)):
                        if self._permits(moves):
                            return Way(tuple(self._least(moves)))
                        if self._left <= 0:
                            return None
        return None

    def _held(self, decision: Decision) -> list[Cause]:
        """Return the causes that deny: what an exemption keeps out is none."""
        seen = list(self._slots)
        seen[SLOTS["risk"]] = decision.risk
        named = frozenset(decision.determining)
        return [
            cause
            for cause in self._causes
            if named & {cause.ref, *cause.others} and evaluate(cause.when, seen)
        ]

    def _reads(self, cause: Cause) -> frozenset[str]:
        names = frozenset(use.name for use in facts_read(cause.when))
        return names | self._risk_reads if "risk" in names else names

    def _permits(self, moves: Sequence[Move]) -> bool:
        self._left -= 1
        slots: Sequence[FactValue] = self._slots
        for move in moves:
            slots = move.applied(slots)
        return self._policy.decide("request", slots, at_s=self._at_s).permitted

    def _least(self, moves: Sequence[Move]) -> Iterator[Move]:
        """Take of each change back what is not needed."""
        kept = list(moves)
        for index, move in enumerate(moves):
            for item in move.gone if len(move.gone) > 1 else ():
                gone = [each for each in kept[index].gone if each != item]
                less = move.out(gone) if move.out and gone else move
                if self._permits([*kept[:index], less, *kept[index + 1 :]]):
                    kept[index] = less
            yield kept[index]
