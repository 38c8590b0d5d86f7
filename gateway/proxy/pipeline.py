"""The path of one call, step by step. Read this file first.

 1 parse.head          2 authenticate        3 limit.admit
 4 parse.call          5 decide              6 transform.enforce
   once per attempt:   7 limit.reserve       8 record.admitted     9 forward
10 inspect_answer     11 record.completed   12 settle

Steps do not know each other; only this file knows their order. Whatever happens after step 8, steps
11 and 12 happen too, whether the client still listens or not: who hangs up pays all the same.
"""

import asyncio
from functools import partial

from gateway.exchange import Attempt, Endpoint, Judgement, Permitted, Reservation
from gateway.proxy import (
    authenticate,
    decide,
    deliver,
    forward,
    limit,
    metrics,
    models,
    parse,
    record,
    settle,
    transform,
)
from gateway.proxy.attempt import AttemptFailed
from gateway.proxy.errors import BadRequest, Forbidden, Refusal, Unavailable, fault
from gateway.proxy.evidence.writer import EpochChanged
from gateway.proxy.obligations import announce
from gateway.proxy.open_calls import OpenCall
from gateway.proxy.passage import Outcome, Passage
from gateway.proxy.runtime import Worker
from gateway.proxy.trail import Decided, Trail
from gateway.proxy.wire import JSON_TYPE, NO_STORE, Receive, Reply, Scope, read_body

EPOCH_TRIES = 4


async def carry(scope: Scope, receive: Receive, reply: Reply, worker: Worker, trail: Trail) -> None:
    """Carry one call from its head to its record; raise the Refusal that it ends with."""
    headers = dict(scope["headers"])
    config = worker.config
    head = trail.head = parse.head(scope, headers, config.trusted_proxies)  # 1
    principal = trail.principal = await authenticate.authenticate(  # 2
        head, worker.directory, worker.peppers, worker.now_s()
    )
    limit.admit(principal, worker.counting.memory, worker.now_s())  # 3
    if head.endpoint is Endpoint.MODELS:
        await reply.whole(200, [JSON_TYPE, NO_STORE], models.listed(scope["path"], principal))
        return
    trail.mark("authenticate")
    declared = headers.get(b"content-length")
    trail.raw = await read_body(receive, declared, config.max_body_bytes)
    trail.mark("body")
    call = parse.call(head, trail.raw, headers, config.max_messages)  # 4
    parse.check_tags(head, principal.tenant.bundle.tags)
    worker.evidence.check_room()
    trail.mark("parse")
    case = trail.case = await decide.decide(head, call, principal, trail.at, worker.draw())  # 5
    announce(case.first.decision, trail.decision_id, principal.tenant.bundle.tenant)
    trail.mark("decide")
    passage = Passage(worker, reply, head, Decided(trail, principal, case))
    open_call = worker.open_calls.enter(principal)
    try:
        # The body may have taken its time: from here on a revocation ends this call by itself.
        await authenticate.confirm(principal, worker.directory, worker.now_s())
        await _serve(passage, open_call)
    except Refusal as refusal:
        refusal.decision_id = trail.decision_id
        if not trail.admitted:
            worker.evidence.write(record.refused(passage.decided, refusal, worker.now()))
        raise
    finally:
        worker.open_calls.leave(open_call)


async def _serve(passage: Passage, open_call: OpenCall) -> None:
    """Try the candidates in order until one has answered, or none may be tried any more."""
    case, principal = passage.case, passage.principal
    failure: Refusal | None = None
    for deployment in case.candidates:
        try:
            judgement = decide.judgement(case, principal, deployment)
            permitted = transform.enforce(case, judgement, principal.tenant.hash_key)  # 6
        except (Forbidden, BadRequest) as denial:
            failure = failure or denial  # this deployment is out; another may do
            continue
        try:
            reservation = await _admit(passage, judgement, permitted)  # 7 and 8
        except asyncio.CancelledError:
            raise open_call.ended() from None
        except Refusal as refusal:
            raise failure or refusal from None
        outcome = await _attempt(passage, judgement, permitted, reservation, open_call)  # 9 to 12
        if outcome.failure is None:
            return
        failure = outcome.failure
        if not outcome.again or passage.reply.begun:
            break
    if failure is not None:
        raise failure


