"""Step 10: what the policy says of an answer is done before a byte of it reaches the client.

Where an answer rule is in effect a stream is gathered whole (bounded), inspected as the answer that
it is, and then sent as a stream: nothing forbidden leaves, whatever the seams between chunks.
"""

import asyncio
from dataclasses import replace
from typing import Any, NamedTuple, assert_never

from gateway.exchange import Answer, Judgement, Permitted
from gateway.providers.dialect import AnswerStream, Interpreter, Passing, Source
from gateway.providers.dialects import between
from gateway.providers.edits import apply
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.translation import Translation
from gateway.proxy import facts, metrics
from gateway.proxy.attempt import MOST_ANSWER_BYTES, unreadable
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Forbidden
from gateway.proxy.obligations import changes, denied
from gateway.proxy.trail import Trail
from policies.detectors import links
from policies.detectors.finding import Scan
from policies.detectors.scanner import INLINE_LIMIT
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

NOTHING = Scan((), frozenset())


class Inspected(NamedTuple):
    """What may be seen of an answer, and why; with a `refusal` nothing of it may be seen: it was
    produced and is paid for."""

    answer: Answer
    scan: Scan | None = None
    decision: Decision | None = None
    facts: list[Any] | None = None
    refusal: Forbidden | None = None
    hidden: dict[str, int] | None = None


def interpreter(permitted: Permitted) -> Interpreter:
    """Return who stands between the client and the deployment of a permitted call."""
    found = between(permitted.call.endpoint, permitted.deployment.dialect)
    assert found is not None  # noqa: S101  (`transform.enforce` permits no other)
    return found


def _named(permitted: Permitted, trail: Trail) -> Interpreter:
    """Return who reads the answer to a permitted call, which has a name if its provider gives
    none."""
    found = interpreter(permitted)
    if not isinstance(found, Translation):
        return found
    name = f"{trail.request_id}-{trail.attempt}"
    return found.named(Source(name, permitted.deployment.model, int(trail.at.timestamp())))


def parse(permitted: Permitted, raw: bytes, trail: Trail, principal: Principal) -> Answer:
    """Read a provider's whole answer; an answer that cannot be read cannot be inspected."""
    try:
        return _named(permitted, trail).answer(
            raw, viewed=principal.app.policy.answer_rules, created_s=int(trail.at.timestamp())
        )
    except BadAnswer as fault:
        raise unreadable(f"could not be read: {fault}") from None


def stream_of(permitted: Permitted, trail: Trail, principal: Principal) -> AnswerStream:
    """Return the reader of a provider's stream: it gathers where an answer rule is in effect."""
    found = _named(permitted, trail).stream(
        Passing(
            collect=principal.app.policy.answer_rules,
            limit=MOST_ANSWER_BYTES,
            keep_usage=permitted.call.include_usage,
            created_s=int(trail.at.timestamp()),
        )
    )
    return found if trail.reshaping is None else trail.reshaping.cut_stream(found)


def gathered(stream: AnswerStream) -> Answer:
    """Return the whole answer that a stream brought."""
    try:
        return stream.assemble()
    except (BadAnswer, TooLarge) as fault:
        raise unreadable(f"could not be read: {fault}") from None


def rendered(permitted: Permitted, answer: Answer, trail: Trail) -> bytes:
    """Return an inspected answer as the stream that the client waits for."""
    told = interpreter(permitted).render(answer, keep_usage=permitted.call.include_usage)
    return told if trail.reshaping is None else trail.reshaping.cut_events(told)


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
    if policy.reads_links:
        facts.add_links(bound, answer)
    decision = policy.decide("answer", bound, scan.failed | request_scan.failed)
    if decision.effect is not Effect.PERMIT:
        return Inspected(answer, scan, decision, bound, denied(decision))
    visible, hidden = _obliged(answer, scan, decision, principal.tenant.hash_key)
    return Inspected(visible, scan, decision, bound, hidden=hidden)


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


def _obliged(
    answer: Answer, scan: Scan, decision: Decision, hash_key: bytes
) -> tuple[Answer, dict[str, int]]:
    """Return what may be seen, and how many characters that hid text are gone, by carrier."""
    for obligation in decision.obligations:
        _check_known(obligation)
    redact, sanitise = decision.demand(Redact), decision.demand(Sanitise)
    found = list(scan.findings)
    if redact is not None and redact.links:
        found += links.findings([leaf.text for leaf in answer.view.leaves])
    edits, hidden = changes(answer.view, found, hash_key, redact, sanitise)
    if edits:
        answer = replace(answer, body=apply(answer.body, answer.view, edits))
    return answer, hidden


def _check_known(obligation: Obligation) -> None:
    """Hold that something is done about every kind of obligation that an answer can have."""
    match obligation:
        case Redact() | Sanitise() | AllowTools() | Tag() | Notify():
            pass
        case Cap() | RouteTo() | AllowModels() | AllowRegions() | Require():
            raise _unenforceable(obligation)
        case AddSystemPrompt() | SetDefault():
            raise _unenforceable(obligation)
        case _:
            assert_never(obligation)


def _unenforceable(obligation: Obligation) -> Forbidden:
    return Forbidden(
        "obligation_unenforceable",
        f"The policy's {obligation.key} cannot be done to an answer.",
        "Tell the policy's author.",
    )
