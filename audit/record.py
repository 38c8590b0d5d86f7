"""What one call leaves behind. Pure.

A call has an id that carries its day: 48 bits of milliseconds, then randomness (UUID version 7). Of
each call there is either one `refused` record (nothing left the gateway) or, for each attempt, an
`admitted` record (durable before anything left) and a `completed` or `lost` one. The id is the
decision id that callers see.

A record's body holds facts, the decision and figures, never text of a prompt or an answer:

refused, admitted  source, user, conversation, stream, endpoint, app, key_name, facts {name: value,
                   only those that differ from their default}, decision {effect, code, determining,
                   matched, shadow, exemptions, obligations, risk}, policies [name@version],
                   policy_hash, facts_schema (the version of the facts; absent in older records),
                   detectors (version), failed (detectors that could not finish),
                   exempting (what each exemption that could hold says: the instant by which they
                   are judged is the call's), rollout (where a candidate version stands beside the
                   active one: its name, percent, active and candidate (hashes), served, change,
                   other_policies, and other: what the version that was not served decided),
                   revision (of the bundle), digest and digests (keyed, of the body and of each
                   leaf), transformations (what was declared and done to the body before it was
                   judged: app@HASH, model:NAME@HASH, default_model:NAME), timings_us
refused            status, message, rule
admitted           provider, deployment, upstream_model, route, region, cap, bound_micros, currency,
                   redacted, sanitised {carrier: characters}, left_out (fields that the provider
                   could not honour)
completed          status, finish, usage [input, output, cached, written to the cache, reasoning],
                   charge ("usage", "bound", "not_billed", "not_sent" or "kept"), cost_pico,
                   decision, failed, sanitised, rollout, facts and findings of the answer, its
                   digest, timings_us; cache {outcome, age_s, stale, saved_pico, currency, first},
                   where kept answers had to do with it
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

DAY_MS = 24 * 3600 * 1000
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
Kind = Literal["refused", "admitted", "completed", "lost"]


class Record(NamedTuple):
    """One row of evidence; see the module for `body`."""

    kind: Kind
    call_id: UUID
    attempt: int
    at: datetime
    tenant_id: str
    app_id: str
    key_id: str
    model: str
    code: str
    cost_micros: int | None
    body: Mapping[str, Any]


def call_id(at_ms: int, randomness: bytes) -> UUID:
    """Make the id of a call from the instant of its arrival and 10 random bytes."""
    noise = int.from_bytes(randomness)
    high = (at_ms << 16) | 0x7000 | (noise >> 68 & 0xFFF)
    return UUID(int=high << 64 | 0x2 << 62 | noise & 0x3FFFFFFFFFFFFFFF)


def instant_ms(identity: UUID) -> int:
    """Return when a call arrived, in milliseconds since the epoch."""
    return identity.int >> 80


def instant(identity: UUID) -> datetime:
    """Return when a call arrived, to the millisecond."""
    return datetime.fromtimestamp(instant_ms(identity) / 1000, UTC)


def day(identity: UUID) -> date:
    """Return the day that all records of a call are filed under."""
    return date.fromordinal(EPOCH_ORDINAL + instant_ms(identity) // DAY_MS)