async def _admit(passage: Passage, judgement: Judgement, permitted: Permitted) -> Reservation:
    """Reserve for one attempt and make its admission durable: nothing leaves before that."""
    worker, trail, principal = passage.worker, passage.trail, passage.principal
    worker.evidence.check()
    for _ in range(EPOCH_TRIES):
        trail.attempt += 1
        attempt = Attempt(
            f"{trail.request_id}-{trail.attempt}", trail.attempt, worker.now_s(), worker.lease_s
        )
        reservation = await limit.reserve(  # 7
            worker.counting, permitted, passage.head, principal, attempt
        )
        trail.mark("reserve")
        evidence = record.admitted(passage.decided, judgement, permitted, reservation, worker.now())
        try:
            await worker.evidence.admit(evidence, record.claim(reservation, worker.lease_s))  # 8
        except EpochChanged:
            await limit.epoch_over(worker.counting, principal, reservation)
            continue
        except BaseException:
            # Nobody knows whether the row became durable: if it did, this closes it at no cost.
            _close(passage, reservation, Outcome(basis="not_sent"), "not_sent")
            raise
        trail.admitted = True
        trail.mark("admit")
        return reservation
    raise Unavailable("budget_unavailable", "The budget's counters are being rebuilt.")


async def _attempt(
    passage: Passage,
    judgement: Judgement,
    permitted: Permitted,
    reservation: Reservation,
    open_call: OpenCall,
) -> Outcome:
    """Forward once, pass the answer on, and close the attempt whatever happens."""
    worker, trail, outcome = passage.worker, passage.trail, Outcome()
    secret = passage.principal.tenant.secrets.get(permitted.deployment.id)
    send = deliver.stream if permitted.call.stream else deliver.whole
    trail.upstream_began()
    try:
        async with forward.forward(  # 9
            permitted, secret, reservation.operation, worker.pools, now_s=worker.now_s()
        ) as response:
            await send(passage, judgement, permitted, reservation, response, outcome)  # 10
    except AttemptFailed as failed:
        outcome.failure, outcome.again = failed.refusal, failed.again
        outcome.basis = "bound" if failed.billed else "not_billed" if failed.sent else "not_sent"
    except Forbidden as denial:  # of the answer, which was produced and is paid for
        outcome.failure = denial
    except asyncio.CancelledError:
        outcome.failure, outcome.basis = open_call.ended(), "bound"
    except BaseException:  # a fault of ours: told as such in the record, and charged in full
        outcome.failure, outcome.basis = fault(), "bound"
        raise
    finally:
        trail.upstream_ended()
        code = outcome.failure.code if outcome.failure else ""
        _close(passage, reservation, outcome, code)  # 11 and 12
    if outcome.failure is not None and passage.reply.begun:
        await deliver.broken(passage.reply, outcome.failure, trail.decision_id)
    return outcome


def _close(passage: Passage, reservation: Reservation, outcome: Outcome, code: str) -> None:
    """Record how an attempt ended and what it cost; once that is durable, give back the rest.

    Neither waits for the call: the writer of the evidence owns both from here on.
    """
    worker, tenant_id = passage.worker, passage.principal.row.tenant_id
    spent = outcome.spent or settle.charge(reservation, outcome.usage, outcome.basis)
    ending = record.Ending(
        status=outcome.failure.status if outcome.failure else 200,
        code=code,
        finish=outcome.finish,
        answer=outcome.answer,
        scan=outcome.scan,
        decision=outcome.decision,
        facts=outcome.facts,
        hidden=outcome.hidden,
    )
    worker.evidence.write(
        record.completed(passage.decided, spent, ending, worker.now()),  # 11
        spent.pico,
        partial(settle.settle, worker.counters, tenant_id, reservation, spent),  # 12
    )
    metrics.attempt(reservation, spent, code)
