"""Step 10: what the policy says of an answer is done before a byte of it reaches the client.

Where an answer rule is in effect a stream is gathered whole (bounded), inspected as the answer that
it is, and then sent as a stream: nothing forbidden leaves, whatever the seams between chunks.
"""

import asyncio
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.exchange import Answer, Call, Judgement
from gateway.providers.edits import apply
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.openai import stream as openai_stream
from gateway.providers.openai import upstream as openai_upstream
from gateway.proxy import facts, metrics
from gateway.proxy.attempt import MOST_ANSWER_BYTES, unreadable
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Forbidden
from gateway.proxy.obligations import denied, redaction_edits
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


def parse(call: Call, raw: bytes, principal: Principal) -> Answer:
    """Read a provider's whole answer; an answer that cannot be read cannot be inspected."""
    try:
        return openai_upstream.parse_answer(
            call.endpoint, raw, viewed=principal.app.policy.answer_rules
        )
    except BadAnswer as fault:
        raise unreadable(f"could not be read: {fault}") from None


def stream_of(call: Call, principal: Principal) -> openai_stream.ChatStream:
    """Return the reader of a provider's stream: it gathers where an answer rule is in effect."""
    return openai_stream.ChatStream(
        keep_usage=call.include_usage,
        collect=principal.app.policy.answer_rules,
        limit=MOST_ANSWER_BYTES,
    )


def gathered(stream: openai_stream.ChatStream) -> Answer:
    """Return the whole answer that a stream brought."""
    try:
        return stream.assemble()
    except (BadAnswer, TooLarge) as fault:
        raise unreadable(f"could not be read: {fault}") from None


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
    bound = facts.of_answer(judgement, answer, openai_upstream.answer_bytes(answer.body), scan)
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
