"""Budgets and rate limits: one round trip reserves them all, one gives back what was not used.

All keys of a tenant carry its id as hash tag, so that they live in one slot of a cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gateway.bundle import Limit
from gateway.exchange import BudgetLine, LimitLine
from gateway.proxy.store.connection import Argument, Connection, Script

_HERE = Path(__file__).parent
RESERVE = Script(_HERE / "reserve.lua")
SETTLE = Script(_HERE / "settle.lua")
REBUILD = Script(_HERE / "rebuild.lua")
SCRIPTS = (RESERVE, SETTLE, REBUILD)

KINDS = {"requests": "r", "tokens": "t", "concurrency": "c"}
EXACT = 2**52
REBUILD_PART = 500


class Demand(NamedTuple):
    """What one attempt needs: `tokens` in every token limit, one request and one lease in the
    others, `micros` in every budget. `revision` is that of the budgets' limits."""

    limits: Sequence[LimitLine]
    tokens: int
    budgets: Sequence[BudgetLine]
    micros: int
    revision: int
    lease_ms: int


class Granted(NamedTuple):
    """Everything fitted. `groups` are those that count (too many share one); `levels` is what each
    limit is filled to, then what each budget has left."""

    epoch: int
    seq: int
    groups: tuple[str, ...]
    levels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Dimension `index` (limits first) did not have room: `headroom` is what it had."""

    index: int
    headroom: int
    wait_ms: int


@dataclass(frozen=True, slots=True)
class NeedsRebuild:
    """Redis lost counters of this tenant, or never had them; `epoch` is in force, 0 for none."""

    epoch: int


@dataclass(frozen=True, slots=True)
class WrongWindow:
    """The clocks differ: it is `now_ms` in Redis."""

    now_ms: int


Verdict = Granted | Exceeded | NeedsRebuild | WrongWindow


@dataclass(frozen=True, slots=True)
class CounterState:
    """What a rebuild writes into one counter: posted and held micros of each group."""

    line: BudgetLine
    groups: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """A hold that a rebuild restores."""

    operation: str
    seq: int
    lease_until_ms: int
    groups: tuple[str, ...]
    amounts: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lapsed:
    """An operation whose lease ended: its number, and the groups of its counters by their names."""

    operation: str
    epoch: int
    seq: int
    groups: tuple[tuple[str, str], ...]


def counter_name(line: BudgetLine) -> str:
    """Return the name of a budget's counter in one window."""
    return f"{line.budget.id}:{line.start_s}"


@lru_cache(4096)
def _window(
    tenant_id: str, budget_id: str, start_s: int, end_s: int, limit_micros: int
) -> tuple[str, bytes, tuple[bytes, ...]]:
    """Return key and name of a budget's counter in one window, and what is told of it: made once
    for a window, not for every call."""
    name = f"{budget_id}:{start_s}"
    told = _texts(start_s * 1000, end_s * 1000, limit_micros)
    return f"gh:{{{tenant_id}}}:b:{name}", name.encode(), told


def limit_line(tenant_id: str, limit: Limit) -> LimitLine:
    """Prepare a rate limit for the script; ticks grow where milliseconds would not stay exact."""
    period_ms = limit.per_s * 1000
    tick = 1 if max(limit.amount, limit.burst) * max(period_ms, 1) <= EXACT else 1000
    key, capacity = f"gh:{{{tenant_id}}}:r:{limit.id}", limit.burst or limit.amount
    return LimitLine(
        limit,
        key,
        tick,
        most=capacity,
        unit=period_ms // tick,
        reserving=_texts(KINDS[limit.kind], limit.amount, period_ms, capacity, tick),
        settling=_texts(limit.amount, period_ms, tick),
    )


def _texts(*arguments: str | int) -> tuple[bytes, ...]:
    """Return arguments as they are sent: numbers are put into digits once, not for every call."""
    return tuple(str(argument).encode() for argument in arguments)


