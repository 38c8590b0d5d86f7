"""Whether a rule behaves otherwise than it did, from its hits day by day. Pure.

Medians, so that one wild day does not hide the next, and bounds below which numbers say nothing.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

Kind = Literal["jump", "silence", "never"]

DAYS = 30
RECENT = 7
JUMP_TIMES = 4
JUMP_HITS_MIN = 20
MAD_TIMES = 8
STEADY_HITS_MIN = 5
TRAFFIC_MIN = 20
SPREAD = 1.4826
"""The median absolute deviation, times this, is the standard deviation of what is normal."""


class Unusual(NamedTuple):
    """What is unusual, and the sentence that says so."""

    kind: Kind
    said: str


def unusual(hits: Sequence[int], calls: Sequence[int]) -> Unusual | None:
    """Judge the last day by the days before it, oldest first; `calls` are all calls of each.

    Hits are set in proportion to the calls: more of them because there is more traffic is no news.
    None as well where there is too little to go by.
    """
    *before, today = hits
    *calls_before, calls_today = calls
    if calls_today < TRAFFIC_MIN:
        return None
    known = [(count, total) for count, total in zip(before, calls_before, strict=True) if total > 0]
    if len(known) < RECENT:
        return None
    expected = [count * calls_today / total for count, total in known]
    return _jump(today, expected) or _silence(today, expected)


def never_fired(hits: Sequence[int], calls: Sequence[int]) -> Unusual | None:
    """Say that a rule matched in none of all these days' calls, where there were enough."""
    total = sum(calls)
    if any(hits) or total < TRAFFIC_MIN:
        return None
    return Unusual("never", f"It matched in none of {total:,} calls in {len(calls)} days.")


def _jump(today: int, expected: Sequence[float]) -> Unusual | None:
    """Compare with both: a rule may have changed a week ago, and every week has its weekend."""
    usual = max(median(expected), median(expected[-RECENT:]))
    spread = SPREAD * median([abs(one - usual) for one in expected])
    bound = max(JUMP_HITS_MIN, JUMP_TIMES * usual, usual + MAD_TIMES * spread)
    if today < bound:
        return None
    return Unusual("jump", f"It matched {today:,} times in a day; {usual:,.0f} are usual.")


def _silence(today: int, expected: Sequence[float]) -> Unusual | None:
    usual = min(median(expected), median(expected[-RECENT:]))
    silent = sum(1 for one in expected if one == 0)
    if today or usual < STEADY_HITS_MIN or silent * 10 > len(expected):
        return None
    return Unusual("silence", f"It did not match for a day; {usual:,.0f} times a day are usual.")
