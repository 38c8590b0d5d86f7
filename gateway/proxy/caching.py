"""The cache of answers, as one call meets it: exact, of one tenant, and only where it is asked for.

A model says for how long its answers are kept, an app says whether it takes them; both must. The
name of an answer holds everything that it depends on: the policies in effect, the model, and the
judged request after every obligation. What was kept is looked at by every rule on answers anew.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import orjson

from gateway.bundle import Deployment, Plan, Route
from gateway.exchange import Permitted, Recalled
from gateway.pricing import price_at
from gateway.proxy import metrics
from gateway.proxy.flights import Flights
from gateway.proxy.kept import Kept
from gateway.proxy.leases import Leases
from gateway.proxy.store.answers import Answers
from gateway.proxy.store.connection import StoreDown, StoreError
from gateway.proxy.trail import Decided

log = logging.getLogger(__name__)

ENTRY_BYTES = 1024 * 1024
"""How large an answer may be to be kept where its model says nothing of it."""

FOLLOW_S = 20.0
"""How long a call waits for an identical one that was sent before it."""

NEVER = frozenset({"no-store"})
ANEW = frozenset({"no-cache", "max-age=0"})


class Keeper(NamedTuple):
    """What a worker keeps answers with. `noise` returns 12 bytes that nobody had before."""

    answers: Answers
    flights: Flights
    leases: Leases
    clock: Callable[[], float]
    noise: Callable[[], bytes]


class Found(NamedTuple):
    """A kept answer that may be given, where it came from, and what giving it costs."""

    kept: Kept
    route: Route
    deployment: Deployment
    recalled: Recalled
    price_pico: int = 0

    @property
    def in_cache(self) -> bool:
        """Whether it was found in the cache, not for a request that was sent again."""
        return self.recalled.outcome == "hit"


class Caching:
    """The cache for one call. `name` is the answer's once it was looked for."""

    __slots__ = ("_asked", "_decided", "_keeper", "_leads", "_looks", "_plan", "name", "stale")

    def __init__(self, keeper: Keeper, decided: Decided, *, looks: bool) -> None:
        self._keeper = keeper
        self._decided = decided
        self._plan: Plan = decided.case.route.plan
        self._looks = looks
        self._leads = False
        self._asked: Permitted | None = None
        self.name = ""
        self.stale: Found | None = None

    @property
    def most_bytes(self) -> int:
        """How large an answer may be to be kept."""
        return self._plan.cache_entry_bytes or ENTRY_BYTES

    async def find(self, permitted: Permitted) -> Found | None:
        """Return a kept answer to a call; None where it must be sent.

        Of identical calls at the same time one looks and is sent, the others get what it got.
        """
        self.name, self._asked = self.named(permitted), permitted
        if not self._looks:
            return self._noted(None, "bypass")
        try:
            found = await self._together()
        except (StoreDown, StoreError) as error:
            log.debug("cache_away", extra={"error": str(error)})
            self.end()
            return self._noted(None, "bypass")
        if found is not None:
            self._land(found.kept)
        return self._noted(found, "miss")

    def fits(self, permitted: Permitted) -> bool:
        """Return whether what is kept answers this very request, where it was answered."""
        return permitted is self._asked or self.named(permitted) == self.name

    def answered(self, permitted: Permitted, kept: Kept) -> None:
        """Keep an answer, unless a model that stood in gave it, and give it to who waits."""
        if permitted.route.name != self._decided.case.route.name or not self.name:
            return
        name = self.named(permitted)
        keep_ms = (self._plan.cache_ttl_s + self._plan.cache_stale_s) * 1000
        sealed = self._decided.principal.tenant.sealer.seal(name, kept, self._keeper.noise())
        self._keeper.answers.keep_soon(self._tenant_id, "answer", name, sealed, keep_ms)
        if name == self.name:
            self._land(kept)

    def end(self) -> None:
        """Let whoever waits for this call go on by itself."""
        self._land(None)

    def named(self, permitted: Permitted) -> str:
        """Return the name of the answer to a request: everything that the answer depends on."""
        trail, principal, _ = self._decided
        call = permitted.call
        headers = sorted((trail.provider_headers(permitted.route.name) or {}).items())
        about = [
            principal.app.policy.hash, permitted.route.name, call.endpoint.value, permitted.cap,
            call.stream, headers,
            *self._varying(),
        ]  # fmt: skip
        body = orjson.dumps(permitted.body, option=orjson.OPT_SORT_KEYS)
        return principal.tenant.sealer.name(b"answer", orjson.dumps(about), body, call.file)

    def _varying(self) -> Iterator[tuple[str, str]]:
        """Return what answers differ by besides: which of it is the route's to say."""
        trail, principal, case = self._decided
        head = trail.head
        tags = dict(head.tags) if head else {}
        for name in self._plan.cache_vary:
            if name == "app":
                yield name, principal.row.app_id
            elif name == "key":
                yield name, principal.row.public_id
            elif name == "user":
                user = head.user if head else ""
                yield name, principal.row.user or user or case.call.user
            else:
                yield name, tags.get(name.removeprefix("tag:"), "")

    async def _together(self) -> Found | None:
        """Lead the identical calls, or wait for what the leader gets; it may have got nothing."""
        flights = self._keeper.flights
        self._leads = flights.lead(self.name)
        if not self._leads:
            found = self._usable(await flights.follow(self.name, FOLLOW_S))
            if found is not None:
                return found
        return await self._stored()

    async def _stored(self) -> Found | None:
        """Return what Redis has; an answer that is too old is put aside."""
        sealed = await self._keeper.answers.get(self._tenant_id, self.name)
        sealer = self._decided.principal.tenant.sealer
        found = self._usable(sealer.open(self.name, sealed) if sealed is not None else None)
        if found is not None and found.recalled.stale:
            self.stale = found
            return None
        return found

    def _usable(self, kept: Kept | None) -> Found | None:
        """Return what may be done with an answer now: it is young enough, no purge was after it,
        and who gave it still may."""
        if kept is None or kept.revision < self._purged(kept):
            return None
        case = self._decided.case
        now_s, plan = self._keeper.clock(), self._plan
        age_s = max(0.0, now_s - kept.kept_s)
        served = next((one for one in case.candidates if one.id == kept.deployment), None)
        if served is None or age_s > plan.cache_ttl_s + plan.cache_stale_s:
            return None
        cost = int(kept.cost_pico)
        price_pico = -(-cost * plan.cache_hit_percent // 100)
        price = price_at(served.prices, int(now_s))
        if price_pico and (price is None or price.currency != kept.currency):
            return None
        recalled = Recalled(
            "hit", int(age_s), age_s > plan.cache_ttl_s, cost - price_pico, kept.currency,
            kept.call_id,
        )  # fmt: skip
        return Found(kept, case.route, served, recalled, price_pico)

    def _purged(self, kept: Kept) -> int:
        """Return the revision since which answers like this one are kept."""
        principal = self._decided.principal
        purges: Mapping[str, int] = principal.tenant.bundle.purges
        if not purges:
            return 0
        apps = {principal.row.app_id, kept.app_id}
        names = ["", f"route:{kept.route}", *(f"app:{app_id}" for app_id in apps)]
        return max(purges.get(name, 0) for name in names)

    def _noted(self, found: Found | None, otherwise: str) -> Found | None:
        if found is None:
            self._decided.trail.recalled = Recalled(otherwise)
            metrics.cache(self._decided.case.route.name, otherwise)
        return found

    @property
    def _tenant_id(self) -> str:
        return self._decided.principal.row.tenant_id

    def _land(self, kept: Kept | None) -> None:
        if self._leads:
            self._leads = False
            self._keeper.flights.land(self.name, kept)


def caching(keeper: Keeper, decided: Decided) -> Caching | None:
    """Return the cache for a call; None where its model keeps nothing, or its app takes nothing.

    A client may ask for an answer that is not kept (`no-store`), or for a new one (`no-cache`).
    What refers to something that lies elsewhere may mean something else tomorrow.
    """
    trail, principal, case = decided
    if not (case.route.plan.cache_ttl_s and principal.app.app.cache):
        return None
    said = _directives(trail.head.headers if trail.head else {})
    if "reference" in case.call.view.uninspected or not NEVER.isdisjoint(said):
        trail.recalled = Recalled("bypass")
        metrics.cache(case.route.name, "bypass")
        return None
    return Caching(keeper, decided, looks=ANEW.isdisjoint(said))


def _directives(headers: Mapping[bytes, bytes]) -> set[str]:
    said = headers.get(b"cache-control", b"").decode("latin-1").lower()
    return {directive.replace(" ", "") for directive in said.split(",")}
