"""Why a call is denied, as conditions: the decision is to deny exactly where one of them holds.

A rule that denies is one; so is each bound that a call can break, what several lists allow together
where that is nothing, and a policy that permits only what it says. No detector failed, and no
exemption holds. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.pdp.analysis.conditions import (
    all_of,
    among,
    any_of,
    compared,
    fact,
    holds,
    negated,
    text,
)
from policies.pdp.combine import BoundRule, order
from policies.pdp.decision import DEFAULT_RULE, RuleRef
from policies.pdp.expression import operators
from policies.pdp.expression.tree import Element, Expression, Quantifier
from policies.pdp.obligations import (
    ALLOWED,
    AllowModels,
    AllowRegions,
    AllowTools,
    Cap,
    Obligation,
    Require,
)
from policies.pdp.program import Layered, bind
from policies.pdp.request import Phase


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason to deny: whose it is, and when it holds. `others` are rules that it takes too."""

    ref: RuleRef
    when: Expression
    others: tuple[RuleRef, ...] = ()


def causes(layered: Sequence[Layered], phase: Phase) -> tuple[Cause, ...]:
    """Return all reasons for which these policies deny in this phase."""
    enforced = [item for item in bind(layered, phase) if item.rule.mode == "enforce"]
    ordered = sorted(enforced, key=lambda item: order(item.ref))
    closed = _closed(layered, enforced) if phase == "request" else ()
    return (*_denials(enforced), *_nothing_left(enforced), *_bounds(ordered, phase), *closed)


def _denials(enforced: Iterable[BoundRule]) -> Iterable[Cause]:
    return [Cause(item.ref, item.rule.when) for item in enforced if item.rule.deny]


def _closed(layered: Sequence[Layered], enforced: Sequence[BoundRule]) -> Iterable[Cause]:
    for policy in layered:
        if not policy.document.default_permit:
            permits = [
                negated(item.rule.when)
                for item in enforced
                if item.rule.permit
                and (item.ref.layer, item.ref.policy) == (policy.layer, policy.name)
            ]
            yield Cause(policy.ref(DEFAULT_RULE), all_of(permits))


def _nothing_left(enforced: Sequence[BoundRule]) -> Iterable[Cause]:
    """Nothing is left where each name is missing in the list of a rule that matches."""
    for kind in ALLOWED:
        lists = [(item, names) for item in enforced if (names := names_of(item, kind))]
        if len(lists) > 1:
            missing = [
                any_of(item.rule.when for item, names in lists if name not in names)
                for name in sorted(frozenset[str]().union(*(names for _, names in lists)))
            ]
            refs = tuple(item.ref for item, _ in lists)
            yield Cause(refs[0], all_of(missing), refs[1:])


def names_of(item: BoundRule, kind: type[Obligation]) -> frozenset[str]:
    """Return what a rule allows of this kind; nothing where it does not say."""
    found = item.rule.demand(kind)
    return found.names if isinstance(found, ALLOWED) else frozenset()


def _bounds(ordered: Sequence[BoundRule], phase: Phase) -> Iterable[Cause]:
    for item in ordered:
        for obligation in item.rule.obligations:
            for broken in _broken(obligation, ordered, phase):
                yield Cause(item.ref, all_of((item.rule.when, broken)))


def _broken(
    obligation: Obligation, ordered: Sequence[BoundRule], phase: Phase
) -> Iterable[Expression]:
    """Yield the conditions on which a call breaks an obligation."""
    if isinstance(obligation, Cap):
        for name in ("n", "messages", "bytes"):
            most = getattr(obligation, name)
            if most is not None:
                yield compared(f"call.{name}", ">", most)
    elif isinstance(obligation, AllowModels):
        yield negated(_served(obligation.names, ordered))
    elif isinstance(obligation, AllowRegions):
        here = negated(_rerouted(ordered))
        yield all_of((here, negated(among(fact("model.region"), obligation.names))))
    elif isinstance(obligation, AllowTools):
        yield _other_tool(obligation.names, phase)
    elif isinstance(obligation, Require):
        yield from _missing(obligation)


def _routes(ordered: Sequence[BoundRule]) -> Iterable[tuple[Expression, str]]:
    """Yield when each route is taken, and to which model: only where no stronger one is."""
    before: list[Expression] = []
    for item in ordered:
        if item.rule.route:
            yield all_of((*before, item.rule.when)), item.rule.route.model
            before.append(negated(item.rule.when))


def _served(names: frozenset[str], ordered: Sequence[BoundRule]) -> Expression:
    """The model that would serve the call is one of these."""
    routes = list(_routes(ordered))
    routed, asked = fact("model.routed"), fact("model.asked")
    no_route = compared("model.routed", "==", "")
    unrouted = any_of((among(routed, names), all_of((no_route, among(asked, names)))))
    nowhere = [negated(item.rule.when) for item in ordered if item.rule.route]
    sent = [when for when, model in routes if model in names]
    return any_of((*sent, all_of((*nowhere, unrouted))))


def _rerouted(ordered: Sequence[BoundRule]) -> Expression:
    """The call goes to another model than that whose deployment is judged."""
    return any_of(
        all_of((when, compared("model.routed", "!=", model))) for when, model in _routes(ordered)
    )


def _other_tool(names: frozenset[str], phase: Phase) -> Expression:
    tools = fact("call.tools" if phase == "request" else "answer.tool_calls")
    return Quantifier("exists", tools, "t", negated(among(Element("t", "", "string"), names)))


def _missing(require: Require) -> Iterable[Expression]:
    if require.user:
        yield negated(fact("user.present"))
    for header in sorted(require.headers):
        yield negated(holds("call.headers", header))
    for name in sorted(require.metadata):
        tag = Element("t", "", "string")
        begun = operators.string_test("startsWith", tag, [text(f"{name}=")], 0)
        declared = any_of((operators.comparison("==", tag, text(name), 0), begun))
        yield negated(Quantifier("exists", fact("call.tags"), "t", declared))
