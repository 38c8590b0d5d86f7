"""What the data plane reads from PostgreSQL: keys, revisions, bundles, the truth of counters."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from gateway.bundle import Bundle, decode

TIMEOUT_S = 2.0
RECONNECT_S = 1.0


class DatabaseDown(Exception):
    """PostgreSQL does not answer, or not in time."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A virtual key with the states that decide whether it may call, all read at one moment."""

    public_id: str
    name: str
    user: str
    active: bool
    expires_at: datetime | None
    app_id: str
    app_active: bool
    tenant_id: str
    tenant_active: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Revision:
    """How far a tenant's configuration is, and how far its newest bundle."""

    revision: int
    published: int


@dataclass(frozen=True, slots=True)
class Posting:
    """What the ledger has for one group of one window of a budget."""

    budget_id: str
    window_start_s: int
    group: str
    micros: int


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A hold that is not settled. `amounts` as in tenants.models.Hold."""

    call_id: UUID
    attempt: int
    seq: int
    lease_until: datetime
    amounts: list[list[Any]]


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """One consistent view of what is posted and held under a new epoch."""

    epoch: int
    postings: tuple[Posting, ...]
    holds: tuple[OpenHold, ...]


KEY = """
SELECT key.public_id, key.name, key."user", key.state = 'active', key.expires_at,
       app.id::text, app.state = 'active', tenant.id::text, tenant.state = 'active', tenant.revision
FROM tenants_virtualkey AS key
JOIN tenants_app AS app ON app.id = key.app_id
JOIN tenants_tenant AS tenant ON tenant.id = key.tenant_id
WHERE key.digest = %s
"""
REVISIONS = """
SELECT id::text, revision, published_revision FROM tenants_tenant WHERE id = ANY(%s::uuid[])
"""
BUNDLE = """
SELECT body, checksum FROM gateway_bundlerevision WHERE tenant_id = %s
ORDER BY revision DESC LIMIT 1
"""
TOUCH = """
UPDATE tenants_virtualkey AS key SET last_used_at = used.at
FROM unnest(%s::text[], %s::timestamptz[]) AS used(public_id, at)
WHERE key.public_id = used.public_id AND (key.last_used_at IS NULL OR key.last_used_at < used.at)
"""
NEW_EPOCH = """
INSERT INTO tenants_tenantepoch (tenant_id, epoch) VALUES (%s, %s)
ON CONFLICT (tenant_id) DO UPDATE
SET epoch = greatest(tenants_tenantepoch.epoch, excluded.epoch - 1) + 1
RETURNING epoch
"""
POSTINGS = """
SELECT budget_id::text, extract(epoch FROM window_start)::bigint, "group", sum(delta_micros)::bigint
FROM tenants_ledgerposting WHERE tenant_id = %s AND window_start = ANY(%s::timestamptz[])
GROUP BY budget_id, window_start, "group"
"""
HOLDS = """
SELECT call_id, attempt, coalesce(seq, 0), lease_until, amounts FROM tenants_hold
WHERE tenant_id = %s AND state = 'open' AND jsonb_array_length(amounts) > 0
"""
SCHEMA = "SELECT to_regclass('tenants_ledgerposting') IS NOT NULL"
PARTITIONS = """
SELECT to_regclass('audit_record_' || to_char((now() AT TIME ZONE 'UTC')::date + 1, 'YYYYMMDD'))
       IS NOT NULL
