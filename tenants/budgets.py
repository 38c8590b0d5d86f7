"""Windows and groups of budgets. Pure: zones and instants come as arguments.

Windows are cut by the tenant's clock and named by UTC instants, so that a day may have 23 or 25
hours and every worker still agrees on where it begins.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

FOREVER = (0, 2**40)
"""The one window of a `total` budget."""

SERVER_GROUPS = ("user", "app", "key", "model")
"""The groups that need no declaration; the others are tags, as tag:<name>."""

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_TAG = re.compile(r"tag:([a-z0-9][a-z0-9._-]{0,62})")


@dataclass(frozen=True, slots=True)
class BudgetShape:
    """What the rules on groups need to know of a budget. Empty app and key: the whole tenant's.

    A key's budget names its app too. `binds_user`: that key is bound to one end user.
    """

    name: str
    currency: str
    hard: bool
    group_by: tuple[str, ...]
    app_id: str = ""
    key_id: str = ""
    binds_user: bool = False


def window_starts(window: str, zone: tzinfo, since: datetime, until: datetime) -> tuple[int, ...]:
    """Return the boundaries of the windows that hold `since` to `until`, ascending epoch seconds.

    The first is the beginning of the window in which `since` lies, the last is after `until`.
    `window` is hour, day, week (from Monday), month or total. Both instants are aware.
    """
    if window == "total":
        return FOREVER
    instants = _hours(zone, since) if window == "hour" else _days(window, zone, since)
    boundaries = [int(next(instants).timestamp())]
    while boundaries[-1] <= until.timestamp():
        second = int(next(instants).timestamp())
        # A day that a zone left out (Samoa, 30 December 2011) begins where the next one does.
        if second > boundaries[-1]:
            boundaries.append(second)
    return tuple(boundaries)


def group_fault(group: str, tags: Collection[str]) -> str:
    """Return why a budget cannot be grouped by this, or nothing. `tags` are the declared names."""
    if group in SERVER_GROUPS:
        return ""
    tag = _TAG.fullmatch(group)
    if tag is None:
        return f"a budget is grouped by user, app, key, model or tag:<name>, not by {group!r}"
    if tag[1] not in tags:
        return f"the tag {tag[1]!r} is not one of the tenant's declared tags"
    return ""


def without_ceiling(budgets: Sequence[BudgetShape]) -> tuple[BudgetShape, ...]:
    """Return the hard budgets that a client could multiply by declaring ever new values.

    Whoever may choose the group's value gets a fresh limit with each one. Such a budget needs an
    ungrouped hard budget above it, in its currency; or its key binds the user.
    """
    ceilings = [budget for budget in budgets if budget.hard and not budget.group_by]
    return tuple(
        budget
        for budget in budgets
        if budget.hard
        and _client_chooses(budget)
        and not any(_covers(ceiling, budget) for ceiling in ceilings)
    )


def _client_chooses(budget: BudgetShape) -> bool:
    return any(
        group.startswith("tag:") or (group == "user" and not budget.binds_user)
        for group in budget.group_by
    )


def _covers(ceiling: BudgetShape, budget: BudgetShape) -> bool:
    return (
        ceiling.currency == budget.currency
        and ceiling.app_id in ("", budget.app_id)
        and ceiling.key_id in ("", budget.key_id)
    )


def _days(window: str, zone: tzinfo, since: datetime) -> Iterator[datetime]:
    """Yield each instant at which a window of days begins by the local clock."""
    first_of, following = _CALENDAR[window]
    day = first_of(since.astimezone(zone).date())
    while True:
        # In a gap, fold 0 reads the clock as before it: the instant of the gap starts the day.
        yield datetime.combine(day, time(), zone).astimezone(UTC)
        day = following(day)


def _hours(zone: tzinfo, since: datetime) -> Iterator[datetime]:
    """Yield each instant at which the local clock shows a full hour, a repeated one twice."""
    instant = since.astimezone(UTC).replace(second=0, microsecond=0)
    while instant.astimezone(zone).minute:
        instant -= _MINUTE
    while True:
        yield instant
        later = instant + _HOUR
        if later.astimezone(zone).utcoffset() != instant.astimezone(zone).utcoffset():
            # The clock was moved in between, perhaps by half an hour.
            later = instant + _MINUTE
            while later.astimezone(zone).minute:
                later += _MINUTE
        instant = later


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _month(day: date) -> date:
    return day.replace(day=1)


_CALENDAR: Mapping[str, tuple[Callable[[date], date], Callable[[date], date]]] = {
    "day": (lambda day: day, lambda day: day + _DAY),
    "week": (_monday, lambda day: day + 7 * _DAY),
    "month": (_month, lambda day: _month(day + 31 * _DAY)),
}
"""For each window of days: the day on which it began, and the day of the following one."""
