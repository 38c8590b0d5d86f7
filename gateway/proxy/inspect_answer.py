"""Step 10: what the policy says of an answer is done before a byte of it reaches the client.

Where an answer rule is in effect a stream is gathered whole (bounded), inspected as the answer that
it is, and then sent as a stream: nothing forbidden leaves, whatever the seams between chunks.
"""

import asyncio
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.exchange import Answer, Judgement, Permitted
from gateway.providers.dialect import AnswerStream, Interpreter, Passing, Source
from gateway.providers.dialects import between
from gateway.providers.edits import apply
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.proxy import facts, metrics
from gateway.proxy.attempt import MOST_ANSWER_BYTES, unreadable
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Forbidden
from gateway.proxy.obligations import denied, redaction_edits
from gateway.proxy.trail import Trail
from policies.detectors.finding import Scan
from policies.detectors.scanner import INLINE_LIMIT
from policies.pdp.decision import CapOutputTokens, Decision, Effect, Redact, RouteTo

NOTHING = Scan((), frozenset())


class Inspected(NamedTuple):
    """What may be seen of an answer, and why; with a `refusal` nothing of it may be seen: it was
    produced and is paid for."""

    answer: Answer
    scan: Scan | None = None
    decision: Decision | None = None
    facts: list[Any] | None = None
    refusal: Forbidden | None = None


def interpreter(permitted: Permitted) -> Interpreter:
    """Return who stands between the client and the deployment of a permitted call."""
    found = between(permitted.call.endpoint, permitted.deployment.dialect)
    assert found is not None  # noqa: S101  (`transform.enforce` permits no other)
    return found


def parse(permitted: Permitted, raw: bytes, trail: Trail, principal: Principal) -> Answer:
    """Read a provider's whole answer; an answer that cannot be read cannot be inspected."""
    try:
        return interpreter(permitted).answer(
            raw,
            viewed=principal.app.policy.answer_rules,
            created_s=int(trail.at.timestamp()),
            source=_source(permitted, trail),
        )
    except BadAnswer as fault:
        raise unreadable(f"could not be read: {fault}") from None


def stream_of(permitted: Permitted, trail: Trail, principal: Principal) -> AnswerStream:
    """Return the reader of a provider's stream: it gathers where an answer rule is in effect."""
    return interpreter(permitted).stream(
        Passing(
            collect=principal.app.policy.answer_rules,
            limit=MOST_ANSWER_BYTES,
            keep_usage=permitted.call.include_usage,
            created_s=int(trail.at.timestamp()),
            source=_source(permitted, trail),
        )
    )


def _source(permitted: Permitted, trail: Trail) -> Source:
    """Return what an answer says of itself where its provider does not."""
    instant_s = int(trail.at.timestamp())
    return Source(f"{trail.request_id}-{trail.attempt}", permitted.deployment.model, instant_s)


def gathered(stream: AnswerStream) -> Answer:
    """Return the whole answer that a stream brought."""
    try:
        return stream.assemble()
    except (BadAnswer, TooLarge) as fault:
        raise unreadable(f"could not be read: {fault}") from None


def rendered(permitted: Permitted, answer: Answer) -> bytes:
    """Return an inspected answer as the stream that the client waits for."""
    return interpreter(permitted).render(answer, keep_usage=permitted.call.include_usage)


async def inspect(
    answer: Answer, judgement: Judgement, principal: Principal, request_scan: Scan
) -> Inspected:
    """Decide on an answer, and keep every obligation of the decision.

    A rule of the answer may read facts of the request: what failed there is unknown here too.
    """
    policy = principal.app.policy
    if not policy.answer_rules:
        return Inspected(answer)
    scan = NOTHING
    if policy.answer_needs and answer.view.leaves:
        scan = await _detect(answer, principal)
    bound = facts.of_answer(judgement, answer, answer.text_bytes, scan)
    decision = policy.decide("answer", bound, scan.failed | request_scan.failed)
    if decision.effect is not Effect.PERMIT:
        return Inspected(answer, scan, decision, bound, denied(decision))
    visible = _obliged(answer, scan, decision, principal.tenant.hash_key)
    return Inspected(visible, scan, decision, bound)


async def _detect(answer: Answer, principal: Principal) -> Scan:
    """Run the detectors that the policy needs; long texts off the loop, which others wait for."""
    needs, leaves = principal.app.policy.answer_needs, answer.view.leaves
    scanner = principal.tenant.scanner
    if sum(len(leaf.text) for leaf in leaves) <= INLINE_LIMIT:
        scan = scanner.scan(leaves, needs)
    else:
        scan = await asyncio.to_thread(scanner.scan, leaves, needs)
    for detector in scan.failed:
        metrics.DETECTOR_FAILURES.labels(detector).inc()
    return scan


def _obliged(answer: Answer, scan: Scan, decision: Decision, hash_key: bytes) -> Answer:
    for obligation in decision.obligations:
        match obligation:
            case Redact():
                changes = redaction_edits(answer.view, scan.findings, obligation, hash_key)
                if changes:
                    body = apply(answer.body, answer.view, changes)
                    answer = replace(answer, body=body)
            case CapOutputTokens() | RouteTo():
                raise _unenforceable(obligation)
    return answer


def _unenforceable(obligation: object) -> Forbidden:
    return Forbidden(
        "obligation_unenforceable",
        f"{type(obligation).__name__} cannot be done to an answer.",
        "Tell the policy's author.",
    )
