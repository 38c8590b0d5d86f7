"""Records to PostgreSQL, by group commit: what waits together is written in one statement.

One owner task writes; a caller only waits for its row. One statement does all that must be true
together (hard cases 1 to 4): it takes the tenants' epochs shared, claims the sequence numbers,
writes holds and `admitted` records of the claims that were won, books what attempts cost as the
difference to what was posted before, and writes the other records. It is one transaction because it
is one statement. A batch whose outcome was not learned is simply written again: each row is a no-op
the second time. A batch that PostgreSQL refuses is retried row by row.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
import psycopg

from audit.record import Record, day
from gateway.proxy.errors import Unavailable
from gateway.proxy.evidence.prepared import Prepared

log = logging.getLogger(__name__)

MOST_ROWS = 256
MOST_WAITING = 10_000
ADMIT_WAIT_S = 5.0
RETRY_S = 0.2
STATEMENT_TIMEOUT_MS = 5000
CONNECT_S = 6.0


class Claim(NamedTuple):
    """The hold of one attempt. `amounts`: [budget id, window start, window end, group, micros]."""

    epoch: int | None
    seq: int | None
    amounts: Sequence[Sequence[Any]]
    bound_pico: int
    currency: str
    lease_s: float


class EpochChanged(Exception):
    """The number was claimed by another, or its epoch is over: reserve again."""


class _Row(NamedTuple):
    """What waits to be written. A claim has somebody waiting for it: `admitted` tells them whether
    it was won. `then` is for what follows a row that nobody waits for."""

    values: dict[str, Any]
    since_s: float
    admitted: asyncio.Future[bool] | None
    then: Callable[[], None] | None


WRITE = """
WITH input AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json) AS row (
    kind text, day date, call_id uuid, attempt int2, at timestamptz, tenant_id uuid, app_id uuid,
    key_id text, model text, code text, cost_micros int8, body json,
    epoch int4, seq int8, amounts jsonb, bound_pico numeric, currency text, lease_s float8,
    cost_pico numeric)
), fence AS MATERIALIZED (
  SELECT tenant_id, epoch FROM tenants_tenantepoch
  WHERE tenant_id IN (SELECT tenant_id FROM input WHERE epoch IS NOT NULL)
  ORDER BY tenant_id FOR SHARE
), claimed AS (
  INSERT INTO tenants_hold (call_id, attempt, tenant_id, epoch, seq, state, amounts, bound_pico,
                            posted_pico, currency, lease_until, created_at)
  SELECT call_id, attempt, tenant_id, input.epoch, seq, 'open', amounts, bound_pico, 0, currency,
         now() + lease_s * interval '1 second', now()
  FROM input LEFT JOIN fence USING (tenant_id)
  WHERE kind = 'admitted' AND (input.epoch IS NULL OR input.epoch = fence.epoch)
  ORDER BY tenant_id, input.epoch, seq
  ON CONFLICT DO NOTHING
  RETURNING call_id, attempt
), kept AS (
  SELECT call_id, attempt FROM input JOIN tenants_hold AS hold USING (call_id, attempt)
  WHERE kind = 'admitted' AND hold.state = 'open'
    AND hold.epoch IS NOT DISTINCT FROM input.epoch AND hold.seq IS NOT DISTINCT FROM input.seq
), closing AS MATERIALIZED (
  SELECT hold.call_id, hold.attempt, hold.tenant_id, hold.amounts, hold.posted_pico,
         hold.currency, input.cost_pico, input.at
  FROM tenants_hold AS hold JOIN input USING (call_id, attempt)
  WHERE kind = 'completed'
  ORDER BY hold.call_id, hold.attempt FOR UPDATE OF hold
), closed AS (
  UPDATE tenants_hold AS hold SET state = 'settled', posted_pico = closing.cost_pico
  FROM closing WHERE hold.call_id = closing.call_id AND hold.attempt = closing.attempt
), entered AS (
  INSERT INTO tenants_ledgerentry (tenant_id, call_id, attempt, kind, delta_pico, currency, at)
  SELECT tenant_id, call_id, attempt, 'settle', cost_pico - posted_pico, currency, at
  FROM closing WHERE cost_pico <> posted_pico
), posted AS (
  INSERT INTO tenants_ledgerposting (tenant_id, budget_id, window_start, "group", call_id, attempt,
                                     delta_micros)
  SELECT tenant_id, (place->>0)::uuid, to_timestamp((place->>1)::float8), place->>3, call_id,
         attempt, ceil(cost_pico / 1000000) - ceil(posted_pico / 1000000)
  FROM closing, jsonb_array_elements(amounts) AS place
  WHERE ceil(cost_pico / 1000000) <> ceil(posted_pico / 1000000)
), recorded AS (
  INSERT INTO audit_record (day, call_id, attempt, kind, at, tenant_id, app_id, key_id, model, code,
                            cost_micros, body)
  SELECT day, call_id, attempt, kind, at, tenant_id, app_id, key_id, model, code, cost_micros, body
  FROM input
  WHERE kind <> 'admitted' OR (call_id, attempt) IN (SELECT call_id, attempt FROM claimed)
  ON CONFLICT DO NOTHING
)
SELECT call_id::text, attempt FROM input
WHERE kind = 'admitted'
  AND (call_id, attempt) NOT IN (SELECT call_id, attempt FROM claimed)
  AND (call_id, attempt) NOT IN (SELECT call_id, attempt FROM kept)
