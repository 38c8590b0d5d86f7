"""How a budget stands in one of its windows: what is posted, what is held, and day by day."""

import datetime
import zoneinfo
from dataclasses import dataclass
from typing import NamedTuple

from audit.actor import Actor
from tenants.budgets import window_starts
from tenants.models import Budget
from tenants.selectors import budgets_visible
from tenants.usage.postings import Posted, posted_and_held

GROUPS_MOST = 50


@dataclass(frozen=True, slots=True)
class Group:
    """What one group of a budget has used; a budget that has no groups has one, without a name."""

    name: str
    posted_micros: int
    held_micros: int


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget in one window. A limit holds for each group by itself; the sums are over all.

    A `total` budget has no `end`.

    `days` begin at the tenant's midnights, and the first with the window; what was posted for a
    call counts on the day on which it arrived. `groups` are those that used most.
    """

    limit_micros: int
    currency: str
    start: datetime.datetime
    end: datetime.datetime | None
    posted_micros: int
    held_micros: int
    groups: tuple[Group, ...]
    days: tuple[tuple[datetime.datetime, int], ...]


def budget_state(actor: Actor, budget: Budget, at: datetime.datetime) -> BudgetState:
    """Return how a budget stands in the window of an instant.

    Raises Budget.DoesNotExist for one that the actor may not see.
    """
    visible = budgets_visible(actor).select_related("tenant").get(pk=budget.pk)
    window = _window(visible, at)
    posted, held = _sums(visible, window)
    spent: dict[datetime.datetime, int] = dict.fromkeys(window.days, 0)
    by_group: dict[str, int] = {}
    for each in posted:
        # What arrived just before the window was held in it all the same: it is its first day's.
        spent[window.days[max(0, each.day - 1)]] += each.micros
        by_group[each.group] = by_group.get(each.group, 0) + each.micros
    groups = [
        Group(name, by_group.get(name, 0), held.get(name, 0)) for name in by_group.keys() | held
    ]
    groups.sort(key=lambda one: (-one.posted_micros - one.held_micros, one.name))
    return BudgetState(
        limit_micros=visible.limit_micros,
        currency=visible.currency,
        start=window.start,
        end=window.end,
        posted_micros=sum(by_group.values()),
        held_micros=sum(held.values()),
        groups=tuple(groups[:GROUPS_MOST]),
        days=tuple(spent.items()),
    )


class _Window(NamedTuple):
    """A window, and where its days begin as far as they have come."""

    start: datetime.datetime
    end: datetime.datetime | None
    days: list[datetime.datetime]


def _window(budget: Budget, at: datetime.datetime) -> _Window:
    zone = zoneinfo.ZoneInfo(budget.tenant.timezone)
    start_s, end_s = window_starts(budget.window, zone, at, at)[:2]
    start = datetime.datetime.fromtimestamp(start_s, datetime.UTC)
    if budget.window == Budget.Window.TOTAL:
        since = min(at, budget.created_at)
        return _Window(start, None, [since, *_midnights(zone, since, at)])
    end = datetime.datetime.fromtimestamp(end_s, datetime.UTC)
    return _Window(start, end, [start, *_midnights(zone, start, min(end, at))])


def _sums(budget: Budget, window: _Window) -> tuple[list[Posted], dict[str, int]]:
    """Return what was posted by group and day, and what is held by group."""
    posted, of_tenant = posted_and_held(
        [budget.tenant_id], [budget.pk], [window.start], window.days
    )
    held: dict[str, int] = {}
    for each in of_tenant:
        if (each.budget_id, each.start_s) == (str(budget.pk), int(window.start.timestamp())):
            held[each.group] = held.get(each.group, 0) + each.micros
    return posted, held


def _midnights(
    zone: zoneinfo.ZoneInfo, since: datetime.datetime, until: datetime.datetime
) -> list[datetime.datetime]:
    instants = (
        datetime.datetime.fromtimestamp(start_s, datetime.UTC)
        for start_s in window_starts("day", zone, since, until)
    )
    return [instant for instant in instants if since < instant < until]