"""
FOREIGN = """
SELECT count(*) FROM (
    SELECT key_id FROM gateway_credential WHERE state = 'active'
    UNION ALL SELECT key_id FROM gateway_servicecredential
    UNION ALL SELECT key_id FROM gateway_guardsecret
) AS sealed WHERE key_id <> ALL(%s::text[])
"""


class Loader:
    """Reads, each bounded in time; DatabaseDown is the only way in which they fail."""

    def __init__(self, database_url: str) -> None:
        self._pool = AsyncConnectionPool(
            database_url,
            min_size=1,
            max_size=4,
            timeout=TIMEOUT_S,
            # A connection that cannot be made is given up, and made anew for who asks next: waiting
            # twice as long each time would go on for minutes after PostgreSQL is back.
            reconnect_timeout=RECONNECT_S,
            open=False,
            kwargs={
                "autocommit": True,
                "connect_timeout": 2,
                "options": f"-c statement_timeout={int(TIMEOUT_S * 1000)}",
                "application_name": "gatehouse-loader",
            },
        )

    async def open(self) -> None:
        """Begin to connect; does not wait for the server."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close(timeout=1)

    async def key(self, digest: bytes) -> KeyRow | None:
        """Return the key with this digest."""
        rows = await self._rows(KEY, (digest,))
        return KeyRow(*rows[0]) if rows else None

    async def revisions(self, tenant_ids: Iterable[str]) -> dict[str, Revision]:
        """Return the revisions of the tenants that still exist."""
        rows = await self._rows(REVISIONS, (list(tenant_ids),))
        return {tenant: Revision(revision, published) for tenant, revision, published in rows}

    async def bundle(self, tenant_id: str) -> Bundle | None:
        """Return a tenant's newest bundle; raises BundleError when it is damaged."""
        rows = await self._rows(BUNDLE, (tenant_id,))
        return decode(bytes(rows[0][0]), rows[0][1]) if rows else None

    async def touch(self, used: dict[str, datetime]) -> None:
        """Note when keys, by public id, were last used."""
        names = sorted(used)
        async with self._connection() as connection:
            await connection.execute(TOUCH, (names, [used[name] for name in names]))

    async def ping(self) -> None:
        """Return if a connection answers."""
        await self._rows("SELECT 1", ())

    async def schema_fault(self) -> str:
        """Return what keeps this version from using the database's schema, or ""."""
        rows = await self._rows(SCHEMA, ())
        if not rows[0][0]:
            return "the database has no tables yet: run migrate"
        rows = await self._rows(PARTITIONS, ())
        return "" if rows[0][0] else "audit_record has no partition for tomorrow"

    async def foreign_credentials(self, key_ids: list[str]) -> int:
        """Return how many active credentials none of these master keys opens."""
        rows = await self._rows(FOREIGN, (key_ids,))
        return int(rows[0][0])

    @asynccontextmanager
    async def rebuilding(self, tenant_id: str) -> AsyncIterator["Ledger"]:
        """Hold a tenant's rebuild lock: one worker rebuilds at a time."""
        async with self._connection() as connection:
            await connection.execute(
                "SELECT pg_advisory_lock(hashtextextended(%s, 0))", (tenant_id,)
            )
            try:
                yield Ledger(connection, tenant_id)
            finally:
                await connection.execute(
                    "SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (tenant_id,)
                )

    def _connection(self) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        return _Guarded(self._pool)

    async def _rows(self, query: str, arguments: tuple[Any, ...]) -> list[Any]:
        async with self._connection() as connection:
            cursor = await connection.execute(query, arguments)
            return await cursor.fetchall()


class Ledger:
    """A tenant's ledger, read under its rebuild lock."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], tenant_id: str) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def new_epoch(self, above: int, windows: Iterable[datetime]) -> LedgerSnapshot:
        """Raise the epoch above `above`, and only then read what is posted and held.

        Raising waits for every batch that is being admitted under the old epoch, and those that
        come later are refused: the snapshot misses none (hard case 1).
        """
        run = self._connection.execute
        row = await (await run(NEW_EPOCH, (self._tenant_id, above + 1))).fetchone()
        epoch = row[0] if row else above + 1
        async with self._connection.transaction():
            await run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor = await run(POSTINGS, (self._tenant_id, list(windows)))
            postings = tuple(Posting(*found) for found in await cursor.fetchall())
            cursor = await run(HOLDS, (self._tenant_id,))
            holds = tuple(OpenHold(*found) for found in await cursor.fetchall())
        return LedgerSnapshot(epoch, postings, holds)


class _Guarded(AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]):
    """A pooled connection whose failures are DatabaseDown."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._context = pool.connection()

    async def __aenter__(self) -> psycopg.AsyncConnection[Any]:
        try:
            connection: psycopg.AsyncConnection[Any] = await self._context.__aenter__()
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise DatabaseDown(type(error).__name__) from error
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the connection back."""
        await self._context.__aexit__(kind, error, trace)
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            raise DatabaseDown(type(error).__name__) from error
