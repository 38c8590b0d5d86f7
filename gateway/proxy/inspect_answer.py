"""Step 10: what the policy says of an answer is done before a byte of it reaches the client.

Where its first finding decides every answer rule, a stream leaves as it becomes certain; otherwise
it is gathered whole (bounded), inspected as the answer that it is, and then sent as a stream. Both
ways nothing forbidden leaves, whatever the seams between chunks, and a stream is judged in the end
as the whole answer that it was.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, assert_never

from gateway.exchange import Answer, Body, Case, Edit, Judgement, Permitted
from gateway.providers.dialect import AnswerStream, Interpreter, Passing, Source
from gateway.providers.dialects import between
from gateway.providers.edits import apply
from gateway.providers.embedding import EmbeddingTranslation
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.responses.native import ResponsesNative
from gateway.providers.service.native import ServiceNative
from gateway.providers.translation import Translation
from gateway.providers.withheld.dialects import WITHHELD, spells_twice
from gateway.proxy import facts, metrics
from gateway.proxy.apart import apart
from gateway.proxy.attempt import MOST_ANSWER_BYTES, unreadable
from gateway.proxy.detecting import detect
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Forbidden
from gateway.proxy.inquiring import Inquirer, concerned
from gateway.proxy.obligations import Edits, changes, denied, restored
from gateway.proxy.tool_faults import ToolCheck
from gateway.proxy.trail import Trail
from policies.detectors import echo, links, taint
from policies.detectors.custom import HELD_MAX
from policies.detectors.finding import Leaf, Scan
from policies.detectors.scanner import CUSTOM, INLINE_LIMIT
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
from policies.pdp.rollout import Verdict
from policies.pdp.signals import Signals

NOTHING = Scan((), frozenset())
_TELLING = frozenset({"system", "developer"})
_SPOKEN = ("choices", "content", "output")
"""The fields of an answer in which the model speaks, in the dialects of clients."""


class Inspected(NamedTuple):
    """What may be seen of an answer, and why; with a `refusal` nothing of it may be seen: it was
    produced and is paid for."""

    answer: Answer
    scan: Scan | None = None
    decision: Decision | None = None
    facts: list[Any] | None = None
    refusal: Forbidden | None = None
    hidden: dict[str, int] | None = None
    verdict: Verdict | None = None


def interpreter(permitted: Permitted) -> Interpreter:
    """Return who stands between the client and the deployment of a permitted call."""
    found = between(permitted.call.endpoint, permitted.deployment.dialect)
    assert found is not None  # noqa: S101  (`transform.enforce` permits no other)
    return found


def _named(permitted: Permitted, trail: Trail, told: Mapping[str, str]) -> Interpreter:
    """Return who reads the answer to a permitted call, which has a name if its provider gives
    none; `told` are the headers of the answer."""
    if permitted.call.service is not None:
        return ServiceNative(permitted.call.service.operation.answer)
    found = interpreter(permitted)
    if isinstance(found, ResponsesNative) and _instructs(permitted):
        return ResponsesNative(discreet=True)
    if not isinstance(found, Translation | EmbeddingTranslation):
        return found
    answer = trail.answer
    source = Source(
        answer.name, permitted.deployment.model, answer.created_s, _asked(permitted), told
    )
    return found.named(source)


def _asked(permitted: Permitted) -> Body:
    """Return what an answer may say again of the request. What a policy put before a client's
    instructions, or took out of them, is not for the client."""
    return {**permitted.body, "instructions": None} if _instructs(permitted) else permitted.body


def _instructs(permitted: Permitted) -> bool:
    """Tell whether a policy changed the client's instructions."""
    own = permitted.call.body.get("instructions")
    return bool(permitted.body.get("instructions") != own)


def looked_at(permitted: Permitted, principal: Principal) -> bool:
    """Tell whether an answer is judged, or holds what is to be put back."""
    return principal.app.judges.answer_rules or bool(permitted.placeholders)


def parse(
    permitted: Permitted, raw: bytes, trail: Trail, principal: Principal, told: Mapping[str, str]
) -> Answer:
    """Read a provider's whole answer, which came with the headers that `told` are; an answer that
    cannot be read cannot be inspected."""
    try:
        return _named(permitted, trail, told).answer(
            raw, viewed=looked_at(permitted, principal), created_s=trail.created_s
        )
    except BadAnswer as fault:
        raise unreadable(f"could not be read: {fault}") from None


def stream_of(
    permitted: Permitted, trail: Trail, principal: Principal, *, passes: bool
) -> AnswerStream:
    """Return the reader of a provider's stream: it gathers what is looked at, and lets it pass as
    well where something else sees to what leaves of it."""
    found = _named(permitted, trail, {}).stream(
        Passing(
            collect=looked_at(permitted, principal),
            limit=MOST_ANSWER_BYTES,
            keep_usage=permitted.call.include_usage,
            created_s=trail.created_s,
            passes=passes,
        )
    )
    if trail.reshaping is None or passes:  # who holds it back takes out of it what leaves
        return found
    return trail.reshaping.cut_stream(found)


