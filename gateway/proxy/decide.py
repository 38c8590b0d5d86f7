"""Step 5: text becomes facts, facts become a decision."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from gateway.bundle import Deployment, Route
from gateway.exchange import Call, Case, Head, Judgement
from gateway.proxy import facts, metrics, seams
from gateway.proxy.choosing import Choosing, candidates, not_served
from gateway.proxy.detecting import detect
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Forbidden, NotFound
from gateway.proxy.groups import paying
from gateway.proxy.inquiring import Inquirer
from policies.detectors import taint
from policies.detectors.finding import Scan
from policies.detectors.scanner import INLINE_LIMIT
from policies.detectors.taint import UNNAMED, Named
from policies.pdp.decision import Effect
from policies.pdp.obligations import RouteTo
from policies.pdp.request import NER

log = logging.getLogger(__name__)

NOTHING = Scan((), frozenset())


async def decide(
    head: Head,
    call: Call,
    principal: Principal,
    at: datetime,
    choosing: Choosing,
    inquirer: Inquirer | None = None,
) -> Case:
    """Return what was detected, who may serve the call, and the judgement for the first of them.

    `at` is an instant in UTC. Without an `inquirer` no guard is asked.
    """
    route = call.service.route if call.service else _route(call.model, principal)
    slots = facts.of_call(principal.facts, head, call, at.astimezone(principal.tenant.zone))
    if principal.app.judges.headers:
        facts.add_headers(slots, head, principal.app.judges.headers)
    if principal.app.judges.signals.counters and choosing.sightings is not None:
        lines = principal.lines
        groups = paying(lines.budgets, head, call, route.name, principal)
        counted = choosing.sightings.counted(lines.limits, groups, choosing.now_s)
        facts.add_counted(slots, counted)
    named = UNNAMED
    if principal.app.judges.signals.hosts:
        named = await _named(call)
        facts.add_tool_hosts(slots, named)
    scan, digests = await _detect(call, principal)
    if inquirer is not None:
        scan = await inquirer.scan("request", call.view, scan)
    facts.add_scan(slots, scan, call.view.leaves)
    tried = _candidates(route, head, call, principal, choosing)
    at_s = at.timestamp()
    first = judge(slots, scan, principal, route, tried[0], at_s=at_s)
    other = _routed(first, principal)
    if other is not None:
        route, tried = other, _candidates(other, head, call, principal, choosing)
        first = judge(slots, scan, principal, route, tried[0], at_s=at_s)
    metrics.compared("request", first.verdict)
    conversation = principal.row.public_id, head.conversation
    return Case(call, slots, scan, route, tried, first, digests, conversation, named)


def judgement(case: Case, principal: Principal, route: Route, deployment: Deployment) -> Judgement:
    """Return the judgement for one of those tried: a fallback can do no more than the first."""
    if deployment is case.candidates[0]:
        return case.first
    at_s = case.first.at_s
    return judge(case.facts, case.scan, principal, route, deployment, at_s=at_s)


def judge(
    slots: facts.Facts,
    scan: Scan,
    principal: Principal,
    route: Route,
    deployment: Deployment,
    *,
    at_s: float,
) -> Judgement:
    """Decide with the facts of one deployment bound; exemptions count until their instant."""
    bound = facts.of_candidate(slots, route.name, deployment)
    decision, verdict = principal.app.decide("request", bound, scan.failed, at_s)
    return Judgement(decision, bound, route, deployment, at_s, verdict)


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


async def _named(call: Call) -> Named:
    """Return the hosts that a request names; long ones are read off the loop."""
    if call.size <= INLINE_LIMIT:
        return taint.named(call.view.leaves)
    return await asyncio.to_thread(taint.named, call.view.leaves)


async def _detect(call: Call, principal: Principal) -> tuple[Scan, Sequence[str]]:
    """Run the detectors that the policy needs on what they have not read lately.

    Long texts are read off the loop, which others wait for. Returns the digests of the leaves too.
    """
    needs, leaves = principal.app.judges.needs, call.view.leaves
    if not needs or not leaves:
        return NOTHING, ()
    tenant, verdicts, apart = principal.tenant, principal.tenant.verdicts, seams.parts(call.view)
    read = (*leaves, *(part.text for part in apart)) if apart else leaves
    digests = [tenant.digest(leaf.text.encode()) for leaf in read]
    known = verdicts.known(digests, needs - {NER})
    scan = await detect(
        lambda patterns: verdicts.scan(read, digests, patterns, known),
        needs,
        tenant,
        read,
        digests=digests,
        apart=call.size > INLINE_LIMIT and None in known,
    )
    if apart:
        scan = scan._replace(findings=seams.merged(scan.findings, len(leaves), apart))
    return scan, digests[: len(leaves)]
