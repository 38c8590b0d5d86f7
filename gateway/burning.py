"""How fast money is spent, and when it will be gone. Pure."""

import datetime

ENOUGH = datetime.timedelta(hours=6)
"""A pace that was seen for less says nothing."""


def runs_out(
    used_micros: int, limit_micros: int, start: datetime.datetime, now: datetime.datetime
) -> datetime.datetime | None:
    """Return when the limit is reached at the pace since `start`; None where no pace is seen."""
    passed = now - start
    if used_micros <= 0 or passed < ENOUGH:
        return None
    left = max(0, limit_micros - used_micros)
    try:
        return now + passed * (left / used_micros)
    except OverflowError:
        return None
