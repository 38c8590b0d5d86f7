"""Which of two decisions, or demands, is the stricter. Pure."""

from typing import Any, Literal, cast

from policies.pdp.decision import Decision
from policies.pdp.document import Rule
from policies.pdp.obligations import ADVICE, Obligation, RouteTo, SetDefault

Direction = Literal["tighter", "looser", "other"]

UNORDERED = (RouteTo, SetDefault)
"""Demands that are other or the same, but neither more nor less."""


def looser(rule: Rule, obligation: Obligation) -> bool:
    """Say whether a rule demands less than this; advice changes nothing of a call."""
    if isinstance(obligation, ADVICE):
        return False
    demanded = rule.demand(type(obligation))
    return demanded is None or not covers(demanded, obligation)


def covers(demanded: Obligation, obligation: Obligation) -> bool:
    """Say whether one demand asks for at least as much as another of its kind."""
    if isinstance(demanded, UNORDERED):
        return demanded == obligation
    return bool(cast("Any", demanded).merge(obligation) == demanded)


def direction(before: Decision, after: Decision) -> frozenset[Direction]:
    """Say in which ways a decision is not what it was."""
    if before.permitted != after.permitted:
        return frozenset({"looser" if after.permitted else "tighter"})
    if not before.permitted:
        return frozenset()
    found: set[Direction] = set()
    for one, other, way in ((before, after, "looser"), (after, before, "tighter")):
        for obligation in one.obligations:
            if isinstance(obligation, ADVICE):
                continue
            kept = other.demand(type(obligation))
            if kept is None or not covers(kept, obligation):
                is_unordered = isinstance(obligation, UNORDERED)
                found.add("other" if is_unordered else cast("Direction", way))
    return frozenset(found)
