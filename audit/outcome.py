"""How a call ended, read from the last word of its records. Pure.

The last word is of the highest attempt: its refusal, else its completion, else its loss, else its
admission, which means that the answer is still awaited.
"""

from typing import Literal

Outcome = Literal["permitted", "denied", "failed", "lost", "in_flight"]

OUTCOMES: tuple[Outcome, ...] = ("permitted", "denied", "failed", "lost", "in_flight")

LAST_WORD: tuple[str, ...] = ("refused", "completed", "lost", "admitted")
"""The kinds of a record, the one that says most first."""

OUTAGES: tuple[str, ...] = (
    "authentication_unavailable",
    "budget_unavailable",
    "evidence_unavailable",
    "idempotency_unavailable",
    "overloaded",
    "policy_unavailable",
    "upstream_credential_rejected",
    "upstream_rate_limited",
    "upstream_unavailable",
)
"""Codes of refusals that say nothing about the call: something of ours, or whoever would have
served it, was away."""

WITHHELD: tuple[str, ...] = (
    "detector_failed",
    "invalid_api_key",
    "key_expired",
    "key_revoked",
    "obligation_unenforceable",
    "policy_denied",
    "tenant_suspended",
)
"""Codes of completions where an answer came and was withheld, or cut."""


def outcome(kind: str, code: str) -> Outcome:
    """Return what the last word of a call means."""
    if kind == "refused":
        return "failed" if code in OUTAGES else "denied"
    if kind == "completed":
        if not code:
            return "permitted"
        return "denied" if code in WITHHELD else "failed"
    return "lost" if kind == "lost" else "in_flight"


OUTCOME_OF_LAST = """(
      SELECT CASE
        WHEN last.kind = 'refused' AND last.code = ANY(%(outages)s) THEN 'failed'
        WHEN last.kind = 'refused' THEN 'denied'
        WHEN last.kind = 'lost' THEN 'lost'
        WHEN last.kind = 'admitted' THEN 'in_flight'
        WHEN last.code = '' THEN 'permitted'
        WHEN last.code = ANY(%(withheld)s) THEN 'denied'
        ELSE 'failed' END
      FROM audit_record AS last WHERE last.day = {record}.day AND last.call_id = {record}.call_id
      ORDER BY last.attempt DESC, array_position(%(last_word)s, last.kind::text) LIMIT 1)"""
"""The same in SQL, of the call that a row named `{record}` belongs to."""
