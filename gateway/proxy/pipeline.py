"""The path of one call, step by step. Read this file first.

 1 parse.head          2 authenticate        3 limit.admit
 4 parse.call          5 decide              6 transform.enforce, then what is kept of answers
   once per attempt:   7 limit.reserve       8 record.admitted     9 forward
10 inspect_answer     11 record.completed   12 settle

Steps do not know each other; only this file knows their order. Whatever happens after step 8, steps
11 and 12 happen too, whether the client still listens or not: who hangs up pays all the same.
A kept answer goes the same way: it stands for the provider's at step 9.
"""

import asyncio
from functools import partial
from typing import cast

from gateway.bundle import Deployment, Route
from gateway.exchange import Attempt, Endpoint, Head, Judgement, Permitted
from gateway.proxy import (
    authenticate,
    cors,
    decide,
    deliver,
    forward,
    giving,
    limit,
    metrics,
    models,
    parse,
    paths,
    record,
    reshape,
    services,
    settle,
    transform,
)
from gateway.proxy.attempt import AttemptFailed, within
from gateway.proxy.choosing import Choosing
from gateway.proxy.directory import Principal
from gateway.proxy.errors import BadRequest, Forbidden, Refusal, Unavailable, fault
from gateway.proxy.evidence.writer import EpochChanged
from gateway.proxy.hedge import Race
from gateway.proxy.inquiring import inquirer
from gateway.proxy.keeping import Keeping
from gateway.proxy.obligations import announce
from gateway.proxy.open_calls import OpenCall
from gateway.proxy.passage import Outcome, Passage, Trial
from gateway.proxy.runtime import Worker
from gateway.proxy.succession import Succession, Target
from gateway.proxy.trail import Decided, Trail
from gateway.proxy.wire import JSON_TYPE, NO_STORE, Receive, Reply, Scope, read_body

EPOCH_TRIES = 4


async def carry(scope: Scope, receive: Receive, reply: Reply, worker: Worker, trail: Trail) -> None:
    """Carry one call from its head to its record; raise the Refusal that it ends with."""
    headers = dict(scope["headers"])
    head = trail.head = parse.head(scope, headers, worker.config.trusted_proxies)  # 1
    principal = trail.principal = await authenticate.authenticate(  # 2
        head, worker.directory, worker.peppers, worker.now_s()
    )
    reply.cors = cors.headers(headers, principal.tenant.bundle.cors_origins)
    limit.admit(principal, worker.counting.memory, worker.now_s())  # 3
    if head.endpoint is Endpoint.MODELS:
        found = models.listed(paths.plain(scope["path"])[0], principal)
        await reply.whole(200, [JSON_TYPE, NO_STORE], found)
        return
    head = trail.head = services.resolved(head, principal)
    trail.mark("authenticate")
    if not worker.gate.enters_at_once(principal.row.tenant_id):
        await worker.gate.enter(principal.row.tenant_id)
    # From here on a call costs memory and time.
    try:
        passage = await _decided(headers, receive, reply, worker, trail)
        await _governed(passage)
    finally:
        worker.gate.leave(principal.row.tenant_id)


async def _decided(
    headers: dict[bytes, bytes], receive: Receive, reply: Reply, worker: Worker, trail: Trail
) -> Passage:
    """Read, parse and decide a call whose caller is known."""
    config = worker.config
    head, principal = cast("Head", trail.head), cast("Principal", trail.principal)  # known by now
    trail.raw = await read_body(receive, reply, headers, config.max_body_bytes)
    trail.mark("body")
    trail.reshaping = reshape.begin(head, principal)
    call = parse.call(  # 4
        head, trail.raw, headers, config.max_messages, reshape=trail.reshaping
    )
    parse.check_tags(head, principal.tenant.bundle.tags)
    worker.evidence.check_room()
    trail.mark("parse")
    choosing = Choosing(worker.draw(), worker.now_s(), worker.stations, worker.counting.sightings)
    asking = inquirer(worker.guards, trail.request_id, head, call, principal)
    case = trail.case = await decide.decide(head, call, principal, trail.at, choosing, asking)  # 5
    announce(case.first.decision, trail.decision_id, principal.tenant.bundle.tenant)
    trail.mark("decide")
    decided = Decided(trail, principal, case)
    keeping = Keeping(worker.keeper, decided, config.idempotency_s)
    return Passage(worker, reply, head, keeping, decided, *decided)


