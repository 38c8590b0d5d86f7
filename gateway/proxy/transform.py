"""Step 6: what the policy obliges us to is done to the request, or the call is refused."""

from typing import assert_never

from gateway.exchange import Body, Call, Case, Judgement, Outgoing, Permitted
from gateway.providers.dialect import Target
from gateway.providers.dialects import between
from gateway.providers.edits import apply
from gateway.providers.fault import BadRequest as DialectFault
from gateway.proxy.errors import BadRequest, Forbidden
from gateway.proxy.obligations import denied, redaction_edits
from policies.detectors.finding import Finding
from policies.pdp.decision import CapOutputTokens, Effect, Redact, RouteTo


def enforce(case: Case, judgement: Judgement, hash_key: bytes) -> Permitted:
    """Apply every obligation, or raise Forbidden. This is the only maker of Permitted.

    BadRequest tells of what the deployment cannot honour: another may be able to.
    """
    decision, call = judgement.decision, case.call
    if decision.effect is not Effect.PERMIT:
        raise denied(decision)
    body = call.body
    cap = call.max_output_tokens or judgement.route.default_max_output_tokens
    cap = min(cap, judgement.route.max_output_tokens)
    for obligation in decision.obligations:
        match obligation:
            case Redact():
                body = _redacted(call, case.scan.findings, obligation, hash_key)
            case CapOutputTokens(max_output_tokens=limit):
                cap = min(cap, limit)
            case RouteTo(model=model):
                if model != judgement.route.name:
                    raise Forbidden(
                        "obligation_unenforceable",
                        f"The policy routes this call to {model!r} after it was routed already.",
                        "Tell the policy's author.",
                    )
            case _:
                assert_never(obligation)
    outgoing = _outgoing(judgement, call, body, cap)
    return Permitted(call, body, cap, judgement.route, judgement.deployment, outgoing)


def _outgoing(judgement: Judgement, call: Call, body: Body, cap: int) -> Outgoing:
    """Return the judged body in the dialect of the deployment."""
    route, deployment = judgement.route, judgement.deployment
    interpreter = between(call.endpoint, deployment.dialect)
    assert interpreter is not None  # noqa: S101  (`decide` tries no other deployment)
    target = Target(deployment.model, deployment.base_url, cap, call.stream)
    try:
        outgoing = interpreter.outgoing(call, body, target)
    except DialectFault as fault:
        raise BadRequest("invalid_request", fault.message, param=fault.param or None) from None
    if outgoing.left_out and not route.plan.drop_unsupported:
        name = outgoing.left_out[0]
        raise BadRequest(
            "invalid_request",
            f"{route.name} is served by {deployment.provider}, which cannot honour {name!r}.",
            "Leave the field out, choose another model, or have the route drop such fields.",
            param=name,
        )
    return outgoing


def _redacted(call: Call, findings: tuple[Finding, ...], redact: Redact, hash_key: bytes) -> Body:
    changes = redaction_edits(call.view, findings, redact, hash_key)
    return apply(call.body, call.view, changes) if changes else call.body
