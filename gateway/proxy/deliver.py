"""An answer on its way from the provider to the client, whole or as a stream."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

import orjson

from gateway.exchange import Answer, Judgement, Permitted, Reservation
from gateway.providers.dialect import AnswerStream
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.service.native import is_of_kind
from gateway.proxy import headers, inspect_answer, settle
from gateway.proxy.attempt import AttemptFailed, unreadable
from gateway.proxy.errors import Forbidden, Refusal, UpstreamFailed
from gateway.proxy.forward import UpstreamResponse
from gateway.proxy.inquiring import inquirer
from gateway.proxy.obligations import announce
from gateway.proxy.passage import Outcome, Passage
from gateway.proxy.wire import JSON_TYPE, STREAM_TYPE, UNBUFFERED, Reply
from gateway.proxy.withholding import Withholder

LAST_WORD_S = 1.0
SOUND = re.compile(r"\Aaudio/[a-z0-9.+-]{1,40}\Z")


async def whole(
    passage: Passage,
    judgement: Judgement,
    permitted: Permitted,
    reservation: Reservation,
    response: UpstreamResponse,
    outcome: Outcome,
) -> None:
    """Read a whole answer, inspect it, and send what may be seen of it."""
    trail = passage.trail
    _check_kind(permitted, response)
    raw = await response.read()
    trail.upstream_ended()
    outcome.status = response.status
    answer = inspect_answer.parse(permitted, raw, trail, passage.principal, response.headers)
    outcome.usage = answer.usage
    outcome.spent = settle.charge(reservation, answer.usage, "usage")
    visible = await _inspected(passage, judgement, permitted, answer, outcome)
    if trail.reshaping is not None:
        visible = trail.reshaping.cut(visible)
    trail.mark("answer")
    said = [
        (b"x-gatehouse-cost-micros", str(outcome.spent.micros).encode()),
        *headers.of_answer(passage, permitted, reservation),
    ]
    if visible.shape == "nothing":
        await passage.reply.begin(HTTPStatus.NO_CONTENT, said)
        await passage.reply.end()
        return
    content_type, content = _content(visible, response)
    if content_type is JSON_TYPE and visible.body is answer.body and visible.shape != "value":
        outcome.written = content
    await passage.reply.whole(response.status, [content_type, *said], content)


def _check_kind(permitted: Permitted, response: UpstreamResponse) -> None:
    """Refuse an answer of a service that is labelled as another kind than its operation's."""
    asked = permitted.call.service
    if asked is None or response.status == HTTPStatus.NO_CONTENT:
        return
    kind = asked.operation.answer
    if not is_of_kind(kind, response.content_type):
        raise unreadable(f"is not {kind}, which {asked.operation.name} answers with")


def _content(answer: Answer, response: UpstreamResponse) -> tuple[tuple[bytes, bytes], bytes]:
    """Return what an answer is, and its bytes; of sound, the provider says which it is."""
    if answer.raw:
        told = response.content_type
        kind = told if SOUND.match(told) else answer.content_type
        return (b"content-type", kind.encode()), answer.raw
    if answer.content_type:
        return (b"content-type", answer.content_type.encode()), answer.body["text"].encode()
    body: object = answer.body
    if answer.shape == "value":
        (body,) = answer.body.values()
    return JSON_TYPE, orjson.dumps(body)


async def stream(
    passage: Passage,
    judgement: Judgement,
    permitted: Permitted,
    reservation: Reservation,
    response: UpstreamResponse,
    outcome: Outcome,
) -> None:
    """Pass a stream on as it comes, withheld where it is looked at, or gathered where an answer
    rule must see it whole.

    Reads to the end even when the client is gone: what is produced is paid for, so it is metered.
    """
    trail = passage.trail
    looked_at = inspect_answer.looked_at(permitted, passage.principal)
    withheld = _withheld(passage, judgement, permitted) if looked_at else None
    events = inspect_answer.stream_of(permitted, trail, passage.principal, passes=bool(withheld))
    begin = partial(_begin, passage, permitted, reservation)
    try:
        tail = await _passed(passage, response, Flow(events, withheld), begin)
    except (TooLarge, BadAnswer) as fault:
        raise unreadable(f"could not be read: {fault}") from None
    except Forbidden:
        _denied(passage, outcome, Flow(events, withheld))
        raise
    outcome.usage, outcome.finish = events.usage, events.finish
    trail.mark("answer")
    if looked_at:
        trail.upstream_ended()
        answer = inspect_answer.gathered(events)
        visible = await _inspected(passage, judgement, permitted, answer, outcome)
        tail = tail if withheld else inspect_answer.rendered(permitted, visible, trail)
    if not passage.reply.begun:
        await begin()
    await passage.reply.end(tail)


