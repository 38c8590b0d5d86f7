"""What became of attempts whose lease ended, as PostgreSQL knows it (hard case 7)."""

from typing import Any

import psycopg

SWEEP = """
WITH lapsed AS MATERIALIZED (
  SELECT call_id, attempt, tenant_id, amounts, bound_pico, posted_pico, currency,
         (to_timestamp(('x' || left(replace(call_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
          AT TIME ZONE 'UTC')::date AS day
  FROM tenants_hold WHERE state = 'open' AND lease_until < now()
  ORDER BY lease_until LIMIT %s FOR UPDATE SKIP LOCKED
), closed AS (
  UPDATE tenants_hold AS hold SET state = 'lost', posted_pico = lapsed.bound_pico
  FROM lapsed WHERE hold.call_id = lapsed.call_id AND hold.attempt = lapsed.attempt
), entered AS (
  INSERT INTO tenants_ledgerentry (tenant_id, call_id, attempt, kind, delta_pico, currency, at)
  SELECT tenant_id, call_id, attempt, 'lost', bound_pico - posted_pico, currency, now()
  FROM lapsed WHERE bound_pico <> posted_pico
), posted AS (
  INSERT INTO tenants_ledgerposting (tenant_id, budget_id, window_start, "group", call_id, attempt,
                                     delta_micros)
  SELECT tenant_id, (place->>0)::uuid, to_timestamp((place->>1)::float8), place->>3, call_id,
         attempt, ceil(bound_pico / 1000000) - ceil(posted_pico / 1000000)
  FROM lapsed, jsonb_array_elements(amounts) AS place
  WHERE ceil(bound_pico / 1000000) <> ceil(posted_pico / 1000000)
), recorded AS (
  INSERT INTO audit_record (day, call_id, attempt, kind, at, tenant_id, app_id, key_id, model, code,
                            cost_micros, body)
  SELECT day, call_id, attempt, 'lost', now(), admitted.tenant_id, app_id, key_id, model, 'lost',
         ceil(lapsed.bound_pico / 1000000), json_build_object('charge', 'bound')
  FROM lapsed JOIN audit_record AS admitted USING (day, call_id, attempt)
  WHERE admitted.kind = 'admitted'
  ON CONFLICT DO NOTHING
)
SELECT count(*) FROM lapsed
"""
VOID = """
INSERT INTO tenants_hold (call_id, attempt, tenant_id, epoch, seq, state, amounts, bound_pico,
                          posted_pico, currency, lease_until, created_at)
VALUES (%s, %s, %s, %s, %s, 'void', '[]', 0, 0, '', now(), now())
ON CONFLICT DO NOTHING
"""
HOLD = """
SELECT state, ceil(posted_pico / 1000000)::bigint FROM tenants_hold
WHERE call_id = %s AND attempt = %s
"""
TENANTS_WITH_BUDGETS = "SELECT DISTINCT tenant_id::text FROM tenants_budget"


class Sweep:
    """What became of attempts whose lease ended, in one connection of its own."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, database_url: str) -> "Sweep":
        """Open the connection."""
        return cls(
            await psycopg.AsyncConnection.connect(
                database_url,
                autocommit=True,
                connect_timeout=5,
                options="-c statement_timeout=30000",
                application_name="gatehouse-sweep",
            )
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def post_lost(self, most: int) -> int:
        """Post admitted attempts whose worker died at their full amount; return how many."""
        cursor = await self._connection.execute(SWEEP, (most,))
        row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def void(self, tenant_id: str, operation: str, epoch: int, seq: int) -> tuple[str, int]:
        """Claim a lapsed number, so that it can never be admitted; return state and posted micros.

        "void" when the claim was won or the number is another's: everything may be released.
        """
        call_id, _, attempt = operation.rpartition("-")
        claim = (call_id, int(attempt))
        await self._connection.execute(VOID, (*claim, tenant_id, epoch, seq))
        cursor = await self._connection.execute(HOLD, claim)
        row = await cursor.fetchone()
        return (row[0], int(row[1])) if row else ("void", 0)

    async def tenants(self) -> list[str]:
        """Return the tenants that have budgets."""
        cursor = await self._connection.execute(TENANTS_WITH_BUDGETS)
        return [row[0] for row in await cursor.fetchall()]