async def _governed(passage: Passage) -> None:
    """Serve a decided call, or record why it was refused."""
    worker, trail, principal = passage.worker, passage.trail, passage.principal
    open_call = worker.open_calls.enter(principal)
    try:
        # The body may have taken its time: from here on a revocation ends this call by itself.
        await authenticate.confirm(principal, worker.directory, worker.now_s())
        await _recall(passage, open_call)
    except Refusal as refusal:
        refusal.decision_id = trail.decision_id
        if not trail.admitted:
            worker.evidence.write(record.refused(passage.decided, refusal, worker.now()))
        raise
    finally:
        worker.open_calls.leave(open_call)
        passage.keeping.end()


async def _recall(passage: Passage, open_call: OpenCall) -> None:
    """Answer a call with what is kept for it; else send it, and keep what may be kept."""
    keeping = passage.keeping
    found = await giving.find(AROUND, passage, open_call) if keeping.any else None
    if found is None or not await giving.give(AROUND, passage, found, open_call):
        await _serve(passage, open_call)


async def _serve(passage: Passage, open_call: OpenCall) -> None:
    """Try one target after the other until one has answered, or nobody may be tried any more."""
    succession = Succession(passage, passage.worker.draw)
    stale = passage.keeping.stale
    failure: Refusal | None = None
    outcome: Outcome | None = None
    while True:
        try:
            target = await succession.following(outcome)
        except asyncio.CancelledError:
            raise open_call.ended() from None
        if target is None:
            break
        outcome = await _try(passage, target, succession, open_call)
        if outcome.failure is None:
            return
        # A target that is out does not hide why another one failed.
        failure = (failure or outcome.failure) if outcome.denied else outcome.failure
        if outcome.last or passage.reply.begun:
            break
    # Nobody was asked, because whoever serves this is left alone: an old answer may do.
    if (
        stale is not None
        and outcome is None
        and await giving.give(AROUND, passage, stale, open_call)
    ):
        return
    raise failure or succession.refusal or fault()


async def _try(
    passage: Passage, target: Target, succession: Succession, open_call: OpenCall
) -> Outcome:
    """Judge, reserve and attempt one target; its slot is free again afterwards."""
    try:
        try:
            permitted = _permitted(passage, target.route, target.deployment)
        except (Forbidden, BadRequest) as denial:
            return Outcome(denied=True, failure=denial)
        try:
            trial = await _admit(passage, *permitted)  # 7 and 8
        except asyncio.CancelledError:
            raise open_call.ended() from None
        except Refusal as refusal:
            is_last = not isinstance(refusal, BadRequest)  # another may have a price
            return Outcome(denied=True, last=is_last, failure=refusal)
        if target.route.plan.hedge_after_ms:
            return await _hedged(passage, trial, succession, open_call)
        return await _attempt(passage, trial, open_call)  # 9 to 12
    finally:
        target.station.gate.leave(passage.principal.row.tenant_id)
        passage.worker.probes.over(target.station)


async def _hedged(
    passage: Passage, trial: Trial, succession: Succession, open_call: OpenCall
) -> Outcome:
    """Attempt, and attempt elsewhere as well if the first is silent for long."""
    race, outcome = Race(), Outcome(failure=fault())

    def start(one: Trial) -> None:
        unsent = partial(_close, passage, one, Outcome(basis="not_sent"), "not_sent")
        race.start(_attempt(passage, one, open_call, race), unsent)

    start(trial)
    target: Target | None = None
    try:
        if await race.head_start(trial.permitted.route.plan.hedge_after_ms / 1000):
            target = succession.beside()
            second = target and await _beside(passage, target)
            if second is not None:
                start(second)
        outcome = await race.outcome()
    except asyncio.CancelledError:
        await race.end()
        outcome = Outcome(failure=open_call.ended(), last=True)
    finally:
        if target is not None:
            target.station.gate.leave(passage.principal.row.tenant_id)
        for one in race.beaten:  # the highest attempt says how a call ended, whoever served it
            end = Outcome(failure=outcome.failure, basis="bound", finish="hedge_lost")
            _close(passage, one, end, outcome.code)
    return outcome


async def _beside(passage: Passage, target: Target) -> Trial | None:
    """Judge and reserve for a second attempt; None where it may not be, and the first goes on."""
    try:
        if not target.station.take_retry():
            return None
        return await _admit(passage, *_permitted(passage, target.route, target.deployment))
    except Refusal:
        return None


def _permitted(
    passage: Passage, route: Route, deployment: Deployment
) -> tuple[Judgement, Permitted]:
    """Judge one target by its own facts, and keep every obligation: a fallback's no less."""
    case, principal, known = passage.case, passage.principal, passage.keeping.judged
    if known is not None and known[0].deployment is deployment:
        return known
    judgement = decide.judgement(case, principal, route, deployment)
    permitted = transform.enforce(case, judgement, principal.tenant.hash_key)  # 6
    passage.keeping.judged = judgement, permitted
    return judgement, permitted


