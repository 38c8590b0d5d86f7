"""Rules that change nothing, because others settle the same calls. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from policies.pdp.analysis.causes import Cause
from policies.pdp.analysis.finding import Finding, Kind, Severity
from policies.pdp.analysis.single import Sound
from policies.pdp.analysis.view import Asker, Found, View
from policies.pdp.combine import BoundRule, order
from policies.pdp.decision import LAYERS, RuleRef
from policies.pdp.obligations import ADVICE, Obligation, RouteTo, SetDefault


def standings(view: View, asker: Asker, sound: Sound) -> Iterator[Finding]:
    """Yield the enforced rules, or what they demand, that never make a difference."""
    for item in view.enforced:
        if item not in sound:
            continue
        if item.rule.deny:
            yield from _denial(view, asker, item)
            continue
        moot = list(_moot(view, asker, item))
        yield from moot
        if not moot:
            yield from _covered(view, asker, sound, item)
        yield from _idle(view, item)


def _denial(view: View, asker: Asker, item: BoundRule) -> Iterator[Finding]:
    """A rule that denies what others deny already."""
    found = asker.permitted([view.goal(item.rule.when)], view.denials(item.ref))
    if found.answer.found == "no":
        others = _refs(found.used)
        kind, severity = _kind(view, asker, item, others)
        if kind:
            words = f"{item.ref} denies only what {_named(others)} denies already"
            yield _finding(view, (kind, severity), words, item, found)


def _kind(
    view: View, asker: Asker, item: BoundRule, others: Sequence[RuleRef]
) -> tuple[Kind | None, Severity]:
    """Of two rules that say the same, the later is the duplicate; the earlier is none."""
    if all(LAYERS.index(ref.layer) < LAYERS.index(item.ref.layer) for ref in others):
        return "ineffective", "warning"
    same = [other for other in view.enforced if (other.ref,) == tuple(others)]
    for other in same:
        goals = [view.goal(other.rule.when), view.goal(item.rule.when, holds=False)]
        if asker.ask(goals).found == "no":
            later = view.enforced.index(item) > view.enforced.index(other)
            return ("duplicate", "warning") if later else (None, "note")
    return "subsumed", "note"


def _moot(view: View, asker: Asker, item: BoundRule) -> Iterator[Finding]:
    """A rule that matches only calls that others deny."""
    effects = [each for each in item.rule.obligations if not isinstance(each, ADVICE)]
    if not effects and not item.rule.permit:
        return
    found = asker.permitted([view.goal(item.rule.when)], view.denials(item.ref))
    if found.answer.found == "no":
        others = _refs(found.used)
        words = f"whenever {item.ref} matches, {_named(others)} denies the call"
        yield _finding(view, ("ineffective", "warning"), words, item, found)


def _covered(view: View, asker: Asker, sound: Sound, item: BoundRule) -> Iterator[Finding]:
    """Demands that others make at least as strictly on the same calls."""
    for obligation in item.rule.obligations:
        others = [
            other
            for other in view.enforced
            if other is not item and other in sound and _as_strict(other, item, obligation)
        ]
        if not others:
            continue
        found = asker.permitted([view.goal(item.rule.when)], list(map(view.condition, others)))
        if found.answer.found != "no":
            continue
        refs = _refs(found.used)
        kind, severity = _kind(view, asker, item, refs)
        if kind:
            words = f"what {item.ref} says of {obligation.key} changes nothing beside"
            words = f"{words} {_named(refs)}, which asks for at least as much"
            yield _finding(view, (kind, severity), words, item, found)


def _as_strict(other: BoundRule, item: BoundRule, obligation: Obligation) -> bool:
    """Say whether what another rule demands of this kind leaves nothing for this rule to add."""
    demanded = other.rule.demand(type(obligation))
    if demanded is None or cast("Any", demanded).merge(obligation) != demanded:
        return False
    first = order(other.ref) < order(item.ref)
    return first or not isinstance(obligation, RouteTo | SetDefault) or demanded == obligation


def _idle(view: View, item: BoundRule) -> Iterator[Finding]:
    """A permit that nothing waits for, and risk that nobody reads."""
    policy = view.document(item)
    if item.rule.permit and policy.document.default_permit:
        words = f"{item.ref} permits, but the policy {policy.name} permits by default"
        yield view.finding("ineffective", "note", words, [item], reason="default: permit")
    if item.rule.risk and not view.is_risk_read:
        words = f"{item.ref} adds to the risk, and no rule reads it"
        yield view.finding("ineffective", "note", words, [item], reason="no condition names risk")


def _finding(
    view: View, judged: tuple[Kind, Severity], words: str, item: BoundRule, found: Found
) -> Finding:
    """Return a finding that is proven by what others do."""
    made = view.finding(*judged, words, [item], reason=found.answer.proof)
    return replace(made, rules=(item.ref, *_refs(found.used)))


def _refs(causes: Sequence[Cause]) -> tuple[RuleRef, ...]:
    return tuple(dict.fromkeys(cause.ref for cause in causes))


def _named(refs: Sequence[RuleRef]) -> str:
    return " or ".join(map(str, refs)) or "what stands above"
