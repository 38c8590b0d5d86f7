"""A kept answer in the place of a provider's: looked for, decided, recorded and charged as ever.

What the pipeline does around an attempt is done here too, around one in which nothing is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.bundle import Deployment, Route
from gateway.exchange import Judgement, Permitted, Recalled
from gateway.proxy import deliver, metrics
from gateway.proxy.attempt import AttemptFailed
from gateway.proxy.caching import Found
from gateway.proxy.errors import BadRequest, Forbidden, fault
from gateway.proxy.once import lost
from gateway.proxy.open_calls import OpenCall
from gateway.proxy.passage import Outcome, Passage, Trial
from gateway.proxy.recording import Replayed

Judged = tuple[Judgement, Permitted]


class Around(NamedTuple):
    """What the pipeline does before an attempt and after it."""

    permit: Callable[[Passage, Route, Deployment], Judged]
    admit: Callable[[Passage, Judgement, Permitted, int], Awaitable[Trial]]
    close: Callable[[Passage, Trial, Outcome, str], None]


async def find(around: Around, passage: Passage, open_call: OpenCall) -> Found | None:
    """Return what is kept for a call: for who sends a request again, then in the cache."""
    try:
        return await _find(around, passage)
    except asyncio.CancelledError:
        raise open_call.ended() from None


async def give(around: Around, passage: Passage, found: Found, open_call: OpenCall) -> bool:
    """Give a kept answer. False where it is none for this call after all: then it is sent."""
    trail, was = passage.trail, passage.trail.recalled
    judged = _judged(around, passage, found)
    if judged is None:
        trail.recalled = was or Recalled("miss")
        return False
    try:
        trial = await around.admit(passage, *judged, found.price_pico)
    except asyncio.CancelledError:
        raise open_call.ended() from None
    trail.recalled = found.recalled
    outcome = await _replay(around, passage, (trial, found), open_call)
    if outcome.failure is None:
        return True
    if found.in_cache and outcome.basis == "not_sent" and not passage.reply.begun:
        trail.recalled = was or Recalled("miss")
        return False
    raise outcome.failure


async def _find(around: Around, passage: Passage) -> Found | None:
    keeping, case, found = passage.keeping, passage.case, None
    if keeping.once is not None:
        found = await keeping.once.claim()
    if found is None and keeping.caching is not None:
        try:
            _, permitted = around.permit(passage, case.route, case.candidates[0])
        except (Forbidden, BadRequest):
            return None  # whoever is tried first will say so, or another serves the call
        found = await keeping.caching.find(permitted)
    passage.trail.mark("recall")
    return found


def _judged(around: Around, passage: Passage, found: Found) -> Judged | None:
    """Judge the call to who gave the answer; None where that would be another request.

    Who sends a request again hears why it is forbidden now.
    """
    caching = passage.keeping.caching
    try:
        judged = around.permit(passage, found.route, found.deployment)
    except (Forbidden, BadRequest):
        if found.in_cache:
            return None
        raise
    if found.in_cache and caching is not None and not caching.fits(judged[1]):
        return None
    return judged


async def _replay(
    around: Around, passage: Passage, given: tuple[Trial, Found], open_call: OpenCall
) -> Outcome:
    """Read a kept answer as if its provider had just sent it, and close the attempt."""
    (trial, found), outcome, reply = given, Outcome(), passage.reply
    send = deliver.stream if trial.permitted.call.stream else deliver.whole
    try:
        await send(passage, *trial, Replayed(found.kept), outcome)
        passage.keeping.given(found.kept)
        metrics.recalled(passage.case.route.name, found.recalled)
    except AttemptFailed as failed:  # written by another version, or denied half-way at first
        outcome.fail(failed)
        outcome.failure, outcome.basis = failed.refusal if found.in_cache else lost(), "not_sent"
    except Forbidden as denial:
        outcome.failure = denial
    except asyncio.CancelledError:
        outcome.cut(open_call.ended())
    except BaseException:
        outcome.cut(fault())
        raise
    finally:
        around.close(passage, trial, outcome, outcome.code)
    if outcome.failure is not None and reply.begun:
        await deliver.broken(reply, outcome.failure, passage.trail.decision_id)
    return outcome
