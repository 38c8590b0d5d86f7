"""Steps 8 and 11: what happened to a call, as evidence. No text of a prompt or an answer in it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from audit.record import Kind, Record
from gateway.exchange import Answer, Charge, Judgement, Permitted, Recalled, Reservation, Usage
from gateway.proxy import facts
from gateway.proxy.errors import Refusal
from gateway.proxy.evidence.writer import Claim
from gateway.proxy.tenant import LoadedApp, LoadedTenant
from gateway.proxy.trail import Decided
from policies.detectors.finding import Leaf, Scan
from policies.pdp.decision import Decision
from policies.pdp.request import SCHEMA_VERSION
from policies.pdp.rollout import Verdict

MOST_DIGESTS = 32


def refused(decided: Decided, refusal: Refusal, at: datetime) -> Record:
    """Return the record of a call that was decided and did not leave."""
    body = _decided(decided, decided.case.first)
    body |= {
        "status": refusal.status,
        "message": refusal.message,
        "rule": refusal.rule,
        "timings_us": decided.trail.marks,
    }
    return _record("refused", decided, refusal.code, None, body, at)


def admitted(
    decided: Decided,
    judgement: Judgement,
    permitted: Permitted,
    reservation: Reservation,
    at: datetime,
) -> Record:
    """Return the record that must be durable before an attempt leaves."""
    deployment = permitted.deployment
    body = _decided(decided, judgement)
    body |= {
        "provider": deployment.provider,
        "deployment": deployment.id,
        "upstream_model": deployment.model,
        "route": permitted.route.name,
        "region": deployment.region,
        "cap": permitted.cap,
        "bound_micros": reservation.micros,
        "currency": reservation.price.currency if reservation.price else "",
        "redacted": permitted.redacted,
        "timings_us": dict(decided.trail.marks),
    }
    if permitted.hidden:
        body["sanitised"] = dict(permitted.hidden)
    if permitted.placeholders:
        body["placeholders"] = len(permitted.placeholders)
    if permitted.outgoing.left_out:
        body["left_out"] = [facts.plain_name(name) for name in permitted.outgoing.left_out]
    return _record("admitted", decided, "", None, body, at)


def claim(reservation: Reservation, lease_s: float) -> Claim:
    """Return the hold that is written with the admission."""
    return Claim(
        epoch=reservation.epoch,
        seq=reservation.seq,
        amounts=[
            (line.budget.id, line.start_s, line.end_s, line.group, reservation.micros)
            for line in reservation.budgets
        ],
        bound_pico=reservation.bound_pico,
        currency=reservation.price.currency if reservation.price else "",
        lease_s=lease_s,
    )


def completed(decided: Decided, spent: Charge, end: "Ending", at: datetime) -> Record:
    """Return the record of how an attempt ended and what it cost."""
    usage, answer = spent.usage, end.answer
    body: dict[str, Any] = {
        "status": end.status,
        "charge": spent.basis,
        "cost_pico": str(spent.pico),
        "timings_us": decided.trail.marks,
    }
    if usage is not None:
        body["usage"] = _usage(usage)
    if decided.trail.recalled is not None:
        body["cache"] = _recalled(decided.trail.recalled)
    if end.finish:
        body["finish"] = facts.plain_name(end.finish)
    if answer is not None:
        said = answer.raw or end.written or orjson.dumps(answer.body)
        body["digest"] = decided.principal.tenant.digest(said)
        if end.scan is not None and end.scan.findings:
            body["findings"] = facts.finding_facts(end.scan.findings, answer.view.leaves)
    if end.scan is not None:
        body |= _detected(end.scan)
    if end.decision is not None:
        body |= _judged(decided, end, end.decision)
    row = _record("completed", decided, end.code, spent.micros, body, at)
    return row if end.attempt in (0, row.attempt) else row._replace(attempt=end.attempt)


def _judged(decided: Decided, end: "Ending", decision: Decision) -> dict[str, Any]:
    """Return what the policy said of the answer, on which facts."""
    found: dict[str, Any] = {"decision": _decision(decision)}
    failed = decided.case.scan.failed & decided.principal.app.judges.recalls
    failed |= end.scan.failed if end.scan else frozenset()
    if failed:
        found["failed"] = sorted(failed)
    if end.facts is not None:
        found["facts"] = facts.recorded(end.facts)
    if end.hidden:
        found["sanitised"] = end.hidden
    if end.verdict is not None:
        found["rollout"] = _compared(decided.principal.app, end.verdict)
    return found


def _recalled(recalled: Recalled) -> dict[str, Any]:
    """Return what kept answers had to do with the call; of none, nothing but that."""
    if not recalled.first:
        return {"outcome": recalled.outcome}
    return {
        "outcome": recalled.outcome,
        "age_s": recalled.age_s,
        "stale": recalled.stale,
        "saved_pico": str(recalled.saved_pico),
        "currency": recalled.currency,
        "first": recalled.first,
    }


def _usage(usage: Usage) -> list[int]:
    return [
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    ]


class Ending(NamedTuple):
    """How an attempt ended. `answer` is the provider's, before inspection, `written` its body as
    JSON where that is at hand; `attempt` is its number, 0 for the last one."""

    status: int
    code: str
    finish: str
    answer: Answer | None
    scan: Scan | None
    decision: Decision | None
    facts: list[Any] | None
    attempt: int = 0
    hidden: dict[str, int] | None = None
    verdict: Verdict | None = None
    written: bytes = b""


def _decided(decided: Decided, judgement: Judgement) -> dict[str, Any]:
    trail, principal, case = decided
    head, call, tenant = trail.head, case.call, principal.tenant
    policy = principal.app.policy
    body: dict[str, Any] = {
        "endpoint": call.endpoint.value,
        "stream": call.stream,
        "facts": facts.recorded(judgement.facts),
        "decision": _decision(judgement.decision),
        "policies": policy.labels,
        "policy_hash": policy.hash,
        "facts_schema": SCHEMA_VERSION,
        "detectors": tenant.detectors,
        "revision": tenant.bundle.revision,
        "digest": tenant.digest(trail.raw),
        "digests": case.digests[:MOST_DIGESTS] or _digests(tenant, call.view.leaves),
        "key_name": principal.row.name,
        "app": principal.app.app.name,
    }
    body |= _detected(case.scan)
    if policy.exemptions:
        body["exempting"] = [exemption.written() for exemption in policy.exemptions]
    if judgement.verdict is not None:
        body["rollout"] = _compared(principal.app, judgement.verdict)
    if trail.reshaping is not None and trail.reshaping.applied:
        body["transformations"] = trail.reshaping.applied
    if head is not None:
        body["source"] = head.source
        body["user"] = principal.row.user or head.user or call.user
        if head.conversation:
            body["conversation"] = head.conversation
        if head.client_request_id:
            body["client_request_id"] = head.client_request_id
    return body


def _detected(scan: Scan) -> dict[str, Any]:
    """Return which detectors could not finish, and how the tenant's guards answered, if any did."""
    found: dict[str, Any] = {}
    if scan.failed:
        found["failed"] = sorted(scan.failed)
    if scan.heard:
        found["guards"] = [one._asdict() for one in scan.heard]
    return found


