"""The one control of time that the pages on usage share: whole windows up to now. Pure."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from tenants.budgets import window_starts

DEFAULT = "7d"
_STEPS = {"hour": datetime.timedelta(hours=1), "day": datetime.timedelta(days=1)}
_LABELS = {"hour": "%H:%M", "day": "%-d %b"}


@dataclass(frozen=True, slots=True)
class Range:
    """How far back to look, and in which windows."""

    name: str
    label: str
    granularity: Literal["hour", "day"]
    windows: int


RANGES: Mapping[str, Range] = MappingProxyType(
    {
        each.name: each
        for each in (
            Range("24h", "24 hours", "hour", 24),
            Range("7d", "7 days", "day", 7),
            Range("30d", "30 days", "day", 30),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Span:
    """A range that ends with the present window; what came before begins at `before`."""

    range: Range
    zone: ZoneInfo
    before: datetime.datetime
    since: datetime.datetime
    until: datetime.datetime

    def label(self, start: datetime.datetime) -> str:
        """Return what stands below a window on a chart."""
        return start.astimezone(self.zone).strftime(_LABELS[self.range.granularity])

    @property
    def since_text(self) -> str:
        """Where it begins, as the filter of calls reads it."""
        return self.since.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M")


def span(name: str, zone: ZoneInfo, now: datetime.datetime) -> Span:
    """Return the range of this name that ends now; raise KeyError where there is none."""
    wanted = RANGES[name]
    back = _STEPS[wanted.granularity] * (2 * wanted.windows + 1)
    seconds = window_starts(wanted.granularity, zone, now - back, now)
    starts = [datetime.datetime.fromtimestamp(second, datetime.UTC) for second in seconds]
    last = next(place for place, start in enumerate(starts) if start > now)
    first = last - wanted.windows
    return Span(wanted, zone, starts[first - wanted.windows], starts[first], starts[last])