async def _admit(
    passage: Passage, judgement: Judgement, permitted: Permitted, fixed_pico: int | None = None
) -> Trial:
    """Reserve for one attempt and make its admission durable: nothing leaves before that."""
    worker, trail, principal = passage.worker, passage.trail, passage.principal
    worker.evidence.check()
    for _ in range(EPOCH_TRIES):
        trail.attempt += 1
        attempt = Attempt(
            f"{trail.request_id}-{trail.attempt}", trail.attempt, worker.now_s(), worker.lease_s,
            fixed_pico,
        )  # fmt: skip
        reservation = await limit.reserve(  # 7
            worker.counting, permitted, passage.head, principal, attempt
        )
        trail.mark("reserve")
        trial = Trial(judgement, permitted, reservation)
        evidence = record.admitted(passage.decided, judgement, permitted, reservation, worker.now())
        try:
            await worker.evidence.admit(evidence, record.claim(reservation, worker.lease_s))  # 8
        except EpochChanged:
            await limit.epoch_over(worker.counting, principal, reservation)
            continue
        except BaseException:
            # Nobody knows whether the row became durable: if it did, this closes it at no cost.
            _close(passage, trial, Outcome(basis="not_sent"), "not_sent")
            raise
        trail.admitted = True
        trail.mark("admit")
        return trial
    raise Unavailable("budget_unavailable", "The budget's counters are being rebuilt.")


async def _attempt(
    passage: Passage, trial: Trial, open_call: OpenCall, race: Race | None = None
) -> Outcome:
    """Forward once, pass the answer on, and close the attempt whatever happens."""
    worker, trail, outcome = passage.worker, passage.trail, Outcome()
    permitted, reservation = trial.permitted, trial.reservation
    deployment, began_s = permitted.deployment, trail.clock()
    secret = worker.keyring.pick(deployment, passage.principal.tenant.secrets[deployment.id])
    send = deliver.stream if permitted.call.stream else deliver.whole
    trail.upstream_began()
    worker.stations.began(deployment)
    try:
        token = await worker.tokens.usable(deployment, secret.text)
        sending = forward.Sending(
            token,
            reservation.operation,
            worker.now_s(),
            passage.head.traceparent,
            trail.provider_headers(permitted.route.name),
        )
        async with (
            within(deployment.timeouts),
            forward.forward(permitted, sending, worker.pools) as response,  # 9
        ):
            latency_s = trail.clock() - began_s
            worker.stations.answered(deployment, secret, response.headers, latency_s)
            if race is not None:
                race.win()
            await send(passage, *trial, passage.keeping.heard(response, reservation), outcome)  # 10
    except AttemptFailed as failed:
        outcome.fail(failed)
    except Forbidden as denial:  # of the answer, which was produced and is paid for
        outcome.failure = denial
    except asyncio.CancelledError:
        outcome.cut((race and race.lost()) or open_call.ended())
    except BaseException:  # a fault of ours: told as such in the record, and charged in full
        outcome.cut(fault())
        raise
    finally:
        trail.upstream_ended()
        worker.stations.ended(deployment, secret, outcome.failure, learned=not outcome.is_cut)
        if race is None or not race.deferred(trial):
            _close(passage, trial, outcome, outcome.code)  # 11 and 12
    if outcome.failure is not None and passage.reply.begun and not (race and race.lost()):
        await deliver.broken(passage.reply, outcome.failure, trail.decision_id)
    return outcome


def _close(passage: Passage, trial: Trial, outcome: Outcome, code: str) -> None:
    """Record how an attempt ended and what it cost; once that is durable, give back the rest.

    Neither waits for the call: the writer of the evidence owns both from here on.
    """
    worker, tenant_id = passage.worker, passage.principal.row.tenant_id
    reservation = trial.reservation
    spent = outcome.spent or settle.charge(reservation, outcome.usage, outcome.basis)
    ending = record.Ending(
        status=outcome.failure.status if outcome.failure else outcome.status,
        code=code,
        finish=outcome.finish,
        answer=outcome.answer,
        scan=outcome.scan,
        decision=outcome.decision,
        facts=outcome.facts,
        attempt=reservation.attempt,
        hidden=outcome.hidden,
        verdict=outcome.verdict,
        written=outcome.written,
    )
    worker.evidence.write(
        record.completed(passage.decided, spent, ending, worker.now()),  # 11
        spent.pico,
        partial(settle.settle, worker.counters, tenant_id, reservation, spent),  # 12
    )
    metrics.attempt(reservation, spent, code)
    if not outcome.is_cut:
        passage.keeping.answered(
            trial.permitted, reservation, spent, failure=outcome.failure, finish=outcome.finish
        )


AROUND = giving.Around(_permitted, _admit, _close)
