"""The statements that roll usage up: one for the hours of a range, one for the day they are of.

What a call cost is read from the ledger, so that the sums are the ledger's; all else is read from
its records. A call belongs where its id says that it arrived. The keys of both tables begin with
that instant, so a range of time is a range of ids.
"""

from tenants.usage.latency import BOUNDS_MS, sql_sum

OTHER = "other"
"""The user and the tag of what a window has no row of its own for."""

ROWS_MAX = 1000
"""How many combinations of app, key, model, user and tags a window of a tenant tells apart.

Those with the most calls are kept; the rest is counted under `other`, by app, key and model, of
which there are only as many as were configured.
"""

_MEASURES = (
    "calls", "refused", "denied", "redacted", "failed", "lost", "input_tokens", "output_tokens",
    "cached_tokens", "cost_pico", "cost_micros", "latency_ms", "cache_hits", "cache_misses",
    "saved_micros",
)  # fmt: skip
_NAMES = ", ".join(_MEASURES)
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in _MEASURES)

_FOLD = """
, ranked AS (
  SELECT *, row_number() OVER (
    PARTITION BY tenant_id, start, "user" = '{other}' AND tags::text[] = ARRAY['{other}']
    ORDER BY calls DESC, cost_pico DESC, app_id, key_id, model, "user", tags, currency
  ) <= %(most)s AS kept
  FROM grouped
), folded AS (
  SELECT tenant_id, start, app_id, key_id, model, currency,
    CASE WHEN kept THEN "user" ELSE '{other}' END AS "user",
    CASE WHEN kept THEN tags ELSE ARRAY['{other}'] END AS tags,
    {sums}, {histogram} AS latency
  FROM ranked GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)
"""
_INSERT = """
, written AS (
  INSERT INTO tenants_usagerollup (granularity, tenant_id, start, app_id, key_id, model, "user",
    tags, currency, {names}, latency)
  SELECT %(granularity)s, tenant_id, start, app_id, key_id, model, "user", tags, currency,
    {names}, latency
  FROM folded RETURNING *
)
INSERT INTO tenants_usagetotal (granularity, tenant_id, start, app_id, key_id, model, currency,
  {names}, latency)
SELECT granularity, tenant_id, start, app_id, key_id, model, currency, {sums}, {histogram}
FROM written GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

_CALLS = """
WITH told AS (
  SELECT tenant_id, call_id, app_id, key_id, model,
    max(lpad((attempt * 4 + array_position(%(words)s, kind::text))::text, 7, '0') || kind || ' '
        || code) AS last_word,
    greatest(0, extract(epoch FROM max(at)) * 1000
      - ('x' || left(replace(call_id::text, '-', ''), 12))::bit(48)::bigint)::bigint AS took_ms,
    coalesce(max(told."user"), '') AS "user",
    coalesce(max(told.facts ->> 'call.tags') FILTER (WHERE kind <> 'completed'), '[]') AS tags,
    bool_or(told.redacted = 'true') AS is_redacted,
    sum((told.usage ->> 0)::bigint) AS input_tokens,
    sum((told.usage ->> 1)::bigint) AS output_tokens,
    sum((told.usage ->> 2)::bigint) AS cached_tokens,
    bool_or(told.cache ->> 'outcome' = 'hit' AND code = '') AS is_hit,
    bool_or(told.cache ->> 'outcome' = 'miss') AS is_miss,
    max(told.cache ->> 'currency') FILTER (WHERE told.cache ->> 'outcome' = 'hit') AS saved_in,
    sum((told.cache ->> 'saved_pico')::numeric)
      FILTER (WHERE told.cache ->> 'outcome' = 'hit' AND code = '') AS saved_pico
  FROM audit_record,
    json_to_record(body) AS told ("user" text, facts json, redacted text, usage json,
      cache json)
  WHERE day BETWEEN %(first_day)s AND %(last_day)s
    AND call_id >= %(low)s AND call_id < %(high)s AND tenant_id = ANY(%(tenants)s)
  GROUP BY 1, 2, 3, 4, 5
), call AS MATERIALIZED (
  SELECT *, split_part(substr(last_word, 8), ' ', 1) AS kind,
    split_part(substr(last_word, 8), ' ', 2) AS code,
    width_bucket(took_ms, ARRAY[{bounds}]::bigint[]) AS bucket
  FROM told
), attempt AS (
  SELECT tenant_id, call_id, attempt, currency, sum(delta_pico) AS pico
  FROM tenants_ledgerentry
  WHERE call_id >= %(low)s AND call_id < %(high)s AND tenant_id = ANY(%(tenants)s)
  GROUP BY 1, 2, 3, 4
), cost AS (
  SELECT tenant_id, call_id, currency, sum(pico) AS pico, sum(ceil(pico / 1000000)) AS micros,
    row_number() OVER (PARTITION BY call_id ORDER BY currency) = 1 AS is_first
  FROM attempt GROUP BY 1, 2, 3
), line AS (
  SELECT *, coalesce(is_first, true) AND kind IS NOT NULL AS counts,
    kind = 'completed' AND code = '' AS is_permitted
  FROM call FULL JOIN cost USING (tenant_id, call_id)
), grouped AS (
  SELECT tenant_id, app_id,
    (%(starts)s::timestamptz[])[width_bucket(call_id, %(lows)s::uuid[])] AS start,
    coalesce(key_id, '') AS key_id, coalesce(model, '') AS model,
    left(coalesce("user", ''), 200) AS "user",
    ARRAY(SELECT left(tag, 300) FROM json_array_elements_text(coalesce(tags, '[]')::json) AS tag
    ) AS tags,
    coalesce(currency, saved_in, '') AS currency,
    count(*) FILTER (WHERE counts) AS calls,
    count(*) FILTER (WHERE counts AND kind = 'refused') AS refused,
    count(*) FILTER (WHERE counts AND (kind = 'refused' AND code <> ALL(%(outages)s)
      OR kind = 'completed' AND code = ANY(%(withheld)s))) AS denied,
    count(*) FILTER (WHERE counts AND is_redacted) AS redacted,
    count(*) FILTER (WHERE counts AND (kind = 'refused' AND code = ANY(%(outages)s)
      OR kind = 'completed' AND code <> '' AND code <> ALL(%(withheld)s))) AS failed,
    count(*) FILTER (WHERE counts AND kind = 'lost') AS lost,
    coalesce(sum(input_tokens) FILTER (WHERE counts), 0) AS input_tokens,
    coalesce(sum(output_tokens) FILTER (WHERE counts), 0) AS output_tokens,
    coalesce(sum(cached_tokens) FILTER (WHERE counts), 0) AS cached_tokens,
    coalesce(sum(pico), 0) AS cost_pico, coalesce(sum(micros), 0) AS cost_micros,
    coalesce(sum(took_ms) FILTER (WHERE counts AND is_permitted), 0) AS latency_ms,
    count(*) FILTER (WHERE counts AND is_hit) AS cache_hits,
    count(*) FILTER (WHERE counts AND is_miss AND is_hit IS NOT TRUE) AS cache_misses,
    coalesce(sum(floor(saved_pico / 1000000)) FILTER (WHERE counts), 0) AS saved_micros,
    ARRAY[{buckets}] AS latency
  FROM line GROUP BY 1, 2, 3, 4, 5, 6, line.tags, 8
)
"""
_HOURS = """
WITH grouped AS (
  SELECT tenant_id, %(start)s::timestamptz AS start, app_id, key_id, model, "user", tags, currency,
    {sums}, {histogram} AS latency
  FROM tenants_usagerollup
  WHERE granularity = 'hour' AND tenant_id = ANY(%(tenants)s)
    AND start >= %(start)s AND start < %(end)s
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)
"""

_FORGET = """
DELETE FROM {table}
WHERE granularity = %(granularity)s AND tenant_id = ANY(%(tenants)s)
  AND start >= %(since)s AND start < %(until)s