"""


class Evidence:
    """The writer of one worker. `lag` is how many rows wait."""

    def __init__(self, database_url: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._url = database_url
        self._waiting: list[_Row] = []
        self._news = asyncio.Event()
        self._statement: Prepared | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._down = False

    @property
    def lag(self) -> int:
        """Rows that are not durable yet."""
        return len(self._waiting)

    def check_room(self) -> None:
        """Raise Unavailable when so much waits that a decision could not be kept until it is."""
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable(
                "evidence_unavailable", "Calls cannot be recorded now, so none is decided."
            )

    def check(self) -> None:
        """Raise Unavailable while PostgreSQL is away: what cannot be recorded is not begun."""
        if self._down:
            raise Unavailable(
                "evidence_unavailable", "Calls cannot be recorded now, so none is sent."
            )

    async def admit(self, record: Record, claim: Claim) -> None:
        """Return once the record and its claim are durable.

        Raises EpochChanged when the claim was refused, Unavailable when PostgreSQL did not confirm
        in time: the row may then still become durable, so the caller completes it as not sent.
        """
        values = record_values(record)
        add_claim(values, claim)
        admitted = self._loop.create_future()
        self._queue(values, admitted=admitted)
        if not await admitted:
            raise EpochChanged

    def write(
        self, record: Record, cost_pico: int | None = None, then: Callable[[], None] | None = None
    ) -> None:
        """Queue a record that nobody has to wait for; it is kept until it is durable.

        `then` is called when it is: what must follow does not hang on whoever queued it.
        """
        values = record_values(record)
        if cost_pico is not None:
            values["cost_pico"] = cost_pico
        self._queue(values, then=then)

    async def drained(self) -> None:
        """Return once nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write what waits; runs until cancelled."""
        try:
            while True:
                await self._news.wait()
                size = _batch_size(self._waiting)
                batch, self._waiting = self._waiting[:size], self._waiting[size:]
                await self._write_until_done(batch)
                if not self._waiting:
                    self._news.clear()
                    self._idle.set()
        finally:
            await self._drop_connection()

    def _queue(
        self,
        values: dict[str, Any],
        *,
        admitted: asyncio.Future[bool] | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        self._waiting.append(_Row(values, time.monotonic(), admitted, then))
        if len(self._waiting) == 1:
            self._idle.clear()
            self._news.set()

    async def _write_until_done(self, batch: list[_Row]) -> None:
        """Write a batch, again and again while PostgreSQL is away."""
        while batch:
            try:
                await self._write(batch)
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                await self._refused(batch, error)
            except (psycopg.Error, TimeoutError) as error:
                # Whatever else it is, it is no fault of a row: read-only after a failover, a right
                # that is missing, a disk that is full. The rows stay until a server takes them.
                log.warning("evidence_delayed", extra={"error": type(error).__name__})
                self._down = True
                self._give_up_waiting(batch)
                await self._drop_connection()
                await asyncio.sleep(RETRY_S)
                continue
            self._down = False
            return

    def _give_up_waiting(self, batch: list[_Row]) -> None:
        """Let claims go that have waited long enough; their rows are written all the same."""
        now_s = time.monotonic()
        for row in (*batch, *self._waiting):
            if now_s - row.since_s > ADMIT_WAIT_S:
                _give_up(row, "The call could not be recorded, so it was not sent.")

    async def _refused(self, batch: list[_Row], error: psycopg.Error) -> None:
        if len(batch) > 1:
            for row in batch:
                await self._write_until_done([row])
            return
        # PostgreSQL's primary message names what it would not take; details could quote a row.
        reason = error.diag.message_primary or type(error).__name__
        log.error("evidence_refused", extra={"code": error.sqlstate, "reason": reason})
        _give_up(batch[0], "The call could not be recorded.")

    async def _write(self, batch: list[_Row]) -> None:
        statement = self._statement or await self._connect()
        document = orjson.dumps([row.values for row in batch], default=plain)
        async with asyncio.timeout(STATEMENT_TIMEOUT_MS / 1000 + 1):
            refused = await statement.run(document)
        lost = {(call_id.decode(), int(attempt)) for call_id, attempt in refused}
        for row in batch:
            if row.admitted is not None and not row.admitted.done():
                row.admitted.set_result(not lost or _name(row) not in lost)
            if row.then is not None:
                row.then()

    async def _connect(self) -> Prepared:
        async with asyncio.timeout(CONNECT_S):
            self._statement = await Prepared.connect(
                self._url,
                WRITE,
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
                application_name="gatehouse-evidence",
            )
        return self._statement

    async def _drop_connection(self) -> None:
        statement, self._statement = self._statement, None
        if statement is not None:
            await statement.close()


def _batch_size(waiting: Sequence[_Row]) -> int:
    """Return how many rows may travel together.

    The completion of a claim waits for the next statement: in one with the claim it would look for
    a hold that the statement's snapshot does not have yet, and leave it open.
    """
    claims = set()
    for place, row in enumerate(waiting[:MOST_ROWS]):
        name = (row.values["call_id"].int, row.values["attempt"])
        if row.admitted is not None:
            claims.add(name)
        elif name in claims:
            return place
    return min(len(waiting), MOST_ROWS)


def _name(row: _Row) -> tuple[str, int]:
    return str(row.values["call_id"]), row.values["attempt"]


def _give_up(row: _Row, why: str) -> None:
    """Let whoever waits for a claim go; a row that nobody waits for was logged."""
    if row.admitted is not None and not row.admitted.done():
        row.admitted.set_exception(Unavailable("evidence_unavailable", why))


def plain(value: object) -> list[Any] | tuple[Any, ...]:
    """Named tuples are arrays, sets are sorted arrays."""
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, tuple):
        return tuple(value)
    raise TypeError(f"{type(value).__name__} has no place in a record")


def record_values(record: Record) -> dict[str, Any]:
    """Return a record as the statement takes it."""
    return {
        "kind": record.kind,
        "day": day(record.call_id),
        "call_id": record.call_id,
        "attempt": record.attempt,
        "at": record.at,
        "tenant_id": record.tenant_id,
        "app_id": record.app_id,
        "key_id": record.key_id,
        "model": record.model,
        "code": record.code,
        "cost_micros": record.cost_micros,
        "body": record.body,
    }


def add_claim(values: dict[str, Any], claim: Claim) -> None:
    """Add to an admission the hold that is written with it."""
    values["epoch"], values["seq"] = claim.epoch, claim.seq
    values["amounts"], values["bound_pico"] = claim.amounts, claim.bound_pico
    values["currency"], values["lease_s"] = claim.currency, claim.lease_s