def leaves_whole(permitted: Permitted, principal: Principal) -> bool:
    """Tell whether a stream that is looked at must be there whole before any of it may leave."""
    policy, call = principal.app.policy, permitted.call
    if policy.holds_relying and concerned(principal, "answer"):
        return True  # a guard looks at an answer as a whole, and is asked once
    if policy.holds and CUSTOM in policy.answer_needs and principal.tenant.scanner.reach > HELD_MAX:
        return True
    return bool(policy.gathers) or call.endpoint not in WITHHELD or spells_twice(call)


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
    answer: Answer,
    judgement: Judgement,
    principal: Principal,
    case: Case,
    inquirer: Inquirer | None,
    *,
    values: Mapping[str, str],
) -> Inspected:
    """Decide on an answer, and keep every obligation of the decision.

    A rule of the answer may read facts of the request: what failed there is unknown here too, where
    one does.
    `values` are put back where their placeholders stand, after everything else.
    """
    judges = principal.app.judges
    if not judges.answer_rules:
        return Inspected(_edited(answer, restored(answer.view, [], values)) if values else answer)
    scan = NOTHING
    if judges.answer_needs and answer.view.leaves:
        scan = await _detect(answer, principal)
        if inquirer is not None:
            scan = await inquirer.scan("answer", answer.view, scan)
    bound = facts.of_answer(judgement, answer, answer.text_bytes, scan)
    if judges.reads_links:
        facts.add_links(bound, answer)
    await _add_signals(bound, judges.signals, answer, judgement, case)
    decision, verdict = principal.app.decide(
        "answer",
        bound,
        scan.failed | (case.scan.failed & judges.recalls),
        judgement.at_s,
        other_risk=judgement.verdict.other.risk if judgement.verdict else None,
    )
    metrics.compared("answer", verdict)
    if decision.effect is not Effect.PERMIT:
        return Inspected(answer, scan, decision, bound, denied(decision), verdict=verdict)
    edits, hidden = _obliged(answer, scan, decision, principal.tenant.hash_key)
    visible = _edited(answer, restored(answer.view, edits, values))
    return Inspected(visible, scan, decision, bound, hidden=hidden, verdict=verdict)


async def _add_signals(
    slots: list[Any], signals: Signals, answer: Answer, judgement: Judgement, case: Case
) -> None:
    """Add the facts of an answer that rules ask for, and that take a look at the request."""
    leaves = answer.view.leaves
    if signals.hosts and case.named.results:
        texts = [leaf.text for leaf in leaves]
        linked = await apart(answer.text_bytes, partial(links.all_hosts, texts))
        argued = await apart(answer.text_bytes, partial(taint.argued, leaves))
        facts.add_tainted(slots, case.named, linked | argued)
    if signals.faults:
        check, size = ToolCheck(case.call), answer.text_bytes + case.call.size
        facts.add_tool_faults(slots, await apart(size, partial(check.faults, answer.body)))
    if signals.echo:
        said = partial(echo.percent, _prompts(judgement, case), _spoken(leaves))
        facts.add_echo(slots, await apart(answer.text_bytes + case.call.size, said))


def _prompts(judgement: Judgement, case: Case) -> list[str]:
    """Return what the model was told: by the client, and by the policy."""
    added = judgement.decision.demand(AddSystemPrompt)
    told = [leaf.text for leaf in case.call.view.leaves if leaf.role in _TELLING]
    return [*told, *(added.texts if added is not None else ())]


def _spoken(leaves: Sequence[Leaf]) -> list[str]:
    """Return what the model said: an answer may also tell again what it was asked."""
    return [leaf.text for leaf in leaves if leaf.place.startswith(_SPOKEN)]


def _edited(answer: Answer, edits: list[Edit]) -> Answer:
    return answer._replace(body=apply(answer.body, answer.view, edits)) if edits else answer


async def _detect(answer: Answer, principal: Principal) -> Scan:
    """Run the detectors that the policy needs; long texts off the loop, which others wait for."""
    needs, leaves = principal.app.judges.answer_needs, answer.view.leaves
    scanner = principal.tenant.scanner
    return await detect(
        lambda patterns: scanner.scan(leaves, patterns),
        needs,
        principal.tenant,
        leaves,
        apart=sum(len(leaf.text) for leaf in leaves) > INLINE_LIMIT,
    )


def _obliged(answer: Answer, scan: Scan, decision: Decision, hash_key: bytes) -> Edits:
    """Return what is taken out, and how many characters that hid text are gone, by carrier."""
    for obligation in decision.obligations:
        _check_known(obligation)
    redact, sanitise = decision.demand(Redact), decision.demand(Sanitise)
    found = list(scan.findings)
    if redact is not None and redact.links:
        found += links.findings([leaf.text for leaf in answer.view.leaves])
    return changes(answer.view, found, hash_key, redact, sanitise)


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