"""

TOUCHED = """
SELECT DISTINCT tenant_id,
  ('x' || left(replace(call_id::text, '-', ''), 12))::bit(48)::bigint / %(slot_ms)s
FROM (
  SELECT tenant_id, call_id FROM audit_record
  WHERE xid >= %(since)s::text::xid8 AND xid < %(until)s::text::xid8
  UNION ALL
  SELECT tenant_id, call_id FROM tenants_ledgerentry
  WHERE xid >= %(since)s::text::xid8 AND xid < %(until)s::text::xid8
) AS written
"""
HORIZON = """
SELECT pg_snapshot_xmin(now.snapshot)::text::bigint, pg_snapshot_xmax(now.snapshot)::text::bigint
FROM pg_current_snapshot() AS now (snapshot)
"""


def roll_hours() -> str:
    """Return the statement that rolls hours up from records and ledger."""
    counted = "count(*) FILTER (WHERE counts AND is_permitted AND bucket = "
    buckets = ", ".join(f"{counted}{place})" for place in range(len(BOUNDS_MS) + 1))
    bounds = ", ".join(map(str, BOUNDS_MS))
    return _whole(_CALLS.replace("{buckets}", buckets).replace("{bounds}", bounds))


def roll_day() -> str:
    """Return the statement that rolls a day up from its hours."""
    return _whole(_HOURS)


FORGET = tuple(
    _FORGET.replace("{table}", table) for table in ("tenants_usagerollup", "tenants_usagetotal")
)


def _whole(source: str) -> str:
    statement = source + _FOLD + _INSERT
    texts = {"names": _NAMES, "sums": _SUMS, "other": OTHER, "histogram": sql_sum("latency")}
    for place, text in texts.items():
        statement = statement.replace(f"{{{place}}}", text)
    return statement
