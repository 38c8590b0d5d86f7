"""Who may call and what holds for them, as this worker knows it: loaded on demand, bounded, fresh.

Every 0.4 s the revisions of the tenants in use are read; a higher one drops the tenant's principals
and ends open calls of keys that may no longer call, so that a revocation holds within a second on
every worker, feed or no feed (hard case 18). A principal carries the revision that was read with
its row. While PostgreSQL is away, what is known is used for a published grace, then refused.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from gateway.bundle import BundleError
from gateway.envelope import EnvelopeError
from gateway.proxy import facts
from gateway.proxy import tenant as tenants
from gateway.proxy.errors import Forbidden, Unauthenticated, Unavailable
from gateway.proxy.loader import DatabaseDown, KeyRow, Loader
from gateway.proxy.names import Names
from gateway.proxy.tenant import Lines, LoadedApp, LoadedTenant
from policies.pdp.problem import PolicyError

log = logging.getLogger(__name__)

POLL_S = 0.4
TOUCH_EVERY_POLLS = 10
MOST_PRINCIPALS, MOST_TENANTS, MOST_UNKNOWN = 50_000, 2_000, 10_000
MOST_LOADING = 500
READS = 3
UNKNOWN_S = 1.0
MISSES_PER_S, MISSES_BURST = 200.0, 400.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Principal:
    """The key that calls, its app and its tenant, at one revision."""

    digest: bytes
    row: KeyRow
    tenant: LoadedTenant
    app: LoadedApp
    lines: Lines
    expires_s: float
    facts: tuple[Any, ...]


def check(principal: Principal, now_s: float) -> None:
    """Raise unless this key may call now: not revoked, not expired, nobody suspended."""
    row = principal.row
    if not row.active:
        raise Unauthenticated(
            "key_revoked", f"The key {row.public_id} was revoked.", "Use the key that replaced it."
        )
    if now_s >= principal.expires_s:
        raise Unauthenticated(
            "key_expired",
            f"The key {row.public_id} expired at {row.expires_at:%Y-%m-%d %H:%M} UTC.",
            "Ask for a new key.",
        )
    if not row.tenant_active:
        raise Forbidden("tenant_suspended", "This tenant is suspended.", "Ask its owner.")
    if not row.app_active:
        raise Forbidden("tenant_suspended", "This app is suspended.", "Ask the tenant's owner.")


class Misses:
    """A token bucket on look-ups of unknown keys: a flood of them must be no flood of I/O."""

    def __init__(self) -> None:
        self._tokens, self._at = MISSES_BURST, 0.0

    def has_room(self, now_s: float) -> bool:
        """Whether a look-up may be made that could find nothing."""
        self._refill(now_s)
        return self._tokens >= 1

    def take(self, now_s: float) -> bool:
        """Count a look-up that found nothing; false where there were too many already."""
        self._refill(now_s)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now_s: float) -> None:
        self._tokens = min(MISSES_BURST, self._tokens + (now_s - self._at) * MISSES_PER_S)
        self._at = now_s


class Directory:
    """The principals and tenants that a worker has loaded."""

    def __init__(
        self,
        loader: Loader,
        masters: tuple[bytes, ...],
        *,
        clock: Callable[[], float],
        grace_s: float,
        names: Names | None = None,
    ) -> None:
        self._loader = loader
        self._masters = masters
        self._clock = clock
        self._grace_s = grace_s
        self._names = names
        self._principals: OrderedDict[bytes, Principal] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._tenants: OrderedDict[str, LoadedTenant] = OrderedDict()
        self._revisions: dict[str, int] = {}
        self._loading: dict[object, asyncio.Task[Any]] = {}
        self._misses = Misses()
        self._confirmed_s = clock()
        self._used: dict[str, float] = {}
        self._wake = asyncio.Event()
        self.changed: Callable[[str], None] = lambda tenant_id: None

    # Look-ups

    def known(self, digest: bytes) -> Principal | None:
        """Return a principal without any I/O, or None: then `find` it."""
        principal = self._principals.get(digest)
        if principal is not None:
            self._principals.move_to_end(digest)
            self._used[principal.row.public_id] = self._clock()
        return principal

    async def find(self, digest: bytes) -> Principal | None:
        """Return the principal of a well-formed key, or None when there is no such key."""
        now = self._clock()
        if now < self._unknown.get(digest, 0.0):
            return None
        flooded = not self._misses.has_room(now) or len(self._loading) >= MOST_LOADING
        if digest not in self._loading and flooded:
            raise Unavailable(
                "authentication_unavailable", "Too many unknown keys are being presented."
            )
        principal = await self.read(digest)
        if principal is not None:
            self._used[principal.row.public_id] = now
        return principal

    async def read(self, digest: bytes) -> Principal | None:
        """Return the principal as the database has it now; Unavailable when that cannot be told.

        A load that was under way may have read before the newest revision: then it is done again.
        """
        for _ in range(READS):
            try:
                found = await self._single_flight(digest, lambda: self._load_principal(digest))
            except DatabaseDown:
                break
            if found is None or found.row.revision >= self._revisions.get(found.row.tenant_id, 0):
                return found
        raise Unavailable("authentication_unavailable", "The key could not be checked; try again.")

    def check_fresh(self) -> None:
        """Raise Unavailable when revocations could not be heard of for longer than the grace."""
        if self._clock() - self._confirmed_s > self._grace_s:
            raise Unavailable(
                "authentication_unavailable",
                "Keys could not be checked against the database for too long.",
            )

    # Freshness

    def heard(self, tenant_id: str) -> None:
        """Look at the revisions now: the feed says that this tenant has a new one."""
        if tenant_id in self._tenants:
            self._wake.set()

    async def keep_fresh(self) -> None:
        """Poll revisions, load new bundles, note when keys were used; runs until cancelled."""
        polls = 0
        while True:
            try:
                await self._poll()
                polls += 1
                if polls % TOUCH_EVERY_POLLS == 0:
                    await self._touch()
            except DatabaseDown as error:
                log.warning("revisions_unknown", extra={"error": str(error)})
            try:
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def _poll(self) -> None:
        asked_s = self._clock()
        asked = tuple(self._tenants)
        revisions = await self._loader.revisions(asked)
        self._confirmed_s = asked_s
        for tenant_id in asked:
            found, loaded = revisions.get(tenant_id), self._tenants.get(tenant_id)
            if loaded is None:  # forgotten while the question was under way
                continue
            if found is None:
                self._forget(tenant_id)
                self.changed(tenant_id)
                continue
            self._advance(tenant_id, found.revision)
            if found.published > loaded.bundle.revision and tenant_id not in self._loading:
                self._refresh(tenant_id)

    def _refresh(self, tenant_id: str) -> None:
        """Load a newer bundle beside the poll: one tenant's compiling is no other's delay."""
        task = self._loading[tenant_id] = asyncio.get_running_loop().create_task(
            self._reload(tenant_id)
        )
        task.add_done_callback(lambda done: self._refreshed(tenant_id, done))

    def _refreshed(self, tenant_id: str, done: asyncio.Task[LoadedTenant | None]) -> None:
        self._loading.pop(tenant_id, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            # The type alone: what it says may hold texts of the tenant.
            said = {"tenant_id": tenant_id, "error": type(error).__name__}
            log.warning("bundle_not_loaded", extra=said)

    async def _touch(self) -> None:
        used, self._used = self._used, {}
        if used:
            await self._loader.touch(
                {name: datetime.fromtimestamp(at, UTC) for name, at in used.items()}
            )

    # Loading

    async def _single_flight(
        self, name: object, load: Callable[[], Coroutine[Any, Any, Result]]
    ) -> Result:
        """Do one load of a name at a time; a waiter that is cancelled leaves the load alone."""
        task = self._loading.get(name)
        if task is None:
            task = self._loading[name] = asyncio.get_running_loop().create_task(load())
            task.add_done_callback(lambda _: self._loading.pop(name, None))
        result: Result = await asyncio.shield(task)
        return result

    async def _load_principal(self, digest: bytes) -> Principal | None:
        row = await self._loader.key(digest)
        if row is None:
            self._misses.take(self._clock())
            self._unknown[digest] = self._clock() + UNKNOWN_S
            if len(self._unknown) > MOST_UNKNOWN:
                self._unknown.popitem(last=False)
            return None
        tenant = self._tenants.get(row.tenant_id)
        if tenant is None or row.app_id not in tenant.apps:
            tenant = await self._single_flight(row.tenant_id, lambda: self._reload(row.tenant_id))
        if tenant is None or row.app_id not in tenant.apps:
            raise Unavailable(
                "policy_unavailable", "No configuration has been published for this app yet."
            )
        principal = _principal(digest, row, tenant)
        if self._advance(row.tenant_id, row.revision) and row.tenant_id in self._tenants:
            self._principals[digest] = principal
            if len(self._principals) > MOST_PRINCIPALS:
                self._principals.popitem(last=False)
        return principal

    async def _reload(self, tenant_id: str) -> LoadedTenant | None:
        """Load a tenant's newest bundle; a bundle that cannot be used leaves the last good one."""
        current = self._tenants.get(tenant_id)
        try:
            bundle = await self._loader.bundle(tenant_id)
            if bundle is None:
                return current
            if current is not None and current.bundle.revision >= bundle.revision:
                return current
            loaded = await asyncio.to_thread(tenants.load, bundle, self._masters, self._names)
        except (BundleError, EnvelopeError, PolicyError) as error:
            log.warning("bundle_unusable", extra={"tenant_id": tenant_id, "error": str(error)})
            return current
        self._tenants[tenant_id] = loaded
        self._tenants.move_to_end(tenant_id)
        self._drop_principals(tenant_id)
        if len(self._tenants) > MOST_TENANTS:
            self._forget(next(iter(self._tenants)))
        return loaded

    def _advance(self, tenant_id: str, revision: int) -> bool:
        """Take note of a tenant's revision, however it was learned; False when it is an old one.

        A higher one makes every principal of the tenant stale, not only the one just read.
        """
        known = self._revisions.get(tenant_id, 0)
        if revision > known:
            self._revisions[tenant_id] = revision
            if known:
                self._drop_principals(tenant_id)
                self.changed(tenant_id)
        return revision >= known

    def _forget(self, tenant_id: str) -> None:
        self._tenants.pop(tenant_id, None)
        self._revisions.pop(tenant_id, None)
        self._drop_principals(tenant_id)

    def _drop_principals(self, tenant_id: str) -> None:
        gone = [
            digest
            for digest, principal in self._principals.items()
            if principal.row.tenant_id == tenant_id
        ]
        for digest in gone:
            del self._principals[digest]


def _principal(digest: bytes, row: KeyRow, tenant: LoadedTenant) -> Principal:
    app = tenant.apps[row.app_id].for_key(row.public_id)
    return Principal(
        digest,
        row,
        tenant,
        app,
        tenant.lines(row.app_id, row.public_id),
        row.expires_at.timestamp() if row.expires_at else float("inf"),
        facts.of_principal(row, tenant, app),
    )
