"""Who is tried next: the other deployments, the same ones again, then other models.

What ends a call's trials: an answer, a fault of the call itself, something said to the client, or
nobody left. Nothing here sends anything; each target is judged and reserved for by itself.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.bundle import Deployment, Route
from gateway.exchange import Endpoint
from gateway.proxy import metrics
from gateway.proxy.choosing import Choosing, candidates, of_region, tokens
from gateway.proxy.errors import Refusal
from gateway.proxy.keyring import NONE
from gateway.proxy.passage import Outcome, Passage
from gateway.proxy.stations import Station, left_alone
from gateway.routing.again import pause_s
from gateway.routing.circuit import CHOICE_LASTS_S

OF_CREDENTIAL = frozenset({"upstream_credential_rejected", "upstream_rate_limited"})
UNBILLED = frozenset({"not_sent", "not_billed"})


class Target(NamedTuple):
    """Who is tried: a slot of its station's gate is held until the trial is over."""

    route: Route
    deployment: Deployment
    station: Station


class Succession:
    """The targets of one call, one after the other."""

    def __init__(self, passage: Passage, draw: Callable[[], float]) -> None:
        self._passage = passage
        self._draw = draw
        self._route = passage.case.route
        self._queue: Iterator[Deployment] = iter(passage.case.candidates)
        self._full: list[Deployment] = []
        self._tried: list[Deployment] = []
        self._retries = 0
        self._fallbacks: Iterator[str] | None = None
        self._last: Outcome | None = None
        self._is_new = False
        self.refusal: Refusal | None = None

    async def following(self, last: Outcome | None = None) -> Target | None:
        """Return who is tried next; None where nobody is. `last` is how the last trial ended."""
        if last is not None:
            if last.denied:
                self._tried.pop()  # nothing was tried there
            else:
                self._last, self._is_new = last, True
                if not last.again:
                    return None
        while True:
            found = (
                self._rekeyed()
                or self._candidate()
                or await self._waited_for()
                or await self._retried()
            )
            if found is not None:
                if not found.station.circuit.trips or await self._permitted(found):
                    return found
                continue
            if not self._fall_back():
                return None

    def beside(self) -> Target | None:
        """Return another deployment of the same route for a hedge; None where there is none."""
        return self._candidate("hedge")

    async def _permitted(self, target: Target) -> bool:
        """Return whether a target may be tried: in a half-open circuit one worker of all tries."""
        is_permitted = False
        try:
            is_permitted = await self._passage.worker.probes.permits(target.station)
        finally:
            if not is_permitted:
                target.station.gate.leave(self._passage.principal.row.tenant_id)
        if is_permitted:
            return True
        self._tried.pop()
        self.refusal = self.refusal or left_alone(target.deployment, CHOICE_LASTS_S)
        return False

    def _candidate(self, kind: str = "failover") -> Target | None:
        """Return the next deployment of the route that may be tried at once."""
        if self._fallbacks is not None and self._route is not self._passage.case.route:
            kind = "fallback"
        for deployment in self._queue:
            found = self._entered(deployment, kind if self._tried else "")
            if found is not None:
                return found
        return None

    def _entered(self, deployment: Deployment, kind: str) -> Target | None:
        """Return a target whose slot is taken, unless it is left alone, or full for the moment."""
        stations = self._passage.worker.stations
        secrets = self._passage.principal.tenant.secrets.get(deployment.id, (NONE,))
        refusal = stations.refusal(deployment, secrets)
        if refusal is not None:
            self.refusal = self.refusal or refusal
            return None
        station = stations.of(deployment)
        if kind == "hedge" and station.circuit.trips:
            return None  # what was left alone is tried by a call that waits for it, or not at all
        if not station.gate.try_enter(self._passage.principal.row.tenant_id):
            self._full.append(deployment)
            return None
        return self._target(deployment, station, kind)

    def _target(self, deployment: Deployment, station: Station, kind: str) -> Target:
        if kind:
            metrics.AGAIN.labels(kind).inc()
        self._passage.worker.stations.chosen(station)
        self._tried.append(deployment)
        return Target(self._route, deployment, station)

    def _rekeyed(self) -> Target | None:
        """Return the same deployment at once, where another of its credentials may do."""
        last, is_new, self._is_new = self._last, self._is_new, False
        if not is_new or last is None or last.code not in OF_CREDENTIAL:
            return None
        deployment = self._tried[-1]
        secrets = self._passage.principal.tenant.secrets.get(deployment.id, (NONE,))
        if sum(one.id == deployment.id for one in self._tried) >= len(secrets):
            return None
        return self._entered(deployment, "credential")

    async def _waited_for(self) -> Target | None:
        """Wait for the first that was full: nobody else is left who could be tried at once."""
        if not self._full or self._tried:
            return None
        deployment = self._full.pop(0)
        station = self._passage.worker.stations.of(deployment)
        try:
            await station.gate.enter(self._passage.principal.row.tenant_id)
        except Refusal as refusal:
            self.refusal = self.refusal or refusal
            return None
        return self._target(deployment, station, "")

    async def _retried(self) -> Target | None:
        """Return one of those that failed, after a pause, if it proved that nothing was billed."""
        last = self._last
        if last is None or last.failure is None or last.basis not in UNBILLED:
            return None
        if self._fallbacks is not None or self._retries >= self._route.plan.retries:
            return None
        stations = self._passage.worker.stations
        wait_s = pause_s(self._retries, self._draw(), last.failure.retry_after_s)
        if wait_s is None or not stations.of(self._tried[0]).take_retry():
            return None
        self._retries += 1
        self._passage.trail.upstream_began()
        await asyncio.sleep(wait_s)
        self._passage.trail.upstream_ended()
        for deployment in {one.id: one for one in self._tried}.values():
            found = self._entered(deployment, "retry")
            if found is not None:
                return found
        return None

    def _fall_back(self) -> bool:
        """Go on to the next model that may stand in: one that this call could have asked for."""
        case = self._passage.case
        if not self._tried and self.refusal is None:
            return False  # what a policy forbids of this model, no other model does
        if self._fallbacks is None:
            if case.call.endpoint is Endpoint.EMBEDDINGS:
                return False  # vectors of two models do not compare
            self._fallbacks = iter(case.route.plan.fallbacks)
        for name in self._fallbacks:
            route = self._allowed(name)
            if route is None:
                continue
            self._route = route
            self._queue = iter(self._candidates(route))
            self._full = []
            return True
        return False

    def _allowed(self, name: str) -> Route | None:
        """Return a model that the app may call and into whose context the call fits."""
        principal, call = self._passage.principal, self._passage.case.call
        if name not in principal.app.app.models:
            return None
        route = principal.tenant.bundle.routes.get(name)
        if route is None or not route.deployments:
            return None
        context = route.plan.context_tokens
        return None if context and tokens(route, call) > context else route

    def _candidates(self, route: Route) -> tuple[Deployment, ...]:
        passage = self._passage
        worker = passage.worker
        choosing = Choosing(self._draw(), worker.now_s(), worker.stations)
        found = candidates(route, passage.head, passage.case.call, passage.principal, choosing)
        if passage.case.route.plan.regional:  # a fallback stays where the first choice had to
            found = of_region(found, passage.head)
        return found
