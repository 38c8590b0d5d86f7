"""A histogram of durations that adds up: good enough for p50 and p95, small enough to keep. Pure.

Each bound is half as large again as the one before, and between bounds it is interpolated: of few
calls a percentile is off by half of itself at worst, of many by a few hundredths.
"""

from collections.abc import Sequence
from itertools import accumulate

BOUNDS_MS = tuple(round(10 * 1.5**step) for step in range(28))
"""Lower bounds of the buckets but the first, in milliseconds: 10 ms to 9.5 minutes."""

BUCKETS = len(BOUNDS_MS) + 1


def sql_sum(column: str) -> str:
    """Return the SQL that adds histograms up, place by place: far quicker than a loop in SQL."""
    places = ", ".join(f"sum(({column})[{place}])" for place in range(1, BUCKETS + 1))
    return f"ARRAY[{places}]::bigint[]"


def percentile_ms(counts: Sequence[int], share: float) -> int | None:
    """Return the duration that `share` of the calls stayed within; None where there were none."""
    total = sum(counts)
    if not total:
        return None
    wanted = share * total
    for place, reached in enumerate(accumulate(counts)):
        if counts[place] and reached >= wanted:
            low, high = _edges(place)
            return round(high - (high - low) * (reached - wanted) / counts[place])
    return BOUNDS_MS[-1]


def added(rows: Sequence[Sequence[int]]) -> list[int]:
    """Return histograms as one."""
    return [sum(column) for column in zip(*rows, strict=True)] or [0] * BUCKETS


def _edges(place: int) -> tuple[int, int]:
    """Return where a bucket begins and ends; the last, which has no end, ends where it begins."""
    edges = (0, *BOUNDS_MS, BOUNDS_MS[-1])
    return edges[place], edges[place + 1]
