"""A candidate version beside the active one: in shadow, or for some of the keys. Pure.

Which keys get the candidate depends on their ids alone: the same ones on every worker, and those
that had it at a lower percentage keep it at a higher one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from policies.pdp.decision import Decision
from policies.pdp.evaluate import FOREVER, NO_FAILURE, EffectivePolicy
from policies.pdp.obligations import Json
from policies.pdp.request import SLOTS, FactValue, Phase
from policies.pdp.signals import Signals, signals_of

BUCKETS = 100

Change = Literal["same", "newly_denied", "newly_permitted", "other_reason", "other_obligations"]
Side = Literal["active", "candidate"]

_KEY, _RISK = SLOTS["key.id"], SLOTS["risk"]


def bucket(key_id: str) -> int:
    """Return the bucket of a key, 0 to 99, the same for ever."""
    digest = hashlib.blake2b(key_id.encode(), digest_size=8, person=b"policy canary").digest()
    return int.from_bytes(digest) % BUCKETS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds, and what the other version says; `change` is from active to candidate."""

    decision: Decision
    served: Side
    other: Decision
    change: Change

    def written(self, hashes: tuple[str, str]) -> dict[str, Json]:
        """Return what a record keeps of it, beside the decision that holds.

        `hashes` are the active and the candidate policy's: both must be told, or neither decision
        could be repeated.
        """
        active, candidate = hashes
        written: dict[str, Json] = {
            "served": self.served,
            "active": active,
            "candidate": candidate,
            "change": self.change,
        }
        if self.change != "same":
            written["other"] = {
                "effect": self.other.effect.value,
                "code": self.other.code,
                "determining": [
                    [ref.layer, ref.policy, ref.rule] for ref in self.other.determining
                ],
                "obligations": [{item.key: item.written()} for item in self.other.obligations],
            }
        return written


class Rollout:
    """Two effective policies. `percent` of the keys (0: none, in shadow) are served the candidate.

    ValueError for a percentage that is none.
    """

    def __init__(self, active: EffectivePolicy, candidate: EffectivePolicy, percent: int) -> None:
        if not 0 <= percent <= BUCKETS:
            raise ValueError(f"{percent} is not between 0 and {BUCKETS}")
        self.active = active
        self.candidate = candidate
        self.percent = percent

    @property
    def hashes(self) -> tuple[str, str]:
        """Return the hashes of the active and of the candidate policy."""
        return self.active.hash, self.candidate.hash

    @cached_property
    def needs(self) -> frozenset[str]:
        """The detectors that must run on a request for both."""
        return self.active.needs | self.candidate.needs

    @cached_property
    def relies(self) -> frozenset[Phase]:
        """The phases in whose texts findings of a tenant's own detectors can matter to either."""
        return self.active.relies | self.candidate.relies

    @cached_property
    def recalls(self) -> frozenset[str]:
        """The detectors whose failure on a request matters to a rule of the answer of either."""
        return self.active.recalls | self.candidate.recalls

    @cached_property
    def headers(self) -> frozenset[str]:
        """The names of the headers that rules of either require or ask for."""
        return self.active.headers | self.candidate.headers

    @cached_property
    def answer_rules(self) -> bool:
        """True where a rule of either judges answers."""
        return self.active.answer_rules or self.candidate.answer_rules

    @cached_property
    def reads_links(self) -> bool:
        """True where a rule of either reads where the links of an answer lead to."""
        return self.active.reads_links or self.candidate.reads_links

    @cached_property
    def signals(self) -> Signals:
        """The facts that are made because a rule of either reads them."""
        return signals_of(self.active.reads | self.candidate.reads)

    @cached_property
    def answer_needs(self) -> frozenset[str]:
        """The detectors that must run on an answer for both."""
        return self.active.answer_needs | self.candidate.answer_needs

    def serves(self, key_id: str) -> Side:
        """Return whose decisions hold for a key."""
        return "candidate" if bucket(key_id) < self.percent else "active"

    def decide(
        self,
        phase: Phase,
        slots: Sequence[FactValue],
        failed: frozenset[str] = NO_FAILURE,
        at_s: float = FOREVER,
        *,
        other_risk: int | None = None,
    ) -> Verdict:
        """Return both decisions on these facts, and which of them holds.

        In the answer phase `other_risk` is the risk that the other version found in the request:
        the slot holds that of the version that is served.
        """
        served = self.serves(str(slots[_KEY]))
        sides = (self.active, self.candidate)
        holding, beside = sides if served == "active" else sides[::-1]
        seen = slots
        if other_risk is not None:
            seen = [*slots[:_RISK], other_risk, *slots[_RISK + 1 :]]
        holds = holding.decide(phase, slots, failed, at_s)
        other = beside.decide(phase, seen, failed, at_s)
        pair = (holds, other) if served == "active" else (other, holds)
        return Verdict(holds, served, other, change(*pair))


def change(before: Decision, after: Decision) -> Change:
    """Say how a decision differs from an earlier one on the same facts."""
    if before.permitted != after.permitted:
        return "newly_permitted" if after.permitted else "newly_denied"
    if before.obligations != after.obligations:
        return "other_obligations"
    if not after.permitted and before.determining != after.determining:
        return "other_reason"
    return "same"
