"""How far budgets are used in their present window: what was spent, and what is held."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tenants.budgets import window_starts
from tenants.models import Budget
from tenants.money import text_from_micros
from tenants.usage.postings import posted_and_held

WARN_PERCENT = 80
FULL_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Meter:
    """A budget with its present window. A grouped one has a limit for each group: `groups` says
    how many have spent, `spent_micros` and `held_micros` are those of the one that spent most."""

    budget: Budget
    start: datetime.datetime
    end: datetime.datetime | None
    spent_micros: int
    held_micros: int
    groups: int
    group: str

    @property
    def used_percent(self) -> int:
        """Of the limit, spent and held together, rounded down."""
        used = self.spent_micros + self.held_micros
        return used * 100 // self.budget.limit_micros if self.budget.limit_micros else 100

    @property
    def spent(self) -> int:
        """Percent of the bar that is spent."""
        return min(100, self._share(self.spent_micros))

    @property
    def held(self) -> int:
        """Percent of the bar that is held."""
        return min(100 - self.spent, self._share(self.held_micros))

    @property
    def look(self) -> str:
        """How much attention it wants."""
        if self.used_percent >= FULL_PERCENT:
            return "bad"
        return "warn" if self.used_percent >= WARN_PERCENT else ""

    @property
    def text(self) -> str:
        """The meter in words."""
        spent, held = text_from_micros(self.spent_micros), text_from_micros(self.held_micros)
        of = f"of {text_from_micros(self.budget.limit_micros)} {self.budget.currency}"
        most = f" by {self.group}, who spent most" if self.group else ""
        return f"{spent} spent, {held} held {of} ({self.used_percent} %){most}"

    def _share(self, micros: int) -> int:
        return micros * 100 // self.budget.limit_micros if self.budget.limit_micros else 100


def meters(budgets: Sequence[Budget], now: datetime.datetime) -> list[Meter]:
    """Return the meter of each budget in its present window; two queries, however many."""
    windows = {budget.id: _window(budget, now) for budget in budgets}
    starts = {start for start, _ in windows.values()}
    tenant_ids = {budget.tenant_id for budget in budgets}
    posted, held = posted_and_held(tenant_ids, [*windows], {_instant(start) for start in starts})
    sums: dict[tuple[str, int], dict[str, list[int]]] = {}
    for spent in posted:
        of_window = sums.setdefault((str(spent.budget_id), int(spent.start.timestamp())), {})
        of_window.setdefault(spent.group, [0, 0])[0] += spent.micros
    for each in held:
        of_window = sums.setdefault((each.budget_id, each.start_s), {})
        of_window.setdefault(each.group, [0, 0])[1] += each.micros
    return [
        _meter(budget, *windows[budget.id], sums.get((str(budget.id), windows[budget.id][0]), {}))
        for budget in budgets
    ]


def _meter(budget: Budget, start: int, end: int, groups: dict[str, list[int]]) -> Meter:
    group, (spent, held) = max(groups.items(), key=lambda item: sum(item[1]), default=("", (0, 0)))
    endless = budget.window == Budget.Window.TOTAL
    return Meter(
        budget=budget,
        start=budget.created_at if endless else _instant(start),
        end=None if endless else _instant(end),
        spent_micros=spent,
        held_micros=held,
        groups=len(groups),
        group=group,
    )


def _window(budget: Budget, now: datetime.datetime) -> tuple[int, int]:
    zone = ZoneInfo(budget.tenant.timezone)
    start, end, *_ = window_starts(budget.window, zone, now, now)
    return start, end


def _instant(second: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, datetime.UTC)
