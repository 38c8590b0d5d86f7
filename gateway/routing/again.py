"""Whether and when a call is tried again: pauses, and a budget for what retries may add. Pure."""

from typing import NamedTuple

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 4.0
MOST_WAIT_S = 10.0
"""A provider that asks for a longer pause is not waited for."""

PER_CALL = 0.1
MOST_SAVED = 10.0


class Allowance(NamedTuple):
    """What retries may still add: a tenth of the calls, and ten at once after a quiet time.

    Without it a provider in trouble would get several times the calls that it cannot answer.
    """

    left: float = MOST_SAVED


def earned(allowance: Allowance) -> Allowance:
    """Return the allowance after a call's first attempt."""
    if allowance.left >= MOST_SAVED:
        return allowance
    return Allowance(min(MOST_SAVED, allowance.left + PER_CALL))


def spent(allowance: Allowance) -> Allowance | None:
    """Return the allowance after a retry or a hedge; None where it has no room for one."""
    return Allowance(allowance.left - 1) if allowance.left >= 1 else None


def pause_s(number: int, draw: float, retry_after_s: float | None) -> float | None:
    """Return how long to wait before retry `number` (from 0); None where that would be too long.

    Full jitter: any time up to a bound that doubles, so that callers who failed together do not
    come back together; never less than the provider asked for.
    """
    asked_s = retry_after_s or 0.0
    if asked_s > MOST_WAIT_S:
        return None
    longest_s: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**number)
    return asked_s + draw * longest_s
