"""Random facts that can come about: in their ranges, with detectors that agree with themselves."""

from random import Random
from typing import Any

from policies.pdp.request import SLOTS, FactValue, FindingFact
from policies.pdp.solver.domain import GROUPS, RANGES, coherent, complete
from tests.policies.pdp.random_conditions import random_slots

_CATEGORIES = ["pii", "secret", "injection", "custom", "other"]


def possible_slots(rng: Random) -> list[FactValue]:
    slots = random_slots(rng)
    for name, (low, high) in RANGES.items():
        value: Any = slots[SLOTS[name]]
        slots[SLOTS[name]] = type(value)(min(max(value, low), high))
    lists = {group.findings for group in GROUPS}
    for name in lists:
        slots[SLOTS[name]] = _findings(rng, slots[SLOTS[name]])
    slots = complete(slots, frozenset(lists))
    for group in GROUPS:
        if not group.is_highest and slots[SLOTS[group.number]]:
            slots[SLOTS[group.score]] = rng.choice([0.0, 0.25, 0.5, 0.75, 1.0])
    assert coherent(slots)
    return slots


def _findings(rng: Random, found: Any) -> tuple[FindingFact, ...]:
    return tuple(
        FindingFact(
            item.kind,
            rng.choice(_CATEGORIES),
            min(max(item.score, 0.0), 1.0),
            item.place,
            max(1, item[4]),
        )
        for item in found
    )
