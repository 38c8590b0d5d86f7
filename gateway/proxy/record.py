"""Steps 8 and 11: what happened to a call, as evidence. No text of a prompt or an answer in it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

import orjson

from audit.record import Record
from gateway.exchange import Answer, Case, Charge, Head, Judgement, Permitted, Reservation
from gateway.proxy import facts
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Refusal
from gateway.proxy.evidence import Claim
from policies.detectors.finding import Scan
from policies.pdp.decision import CapOutputTokens, Decision, Obligation, Redact, RouteTo

MOST_DIGESTS = 32
DIGEST_BYTES = 16


class Trail:
    """One call on its way: its identity, what is known of it so far, and how long each step took."""

    __slots__ = (
        "admitted", "at", "attempt", "call_id", "case", "clock", "head", "marks", "principal",
        "raw", "request_id", "started_s", "upstream_s", "upstream_since_s",
    )  # fmt: skip

    def __init__(
        self, call_id: UUID, at: datetime, started_s: float, clock: Callable[[], float]
    ) -> None:
        self.call_id = call_id
        self.request_id = str(call_id)
        self.at = at
        self.started_s = started_s
        self.clock = clock
        self.marks: dict[str, int] = {}
        self.upstream_s = 0.0
        self.upstream_since_s: float | None = None
        self.attempt = 0
        self.admitted = False
        self.head: Head | None = None
        self.principal: Principal | None = None
        self.raw = b""
        self.case: Case | None = None

    @property
    def decision_id(self) -> str | None:
        """The id that names the decision, once there is one."""
        return self.request_id if self.case is not None else None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the head arrived."""
        return self.clock() - self.started_s

    def mark(self, step: str) -> None:
        """Note how many microseconds after its beginning the call finished a step."""
        self.marks[step] = int((self.clock() - self.started_s) * 1e6)

    def upstream_began(self) -> None:
        """The provider has the call: from here on it is not us who are slow."""
        self.upstream_since_s = self.clock()

    def upstream_ended(self) -> None:
        """The provider's answer, or its first chunk, is here."""
        if self.upstream_since_s is not None:
            self.upstream_s += self.clock() - self.upstream_since_s
            self.upstream_since_s = None


def refused(
    trail: Trail, case: Case, principal: Principal, refusal: Refusal, at: datetime
) -> Record:
    """Return the record of a call that was decided and did not leave."""
    body = _decided(trail, case, case.first, principal)
    body |= {
        "status": refusal.status,
        "message": refusal.message,
        "rule": refusal.rule,
        "timings_us": trail.marks,
    }
    return _record("refused", trail, principal, case.call.model, refusal.code, None, body, at)


def admitted(
    trail: Trail,
    case: Case,
    judgement: Judgement,
    permitted: Permitted,
    reservation: Reservation,
    principal: Principal,
    at: datetime,
) -> Record:
    """Return the record that must be durable before an attempt leaves."""
    deployment = permitted.deployment
    body = _decided(trail, case, judgement, principal)
    body |= {
        "provider": deployment.provider,
        "deployment": deployment.id,
        "upstream_model": deployment.model,
        "route": permitted.route.name,
        "region": deployment.region,
        "cap": permitted.cap,
        "bound_micros": reservation.micros,
        "currency": reservation.price.currency if reservation.price else "",
        "redacted": permitted.body is not case.call.body,
        "timings_us": dict(trail.marks),
    }
    return _record("admitted", trail, principal, case.call.model, "", None, body, at)


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


def completed(
    trail: Trail, case: Case, principal: Principal, spent: Charge, end: "Ending", at: datetime
) -> Record:
    """Return the record of how an attempt ended and what it cost."""
    usage, answer = spent.usage, end.answer
    body: dict[str, Any] = {
        "status": end.status,
        "charge": spent.basis,
        "cost_pico": str(spent.pico),
        "timings_us": trail.marks,
    }
    if usage is not None:
        body["usage"] = [usage.input_tokens, usage.output_tokens, usage.cached_input_tokens]
    if end.finish:
        body["finish"] = end.finish
    if answer is not None:
        body["digest"] = _digest(principal.tenant.mac_key, orjson.dumps(answer.body))
        if end.scan is not None and end.scan.findings:
            body["findings"] = facts.finding_facts(end.scan.findings, answer.view.leaves)
    if end.decision is not None:
        body["decision"] = _decision(end.decision)
    if end.facts is not None:
        body["facts"] = facts.recorded(end.facts)
    return _record("completed", trail, principal, case.call.model, end.code, spent.micros, body, at)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended. `answer` is the provider's, before inspection."""

    status: int
    code: str
    finish: str
    answer: Answer | None
    scan: Scan | None
    decision: Decision | None
    facts: list[Any] | None


def _decided(
    trail: Trail, case: Case, judgement: Judgement, principal: Principal
) -> dict[str, Any]:
    head, call, tenant = trail.head, case.call, principal.tenant
    policy = principal.app.policy
    body: dict[str, Any] = {
        "endpoint": call.endpoint.value,
        "stream": call.stream,
        "facts": facts.recorded(judgement.facts),
        "decision": _decision(judgement.decision),
        "policies": policy.labels,
        "policy_hash": policy.hash,
        "detectors": tenant.scanner.version,
        "revision": tenant.bundle.revision,
        "digest": _digest(tenant.mac_key, trail.raw),
        "digests": [
            _digest(tenant.mac_key, leaf.text.encode()) for leaf in call.view.leaves[:MOST_DIGESTS]
        ],
        "key_name": principal.row.name,
        "app": principal.app.app.name,
    }
    if head is not None:
        body["source"] = head.source
        body["user"] = principal.row.user or head.user or call.user
        if head.conversation:
            body["conversation"] = head.conversation
        if head.client_request_id:
            body["client_request_id"] = head.client_request_id
    return body


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
        found["obligations"] = [_obligation(obligation) for obligation in decision.obligations]
    return found


def _obligation(obligation: Obligation) -> dict[str, Any]:
    match obligation:
        case Redact(kinds=kinds, min_score=score, method=method):
            return {"redact": {"kinds": sorted(kinds), "min_score": score, "method": method}}
        case CapOutputTokens(max_output_tokens=cap):
            return {"cap": {"max_output_tokens": cap}}
        case RouteTo(model=model):
            return {"route": model}
        case _:
            assert_never(obligation)


def _digest(key: bytes, text: bytes) -> str:
    return hashlib.blake2b(text, key=key, digest_size=DIGEST_BYTES).hexdigest()


def _record(
    kind: Any,
    trail: Trail,
    principal: Principal,
    model: str,
    code: str,
    cost_micros: int | None,
    body: dict[str, Any],
    at: datetime,
) -> Record:
    return Record(
        kind=kind,
        call_id=trail.call_id,
        attempt=trail.attempt,
        at=at,
        tenant_id=principal.row.tenant_id,
        app_id=principal.row.app_id,
        key_id=principal.row.public_id,
        model=model,
        code=code,
        cost_micros=cost_micros,
        body=body,
    )
