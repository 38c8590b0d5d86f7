"""Step 6: what the policy obliges us to is done to the request, or the call is refused."""

from typing import assert_never

from gateway.exchange import Body, Call, Case, Judgement, Permitted
from gateway.providers.edits import apply
from gateway.proxy.errors import Forbidden
from gateway.proxy.obligations import denied, redaction_edits
from policies.detectors.finding import Finding
from policies.pdp.decision import CapOutputTokens, Effect, Redact, RouteTo


def enforce(case: Case, judgement: Judgement, hash_key: bytes) -> Permitted:
    """Apply every obligation, or raise Forbidden. This is the only maker of Permitted."""
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
    return Permitted(call, body, cap, judgement.route, judgement.deployment)


def _redacted(call: Call, findings: tuple[Finding, ...], redact: Redact, hash_key: bytes) -> Body:
    changes = redaction_edits(call.view, findings, redact, hash_key)
    return apply(call.body, call.view, changes) if changes else call.body