def _compared(app: LoadedApp, verdict: Verdict) -> dict[str, Any]:
    """Return what another version than the one that holds says, and by which both can be told."""
    rollout = app.rollout
    assert rollout is not None  # noqa: S101  (it gave the verdict)
    labels = app.beside.labels if app.beside is not None else ()
    whole = {"name": app.rollout_name, "percent": rollout.percent, "other_policies": labels}
    return whole | verdict.written(rollout.hashes)


def decision_written(decision: Decision) -> dict[str, Any]:
    """Return a decision as records keep it: what has to come out again when it is repeated."""
    return _decision(decision)


def _decision(decision: Decision) -> dict[str, Any]:
    found: dict[str, Any] = {
        "effect": decision.effect.value,
        "determining": [[ref.layer, ref.policy, ref.rule] for ref in decision.determining],
        "matched": decision.matched,
    }
    if decision.code:
        found["code"] = decision.code
        found["message"], found["remedy"] = decision.message, decision.remedy
    if decision.shadow:
        found["shadow"] = decision.shadow
    if decision.risk:
        found["risk"], found["contributions"] = decision.risk, decision.contributions
    if decision.obligations:
        found["obligations"] = [{item.key: item.written()} for item in decision.obligations]
    if decision.exemptions:
        found["exemptions"] = decision.exemptions
    return found


def _digests(tenant: LoadedTenant, leaves: Sequence[Leaf]) -> list[str]:
    return [tenant.digest(leaf.text.encode()) for leaf in leaves[:MOST_DIGESTS]]


def _record(
    kind: Kind,
    decided: Decided,
    code: str,
    cost_micros: int | None,
    body: dict[str, Any],
    at: datetime,
) -> Record:
    trail, principal, case = decided
    return Record(
        kind=kind,
        call_id=trail.call_id,
        attempt=trail.attempt,
        at=at,
        tenant_id=principal.row.tenant_id,
        app_id=principal.row.app_id,
        key_id=principal.row.public_id,
        model=case.call.model,
        code=code,
        cost_micros=cost_micros,
        body=body,
    )
