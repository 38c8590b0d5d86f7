"""Step 5: text becomes facts, facts become a decision."""

import asyncio
import logging
from datetime import datetime

from gateway.bundle import Deployment, Route
from gateway.exchange import Call, Case, Head, Judgement
from gateway.proxy import facts, metrics
from gateway.proxy.choosing import Choosing, candidates, not_served
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Forbidden, NotFound
from policies.detectors.finding import Scan
from policies.detectors.scanner import INLINE_LIMIT
from policies.pdp.decision import Effect
from policies.pdp.obligations import RouteTo

log = logging.getLogger(__name__)

NOTHING = Scan((), frozenset())


async def decide(
    head: Head, call: Call, principal: Principal, at: datetime, choosing: Choosing
) -> Case:
    """Return what was detected, who may serve the call, and the judgement for the first of them.

    `at` is an instant in UTC.
    """
    route = _route(call.model, principal)
    slots = facts.of_call(principal.facts, head, call, at.astimezone(principal.tenant.zone))
    if principal.app.policy.headers:
        facts.add_headers(slots, head, principal.app.policy.headers)
    scan = await _detect(call, principal)
    facts.add_scan(slots, scan, call.view.leaves)
    tried = _candidates(route, head, call, principal, choosing)
    first = judge(slots, scan, principal, route, tried[0])
    other = _routed(first, principal)
    if other is not None:
        route, tried = other, _candidates(other, head, call, principal, choosing)
        first = judge(slots, scan, principal, route, tried[0])
    conversation = principal.row.public_id, head.conversation
    return Case(call, slots, scan, route, tried, first, conversation)


def judgement(case: Case, principal: Principal, route: Route, deployment: Deployment) -> Judgement:
    """Return the judgement for one of those tried: a fallback can do no more than the first."""
    if deployment is case.candidates[0]:
        return case.first
    return judge(case.facts, case.scan, principal, route, deployment)


def judge(
    slots: facts.Facts, scan: Scan, principal: Principal, route: Route, deployment: Deployment
) -> Judgement:
    """Decide with the facts of one deployment bound."""
    bound = facts.of_candidate(slots, route.name, deployment)
    return Judgement(
        principal.app.policy.decide("request", bound, scan.failed), bound, route, deployment
    )


def _candidates(
    route: Route, head: Head, call: Call, principal: Principal, choosing: Choosing
) -> tuple[Deployment, ...]:
    found = candidates(route, head, call, principal, choosing)
    if not found:
        raise not_served(head, call, route)
    return found


def _route(model: str, principal: Principal) -> Route:
    """Return the route of a public model name that this app may call."""
    if model in principal.app.app.models:
        route = principal.tenant.bundle.routes.get(model)
        if route is not None and route.deployments:
            return route
    if model in principal.tenant.allowed:
        raise Forbidden(
            "model_not_allowed",
            f"The app {principal.app.app.name} may not call {model[:120]!r}.",
            "Ask for the model to be allowed for this app; GET /v1/models lists what it may call.",
            param="model",
        )
    raise NotFound(
        "model_not_found",
        f"There is no model {model[:120]!r} here.",
        "GET /v1/models lists what this key may call.",
        param="model",
    )


def _routed(judgement: Judgement, principal: Principal) -> Route | None:
    """Return the route that the policy sends the call to, if it is another; at most one hop."""
    if judgement.decision.effect is not Effect.PERMIT:
        return None
    for obligation in judgement.decision.obligations:
        if isinstance(obligation, RouteTo) and obligation.model != judgement.route.name:
            route = principal.tenant.bundle.routes.get(obligation.model)
            if route is None or not route.deployments:
                raise Forbidden(
                    "obligation_unenforceable",
                    f"The policy routes this call to {obligation.model!r}, which nobody serves.",
                    "Tell the policy's author.",
                )
            return route
    return None


async def _detect(call: Call, principal: Principal) -> Scan:
    """Run the detectors that the policy needs; long texts off the loop, which others wait for."""
    needs = principal.app.policy.needs
    if not needs or not call.view.leaves:
        return NOTHING
    scanner = principal.tenant.scanner
    if call.size <= INLINE_LIMIT:
        scan = scanner.scan(call.view.leaves, needs)
    else:
        scan = await asyncio.to_thread(scanner.scan, call.view.leaves, needs)
    for detector in scan.failed:
        metrics.DETECTOR_FAILURES.labels(detector).inc()
    return scan
