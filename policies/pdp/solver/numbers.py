"""A figure between bounds: the one nearest to what is wanted, or none. Pure.

Both kinds are decided completely: of whole numbers and of floats there is a next one.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from policies.pdp.solver.domain import FLOAT_MAX, INT_MAX, INT_MIN, Range
from policies.pdp.solver.literal import OPPOSITE, Literal

_DIGITS = 15
_TINY = 1e-9


class Span(NamedTuple):
    """The figures from `low` to `high`, without some; where `only` is set, those of it alone."""

    low: float
    high: float
    without: frozenset[float]
    only: frozenset[float] | None

    @property
    def is_empty(self) -> bool:
        """True where bounds alone leave nothing."""
        return self.low > self.high


def span(literals: Iterable[Literal], bounds: Range, *, whole: bool) -> Span:
    """Return what tests of one figure leave of its range."""
    least, most = (INT_MIN, INT_MAX) if whole else (-FLOAT_MAX, FLOAT_MAX)
    low, high = max(bounds[0], least), min(bounds[1], most)
    without: set[float] = set()
    only: set[float] | None = None
    for literal in literals:
        test, value = literal.test, literal.value
        if test in ("==", "in"):
            values = set(cast("tuple[float, ...]", value)) if test == "in" else {value}
            if literal.holds:
                only = set(cast("set[float]", values)) & (values if only is None else only)
            else:
                without |= cast("set[float]", values)
        else:
            low, high = _bounded(low, high, literal, whole=whole)
    return Span(low, high, frozenset(without), None if only is None else frozenset(only))


def pick(left: Span, wanted: float, *, whole: bool) -> float | None:
    """Return the figure nearest to `wanted` that is left, or None."""
    if left.only is not None:
        fits = [v for v in left.only if left.low <= v <= left.high and v not in left.without]
        return min(fits, key=lambda value: (abs(value - wanted), value), default=None)
    if left.is_empty:
        return None
    start = min(max(wanted, left.low), left.high)
    if start not in left.without and (whole or start == wanted or not _is_odd(start)):
        return int(start) if whole else float(start)
    return _whole_near(left, int(start)) if whole else _float_near(left, start)


def _bounded(low: float, high: float, literal: Literal, *, whole: bool) -> Range:
    value, test = cast("float", literal.value), literal.test
    if not literal.holds:
        test = OPPOSITE[test]
    if test == ">=":
        return max(low, value), high
    if test == "<=":
        return low, min(high, value)
    if test == ">":
        return max(low, value + 1 if whole else math.nextafter(value, math.inf)), high
    return low, min(high, value - 1 if whole else math.nextafter(value, -math.inf))


def _whole_near(left: Span, start: int) -> int | None:
    for step in range(len(left.without) + 1):
        for value in (start + step, start - step):
            if left.low <= value <= left.high and value not in left.without:
                return value
    return None


def _is_odd(value: float) -> bool:
    """Say whether a float is one that nobody would write, such as the next after 0.6."""
    return 0 < abs(value) < _TINY or sum(map(str.isdigit, repr(value))) > _DIGITS


def _float_near(left: Span, start: float) -> float | None:
    for value in (*_written(left, start), *_following(left, start)):
        if left.low <= value <= left.high and value not in left.without:
            return value
    return None


def _written(left: Span, start: float) -> Sequence[float]:
    """Return figures with few digits just within the span."""
    near = []
    if math.isfinite(start) and abs(start) < 1 / math.ulp(1.0):
        for digits in range(1, 16):
            unit = 10.0**-digits
            near += [round(start, digits), round(start + unit, digits), round(start - unit, digits)]
    return near


def _following(left: Span, start: float) -> Iterable[float]:
    up = down = start
    yield start
    for _ in range(len(left.without) + 1):
        up, down = math.nextafter(up, math.inf), math.nextafter(down, -math.inf)
        yield from (up, down)