class Flow(NamedTuple):
    """A stream on its way: who reads the provider's, and who lets the client's go, if anybody."""

    events: AnswerStream
    withheld: Withholder | None


async def _passed(
    passage: Passage,
    response: UpstreamResponse,
    flow: Flow,
    begin: Callable[[], Awaitable[None]],
) -> bytes:
    """Pass on what may leave while it comes; return what may leave at the end."""
    reply, (events, withheld) = passage.reply, flow
    while chunk := await _more(response, events):
        data = events.feed(chunk)
        if data and withheld is not None:
            data = await withheld.feed(data)
        if data:
            if not reply.begun:
                passage.trail.upstream_ended()
                await begin()
            await reply.write(data)
        if events.failed is not None:
            break
    tail = events.close()
    _check_whole(events)
    return tail if withheld is None else await withheld.close(tail)


def _withheld(passage: Passage, judgement: Judgement, permitted: Permitted) -> Withholder | None:
    """Return who lets a stream go as it becomes certain; None where it is gathered."""
    principal = passage.principal
    if inspect_answer.leaves_whole(permitted, principal):
        return None
    reshaping = passage.trail.reshaping
    cutter = None if reshaping is None else reshaping.cutter()
    return Withholder(judgement, permitted, principal, passage.case, cutter=cutter)


def _denied(passage: Passage, outcome: Outcome, flow: Flow) -> None:
    """Note why a stream is cut off. What a provider has not told by now, it is not asked for."""
    events, withheld = flow
    outcome.finish = events.finish
    outcome.usage = events.usage if events.done else None
    if withheld is not None and withheld.decision is not None:
        outcome.decision, outcome.facts = withheld.decision, withheld.facts
        outcome.scan = withheld.scan
        tenant = passage.principal.tenant.bundle.tenant
        announce(withheld.decision, passage.trail.decision_id, tenant)


async def _more(response: UpstreamResponse, events: AnswerStream) -> bytes:
    """Return what comes next of a stream; that the connection breaks once all has been said is no
    fault."""
    try:
        return await response.more()
    except AttemptFailed:
        if not events.done:
            raise
        return b""


def _check_whole(events: AnswerStream) -> None:
    """Raise AttemptFailed unless the provider brought its stream to an end."""
    if events.failed is not None:
        raise _failed(events.failed)
    if not (events.done or (events.finish and events.usage is not None)):
        raise _failed("it ended before its end")


async def broken(reply: Reply, refusal: Refusal, decision_id: str | None) -> None:
    """End a stream that has begun with a well-formed error; who does not read it misses it."""
    refusal.decision_id = decision_id
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORD_S):
            await reply.fail(refusal)


async def _inspected(
    passage: Passage,
    judgement: Judgement,
    permitted: Permitted,
    answer: Answer,
    outcome: Outcome,
) -> Answer:
    """Return what may be seen of an answer; note what was found, also when nothing may be seen."""
    outcome.answer, outcome.finish = answer, answer.finish
    trail, principal = passage.trail, passage.principal
    inspected = await inspect_answer.inspect(
        answer,
        judgement,
        principal,
        passage.case,
        inquirer(passage.worker.guards, trail.request_id, passage.head, permitted.call, principal),
        values=permitted.placeholders,
    )
    outcome.decision, outcome.facts = inspected.decision, inspected.facts
    outcome.scan, outcome.hidden = inspected.scan, inspected.hidden
    outcome.verdict = inspected.verdict
    if inspected.decision is not None:
        announce(inspected.decision, trail.decision_id, principal.tenant.bundle.tenant)
    if inspected.refusal is not None:
        raise inspected.refusal
    return inspected.answer


async def _begin(passage: Passage, permitted: Permitted, reservation: Reservation) -> None:
    await passage.reply.begin(
        200, [STREAM_TYPE, UNBUFFERED, *headers.of_answer(passage, permitted, reservation)]
    )


def _failed(why: str) -> AttemptFailed:
    return AttemptFailed(
        UpstreamFailed("upstream_error", f"The provider's stream failed: {why}."),
        sent=True,
        billed=True,
        again=True,
    )
