"""Redis is a projection: when it lost a tenant's counters, they are written anew from PostgreSQL.

The order is what keeps the promise (hard case 1): raise the epoch, wait for what was admitted
under the old one, only then read the ledger and the open holds, and write absolute values that take
effect only above the epoch that Redis has.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime

from gateway.bundle import Budget
from gateway.exchange import BudgetLine
from gateway.proxy import metrics
from gateway.proxy.errors import Unavailable
from gateway.proxy.loader import DatabaseDown, LedgerSnapshot, Loader
from gateway.proxy.store.counters import Counters, CounterState, OpenOperation
from gateway.proxy.tenant import LoadedTenant

TRIES = 3
WITHIN_S = 10.0


class Rebuilder:
    """Rebuilds counters; callers that need the same tenant wait for the same rebuild."""

    def __init__(self, loader: Loader, counters: Counters, clock: Callable[[], float]) -> None:
        self._loader = loader
        self._counters = counters
        self._clock = clock
        self._running: dict[str, asyncio.Task[None]] = {}

    async def rebuild(self, tenant: LoadedTenant, seen_epoch: int) -> None:
        """Return when the counters of a tenant are in force under an epoch above `seen_epoch`."""
        tenant_id = tenant.bundle.tenant_id
        task = self._running.get(tenant_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._rebuild(tenant, seen_epoch))
            self._running[tenant_id] = task
            task.add_done_callback(lambda _: self._running.pop(tenant_id, None))
        try:
            await asyncio.shield(task)
        except (DatabaseDown, TimeoutError):
            raise Unavailable(
                "budget_unavailable", "The budget's counters cannot be rebuilt now."
            ) from None

    async def _rebuild(self, tenant: LoadedTenant, seen_epoch: int) -> None:
        bundle = tenant.bundle
        now_s = self._clock()
        current = [_current(budget, now_s) for budget in bundle.budgets]
        lines = {(line.budget.id, line.start_s): line for line in current if line is not None}
        windows = {_instant(line.start_s) for line in lines.values()}
        async with (
            asyncio.timeout(WITHIN_S),
            self._loader.rebuilding(bundle.tenant_id) as ledger,
        ):
            above = await self._counters.in_force(bundle.tenant_id)
            if above > seen_epoch:
                return  # another worker did it while this one waited for the lock
            metrics.REBUILDS.inc()
            for _ in range(TRIES):
                snapshot = await ledger.new_epoch(above, windows)
                newer = await self._counters.rebuild(
                    bundle.tenant_id,
                    snapshot.epoch,
                    bundle.revision,
                    _counters(lines, snapshot),
                    _operations(snapshot),
                )
                if newer is None:
                    return
                above = newer
        raise Unavailable("budget_unavailable", "The budget's counters are being rebuilt.")


def _current(budget: Budget, now_s: float) -> BudgetLine | None:
    index = bisect_right(budget.starts, now_s)
    if not 0 < index < len(budget.starts):
        return None
    return BudgetLine(budget, budget.starts[index - 1], budget.starts[index], "")


def _counters(
    lines: dict[tuple[str, int], BudgetLine], snapshot: LedgerSnapshot
) -> list[CounterState]:
    """Return absolute values: what the ledger has posted, and what open holds still hold."""
    groups: dict[tuple[str, int], dict[str, tuple[int, int]]] = {name: {} for name in lines}
    for posting in snapshot.postings:
        found = groups.get((posting.budget_id, posting.window_start_s))
        if found is not None:
            found[posting.group] = (posting.micros, 0)
    for hold in snapshot.holds:
        for budget_id, start_s, _, group, micros in hold.amounts:
            found = groups.get((budget_id, start_s))
            if found is not None:
                posted, held = found.get(group, (0, 0))
                found[group] = (posted, held + micros)
    return [CounterState(line, groups[name]) for name, line in lines.items()]


def _operations(snapshot: LedgerSnapshot) -> list[OpenOperation]:
    return [
        OpenOperation(
            f"{hold.call_id}-{hold.attempt}",
            hold.seq,
            int(hold.lease_until.timestamp() * 1000),
            tuple(place[3] for place in hold.amounts),
            tuple(place[4] for place in hold.amounts),
            tuple(f"{place[0]}:{place[1]}" for place in hold.amounts),
        )
        for hold in snapshot.holds
    ]


def _instant(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
