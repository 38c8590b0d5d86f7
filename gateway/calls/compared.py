"""What another version than the one that held said of a call, as its records keep it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.pdp.request import Phase

CHANGES = {
    "same": "decides the same",
    "newly_denied": "denies what the active version permits",
    "newly_permitted": "permits what the active version denies",
    "other_reason": "denies for another reason",
    "other_obligations": "permits with other obligations",
}
"""What the candidate does, by how its decision differs from the active version's."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One phase judged by two versions. `other` are the policies that did not hold, `effect` and
    `rules` what they decided and by which rules, where that differs."""

    phase: Phase
    rollout: str
    percent: int
    served: str
    change: str
    other: tuple[str, ...]
    effect: str
    rules: tuple[str, ...]

    @property
    def said(self) -> str:
        """What the candidate does, in words."""
        return CHANGES.get(self.change, self.change)


def compared(deciding: Mapping[str, Any], last: Mapping[str, Any]) -> tuple[Compared, ...]:
    """Return the comparisons that the records of a call hold, the request's first."""
    found = []
    if "rollout" in deciding:
        found.append(_of("request", deciding["rollout"]))
    if last is not deciding and "rollout" in last:
        found.append(_of("answer", last["rollout"]))
    return tuple(found)


def _of(phase: Phase, written: Mapping[str, Any]) -> Compared:
    other = written.get("other", {})
    return Compared(
        phase=phase,
        rollout=written["name"],
        percent=written["percent"],
        served=written["served"],
        change=written["change"],
        other=tuple(written["other_policies"]),
        effect=other.get("effect", ""),
        rules=tuple(f"{policy}/{rule}" for _, policy, rule in other.get("determining", ())),
    )