def level_tokens(line: LimitLine, level: int) -> int:
    """Return a limit's level, as the script tells it, in requests or tokens, rounded up."""
    return level if line.limit.kind == "concurrency" else -(-level // line.unit)


class Counters:
    """The scripts, called with values."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection

    async def reserve(
        self,
        operation: str,
        tenant_id: str,
        demand: Demand,
    ) -> Verdict:
        """Reserve all that is demanded, or nothing at all."""
        limits, tokens, budgets, micros, revision, lease_ms = demand
        tag = f"gh:{{{tenant_id}}}:"
        keys = [f"{tag}m", f"{tag}o:{operation}", f"{tag}l"]
        arguments: list[Argument] = [
            operation, self._redis.run_id, lease_ms, len(limits), len(budgets)
        ]  # fmt: skip
        for line in limits:
            keys.append(line.key)
            arguments += line.reserving
            arguments.append(tokens if line.limit.kind == "tokens" else 1)
        for budget, start_s, end_s, group in budgets:
            window = tenant_id, budget.id, start_s, end_s, budget.limit_micros
            key, name, told = _window(*window)
            keys.append(key)
            arguments += told
            arguments += (revision, micros, group, b"1" if budget.hard else b"0", name)
        return _verdict(await self._redis.run(RESERVE, keys, arguments))

    async def settle(
        self,
        operation: str,
        tenant_id: str,
        *,
        limits: Sequence[LimitLine],
        tokens: int,
        budgets: Sequence[BudgetLine],
        micros: Sequence[int],
    ) -> bool:
        """Close an operation: add `tokens` to the token limits (negative gives back), post `micros`
        (one for each budget). False when there was nothing open under this name."""
        line = _settlement(operation, tenant_id, limits, tokens, budgets, micros)
        reply = await self._redis.run(SETTLE, *line)
        return bool(reply[1] == b"OK")

    def settle_soon(
        self,
        operation: str,
        tenant_id: str,
        *,
        limits: Sequence[LimitLine],
        tokens: int,
        budgets: Sequence[BudgetLine],
        micros: Sequence[int],
    ) -> None:
        """Do what `settle` does without anybody waiting; what fails is left to the sweep."""
        line = _settlement(operation, tenant_id, limits, tokens, budgets, micros)
        self._redis.run_soon(SETTLE, *line)

    async def settle_lapsed(self, tenant_id: str, lapsed: Lapsed, micros: int) -> None:
        """Close an operation that only Redis still holds open: post `micros`, release the rest."""
        tag = f"gh:{{{tenant_id}}}:"
        keys = [f"{tag}o:{lapsed.operation}", f"{tag}l"]
        arguments: list[Argument] = [lapsed.operation, 0, 0, len(lapsed.groups)]
        for name, group in lapsed.groups:
            keys.append(f"{tag}b:{name}")
            arguments += (group, micros)
        await self._redis.run(SETTLE, keys, arguments)

    async def lapsed(self, tenant_id: str, most: int) -> list[Lapsed]:
        """Return operations whose lease ended by the time of Redis, at most `most`."""
        tag = f"gh:{{{tenant_id}}}:"
        seconds, micros = await self._redis.execute("TIME")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        found = await self._redis.execute(
            "ZRANGEBYSCORE", f"{tag}l", "-inf", now_ms, "LIMIT", 0, most
        )
        lapsed = []
        for name in found:
            operation = name.decode()
            fields = ("state", "epoch", "seq", "names", "groups")
            state, epoch, seq, names, groups = await self._redis.execute(
                "HMGET", f"{tag}o:{operation}", *fields
            )
            if state != b"open":
                await self._redis.execute("ZREM", f"{tag}l", operation)
                continue
            pairs = zip(names.decode().split("\n"), groups.decode().split("\n"), strict=True)
            lapsed.append(Lapsed(operation, int(epoch), int(seq), tuple(pairs)))
        return lapsed

    async def in_force(self, tenant_id: str) -> int:
        """Return the epoch under which a tenant's counters count in this Redis; 0 for none."""
        key = f"gh:{{{tenant_id}}}:m"
        epoch, run = await self._redis.execute("HMGET", key, "epoch", "run")
        return int(epoch) if epoch and run.decode() == self._redis.run_id else 0

    async def rebuild(
        self,
        tenant_id: str,
        epoch: int,
        revision: int,
        counters: Sequence[CounterState],
        operations: Sequence[OpenOperation],
    ) -> int | None:
        """Write a tenant's counters as absolute values and put `epoch` in force.

        None when that is done; else the epoch that is in force and is not below this one.
        """
        parts: list[tuple[Sequence[CounterState], Sequence[OpenOperation]]] = [
            (counters[at : at + REBUILD_PART], ()) for at in range(0, len(counters), REBUILD_PART)
        ]
        parts += [
            ((), operations[at : at + REBUILD_PART])
            for at in range(0, len(operations), REBUILD_PART)
        ]
        for hashes, ops in parts:
            newer = await self._rebuild_part(tenant_id, epoch, revision, hashes, ops, None)
            if newer is not None:
                return newer
        names = [counter_name(state.line) for state in counters]
        return await self._rebuild_part(tenant_id, epoch, revision, (), (), names)

    async def _rebuild_part(
        self,
        tenant_id: str,
        epoch: int,
        revision: int,
        counters: Sequence[CounterState],
        operations: Sequence[OpenOperation],
        names: list[str] | None,
    ) -> int | None:
        tag = f"gh:{{{tenant_id}}}:"
        keys = [f"{tag}m", f"{tag}l"]
        part = "part" if names is None else "last"
        arguments: list[Argument] = [
            epoch, self._redis.run_id, part, len(counters), len(operations)
        ]  # fmt: skip
        for state in counters:
            budget = state.line.budget
            keys.append(f"{tag}b:{counter_name(state.line)}")
            arguments += (
                budget.limit_micros, revision, state.line.end_s * 1000, len(state.groups)
            )  # fmt: skip
            for group, (posted, held) in state.groups.items():
                arguments += (group, posted, held)
        for operation in operations:
            keys.append(f"{tag}o:{operation.operation}")
            arguments += (
                operation.operation, operation.seq, operation.lease_until_ms,
                "\n".join(operation.groups), ",".join(map(str, operation.amounts)),
                "\n".join(operation.names),
            )  # fmt: skip
        reply = await self._redis.run(REBUILD, keys, [*arguments, *(names or ())])
        return None if reply[1] == b"OK" else int(reply[2])


def _settlement(
    operation: str,
    tenant_id: str,
    limits: Sequence[LimitLine],
    tokens: int,
    budgets: Sequence[BudgetLine],
    micros: Sequence[int],
) -> tuple[list[Argument], list[Argument]]:
    """Return the keys and the arguments of the settling script."""
    tag = f"gh:{{{tenant_id}}}:"
    token_lines = [line for line in limits if line.limit.kind == "tokens"]
    leases = [line.key for line in limits if line.limit.kind == "concurrency"]
    keys: list[Argument] = [f"{tag}o:{operation}", f"{tag}l"]
    keys += [line.key for line in token_lines]
    keys += leases
    arguments: list[Argument] = [operation, len(token_lines), len(leases), len(budgets)]
    for line in token_lines:
        arguments += (*line.settling, tokens)
    for held, cost in zip(budgets, micros, strict=True):
        keys.append(f"{tag}b:{counter_name(held)}")
        arguments += (held.group, cost)
    return keys, arguments


def _verdict(reply: list[bytes]) -> Verdict:
    verdict = reply[1]
    if verdict == b"OK":
        _, _, epoch, seq, groups, levels = reply
        return Granted(
            int(epoch),
            int(seq),
            tuple(groups.decode().split("\n")),
            tuple(map(int, levels.split(b","))) if levels else (),
        )
    if verdict == b"DENY":
        return Exceeded(int(reply[2]) - 1, int(reply[3]), int(reply[4]))
    if verdict == b"WRONG_WINDOW":
        return WrongWindow(int(reply[2]))
    return NeedsRebuild(int(reply[2]))
