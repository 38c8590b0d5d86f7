"""Conditions that never hold, or always do. Pure."""

from policies.pdp.analysis.finding import Finding
from policies.pdp.analysis.view import Asker, View
from policies.pdp.combine import BoundRule
from policies.pdp.expression.tree import ALWAYS
from policies.pdp.request import RISK_MAX
from policies.pdp.solver.solve import Answer

Sound = dict[BoundRule, Answer]
"""The rules whose condition can hold, each with facts for which it does."""


def singles(view: View, asker: Asker) -> tuple[Sound, list[Finding]]:
    """Judge each condition by itself."""
    sound: Sound = {}
    found: list[Finding] = []
    for item in view.rules:
        answer = asker.ask([view.goal(item.rule.when)])
        if answer.found == "no":
            found.append(_never(view, asker, item, answer))
        elif answer.found == "yes":
            sound[item] = answer
            found += _always(view, asker, item)
    return sound, found


def _never(view: View, asker: Asker, item: BoundRule, answer: Answer) -> Finding:
    free = asker.ask([view.goal(item.rule.when)], free_risk=True)
    if "risk" in item.reads and view.phase == "request" and free.found != "no":
        most = min(sum(points for _, points in view.risks), RISK_MAX)
        reason = f"the rules that add to the risk come to at most {most}"
        if not view.risks:
            reason = "no enforced rule adds to the risk"
        words = f"{item.ref} never matches: {reason}"
        return view.finding("risk_out_of_reach", "warning", words, [item], reason=answer.proof)
    words = f"{item.ref} never matches: its condition cannot hold"
    return view.finding("unreachable", "warning", words, [item], reason=answer.proof)


def _always(view: View, asker: Asker, item: BoundRule) -> list[Finding]:
    if item.rule.when == ALWAYS:  # that is said, and so is meant
        return []
    answer = asker.ask([view.goal(item.rule.when, holds=False)])
    if answer.found != "no":
        return []
    words = f"{item.ref} matches every call: its condition always holds"
    return [view.finding("always", "warning", words, [item], reason=answer.proof)]
