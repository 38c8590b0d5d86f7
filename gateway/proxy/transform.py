"""Step 6: what the policy obliges us to is done to the request, or the call is refused."""

from typing import assert_never

from gateway.exchange import Body, Call, Case, Judgement, Outgoing, Permitted
from gateway.providers.dialect import Target
from gateway.providers.dialects import between
from gateway.providers.edits import apply
from gateway.providers.fault import BadRequest as DialectFault
from gateway.providers.fault import Unenforceable
from gateway.proxy import shaping
from gateway.proxy.errors import BadRequest, Forbidden
from gateway.proxy.obligations import changes, denied
from policies.detectors.placeholders import Minter, salt
from policies.pdp.decision import Decision, Effect
from policies.pdp.obligations import (
    AddSystemPrompt,
    AllowModels,
    AllowRegions,
    AllowTools,
    Cap,
    Notify,
    Obligation,
    Redact,
    Require,
    RouteTo,
    Sanitise,
    SetDefault,
    Tag,
)


def enforce(case: Case, judgement: Judgement, hash_key: bytes) -> Permitted:
    """Apply every obligation, or raise Forbidden. This is the only maker of Permitted.

    BadRequest tells of what the deployment cannot honour: another may be able to.
    """
    decision, call = judgement.decision, case.call
    if decision.effect is not Effect.PERMIT:
        raise denied(decision)
    for obligation in decision.obligations:
        _check_known(obligation, judgement)
    body, hidden, values = _taken_out(case, decision, hash_key)
    redacted = body is not call.body
    body = _shaped(call, body, decision)
    cap = _cap(call, judgement)
    outgoing = _outgoing(judgement, call, body, cap)
    return Permitted(
        call, body, cap, judgement.route, judgement.deployment, outgoing, redacted, hidden, values
    )


def _check_known(obligation: Obligation, judgement: Judgement) -> None:
    """Hold that something is done about every kind of obligation, and that a route was taken."""
    match obligation:
        case Redact() | Sanitise():
            pass  # _taken_out
        case Cap() | SetDefault() | AddSystemPrompt():
            pass  # _shaped and _cap
        case AllowModels() | AllowRegions() | AllowTools() | Require():
            pass  # policies.pdp.bounds: where they are not kept, the decision is to deny
        case Tag() | Notify():
            pass  # the record holds them, obligations.announce tells of them
        case RouteTo(model=model):
            if model != judgement.route.name:
                raise Forbidden(
                    "obligation_unenforceable",
                    f"The policy routes this call to {model!r} after it was routed already.",
                    "Tell the policy's author.",
                )
        case _:
            assert_never(obligation)


def _taken_out(
    case: Case, decision: Decision, hash_key: bytes
) -> tuple[Body, tuple[tuple[str, int], ...], dict[str, str]]:
    """Return the body without what must not leave, how much text was hidden, by carrier, and what
    the placeholders in it stand for."""
    call, redact, sanitise = case.call, decision.demand(Redact), decision.demand(Sanitise)
    if redact is None and sanitise is None:
        return call.body, (), {}
    minter = _minter(case, redact, hash_key)
    mint = minter.mint if minter else None
    found = changes(call.view, case.scan.findings, hash_key, redact, sanitise, mint=mint)
    body = apply(call.body, call.view, found.edits) if found.edits else call.body
    values = minter.values() if minter else {}
    return body, tuple(sorted(found.hidden.items())), values


def _minter(case: Case, redact: Redact | None, key: bytes) -> Minter | None:
    """Return who makes the placeholders of a call, if any are wanted: a conversation that has no
    name is known by what the user said first."""
    if redact is None or redact.method != "placeholder" or not case.scan.findings:
        return None
    key_id, name = case.conversation
    leaves = case.call.view.leaves
    first = next((leaf.text for leaf in leaves if leaf.role == "user"), "")
    conversation = f"{key_id}\0{'n' if name else 'm'}\0{name or first}"
    return Minter(salt(key, conversation, (leaf.text for leaf in leaves)))


def _shaped(call: Call, body: Body, decision: Decision) -> Body:
    """Return the body with what the policy adds; Forbidden where there is no place for it."""
    default, cap = decision.demand(SetDefault), decision.demand(Cap)
    prompt = decision.demand(AddSystemPrompt)
    if default is not None:
        body = _kept(shaping.defaulted(call.endpoint, body, default), default, call)
    if cap is not None and cap.temperature is not None:
        body = _kept(shaping.cooled(call, body, cap.temperature), cap, call)
    if prompt is not None:
        body = _kept(shaping.prompted(call.endpoint, body, prompt.texts), prompt, call)
    return body


def _kept(body: Body | None, obligation: Obligation, call: Call) -> Body:
    if body is None:
        raise shaping.unenforceable(obligation, call.endpoint)
    return body


def _cap(call: Call, judgement: Judgement) -> int:
    """Return the cap on output that is sent: the client's, or a default, within every bound."""
    route, default = judgement.route, judgement.decision.demand(SetDefault)
    bound = judgement.decision.demand(Cap)
    usual = default.value("max_output_tokens") if default is not None else None
    wanted = call.max_output_tokens or usual or route.default_max_output_tokens
    most = bound.max_output_tokens if bound is not None else None
    return int(min(wanted, route.max_output_tokens, most or wanted))


def _outgoing(judgement: Judgement, call: Call, body: Body, cap: int) -> Outgoing:
    """Return the judged body in the dialect of the deployment."""
    route, deployment = judgement.route, judgement.deployment
    interpreter = between(call.endpoint, deployment.dialect)
    assert interpreter is not None  # noqa: S101  (`decide` tries no other deployment)
    target = Target(deployment.model, deployment.base_url, cap, call.stream)
    try:
        outgoing = interpreter.outgoing(call, body, target)
    except Unenforceable as fault:
        raise Forbidden("obligation_unenforceable", fault.message, param=fault.param) from None
    except DialectFault as fault:
        raise BadRequest("invalid_request", fault.message, param=fault.param or None) from None
    if outgoing.left_out and not route.plan.drop_unsupported:
        name = outgoing.left_out[0]
        other = outgoing.beside.get(name)
        beside = f" beside {other!r}" if other else ""
        raise BadRequest(
            "invalid_request",
            f"{route.name} is served by {deployment.provider},"
            f" which cannot honour {name!r}{beside}.",
            "Leave the field out, choose another model, or have the route drop such fields.",
            param=name,
        )
    return outgoing
