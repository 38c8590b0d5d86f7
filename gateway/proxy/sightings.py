"""What the counters said last of each budget and limit, as this worker heard it.

Every reservation tells how full each line is, so no trip is made for this: what nobody reserved
for is not known, and what is known grows old. The most that calls under way may cost counts as
used, as it does in the counters.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.bundle import Budget
from gateway.exchange import BudgetLine, LimitLine
from gateway.proxy.store.counters import level_tokens

ALL = 100
NEVER = -1
_ENDLESS = float("inf")


class Sighting(NamedTuple):
    """What was used of a line, in micros or units of its limit, at an instant of a window."""

    used: int
    at_s: float
    end_s: float


class Counted(NamedTuple):
    """The fullest budget and the fullest limit of a call, by the share that is used of each.

    An age of -1: none of them was ever seen, or in its window.
    """

    budget_percent: int = 0
    remaining_micros: int = 0
    budget_age_ms: int = NEVER
    rate_percent: int = 0
    rate_age_ms: int = NEVER


class _Share(NamedTuple):
    """How full a line is; of equals, the one that was seen later."""

    percent: int
    at_s: float
    remaining: int


class Sightings:
    """The lines that were seen lately. It surely holds `most` of them, and twice as many at most:
    those of a tenant that is gone are forgotten as others are seen."""

    __slots__ = ("_most", "_older", "_recent")

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._recent: dict[tuple[str, str], Sighting] = {}
        self._older: dict[tuple[str, str], Sighting] = {}

    def granted(
        self,
        limits: Sequence[LimitLine],
        budgets: Sequence[BudgetLine],
        levels: Sequence[int],
        now_s: float,
    ) -> None:
        """Take in what a reservation told: to what each limit is filled, what each budget has."""
        for line, level in zip(limits, levels, strict=False):
            self.limit(line, level_tokens(line, level), now_s)
        for held, left in zip(budgets, levels[len(limits) :], strict=False):
            self.budget(held, left, now_s)

    def limit(self, line: LimitLine, used: int, now_s: float) -> None:
        """Take in what is used of a limit."""
        self._keep((line.key, ""), Sighting(used, now_s, _ENDLESS))

    def budget(self, line: BudgetLine, left: int, now_s: float) -> None:
        """Take in what a budget has left, in micros."""
        used = line.budget.limit_micros - left
        self._keep((line.budget.id, line.group), Sighting(used, now_s, line.end_s))

    def counted(
        self,
        limits: Sequence[LimitLine],
        budgets: Sequence[tuple[Budget, str]],
        now_s: float,
    ) -> Counted:
        """Return what is known of the lines of a call; each budget with the group that pays."""
        money = [
            self._share((budget.id, group), budget.limit_micros, now_s) for budget, group in budgets
        ]
        rates = [self._share((line.key, ""), line.most, now_s) for line in limits]
        budget, rate = _fullest(money), _fullest(rates)
        return Counted(
            budget_percent=budget.percent if budget else 0,
            remaining_micros=budget.remaining if budget else 0,
            budget_age_ms=_age_ms(budget, now_s),
            rate_percent=rate.percent if rate else 0,
            rate_age_ms=_age_ms(rate, now_s),
        )

    def _share(self, key: tuple[str, str], limit: int, now_s: float) -> _Share | None:
        seen = self._recent.get(key) or self._older.get(key)
        if seen is None or now_s >= seen.end_s:
            return None
        percent = min(ALL, max(0, seen.used) * ALL // limit) if limit > 0 else ALL
        return _Share(percent, seen.at_s, min(limit, max(0, limit - seen.used)))

    def _keep(self, key: tuple[str, str], seen: Sighting) -> None:
        if key not in self._recent and len(self._recent) >= self._most:
            self._older, self._recent = self._recent, {}
        self._recent[key] = seen


def _fullest(shares: Sequence[_Share | None]) -> _Share | None:
    return max((share for share in shares if share is not None), default=None)


def _age_ms(share: _Share | None, now_s: float) -> int:
    return NEVER if share is None else max(0, int((now_s - share.at_s) * 1000))
