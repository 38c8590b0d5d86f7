"""Steps 3 and 7: the caller's rate, then money and rate for one attempt, all or nothing."""

import logging
import math
from bisect import bisect_right
from collections.abc import Sequence

import orjson

from gateway.bundle import Budget, Price
from gateway.exchange import (
    GENERATING,
    UNBOUNDED,
    Attempt,
    BudgetLine,
    Head,
    LimitLine,
    Permitted,
    Reservation,
)
from gateway.pricing import bound_pico, price_at
from gateway.providers.openai.upstream import input_bound
from gateway.proxy import bounds, metrics
from gateway.proxy.counting import Counting, Memory
from gateway.proxy.directory import Principal
from gateway.proxy.errors import BadRequest, BeyondLimit, OverBudget, OverLimit, Unavailable
from gateway.proxy.groups import paying
from gateway.proxy.store.connection import StoreDown, StoreError
from gateway.proxy.store.counters import (
    Demand,
    Exceeded,
    Granted,
    NeedsRebuild,
    Verdict,
    WrongWindow,
    level_tokens,
)
from tenants.money import MAX_MICROS, micros_from_pico, text_from_micros

log = logging.getLogger(__name__)

BYTES_PER_TOKEN = 4
TRIES = 4
CODES = {
    "requests": "rate_limit_exceeded",
    "tokens": "tokens_limit_exceeded",
    "concurrency": "concurrency_limit_exceeded",
}
RATE_HEADERS = {
    kind: tuple(f"x-ratelimit-{what}-{kind}".encode() for what in ("limit", "remaining", "reset"))
    for kind in ("requests", "tokens")
}


def admit(principal: Principal, memory: Memory, now_s: float) -> None:
    """Refuse at once what a limit on requests would refuse again; no I/O."""
    revision = principal.tenant.bundle.revision
    for line in principal.lines.requests:
        wait_s = memory.wait_s(line, now_s, revision)
        if wait_s > 0:
            raise over_limit(line, wait_s)


async def reserve(
    counting: Counting,
    permitted: Permitted,
    head: Head,
    principal: Principal,
    attempt: Attempt,
) -> Reservation:
    """Hold the most that one attempt can cost, or raise the refusal that says why not."""
    wanted, groups = demand(permitted, head, principal, attempt)
    if not wanted.limits and not groups:
        return wanted
    try:
        return await _granted(counting, wanted, principal, groups, attempt)
    except (StoreDown, StoreError) as error:
        log.warning("counters_away", extra={"error": str(error)})
        budgets = [budget for budget, _ in groups]
        return _without_redis(counting, wanted, budgets, attempt.now_s)


def demand(
    permitted: Permitted, head: Head, principal: Principal, attempt: Attempt
) -> tuple[Reservation, list[tuple[Budget, str]]]:
    """Return what an attempt asks for, and the budgets that would pay with their groups; no I/O."""
    price = price_at(permitted.deployment.prices, int(attempt.now_s))
    # What costs nothing is refused by no budget; the rates of requests hold all the same.
    budgets = _payable(permitted, principal, price) if attempt.fixed_pico != 0 else ()
    groups = paying(budgets, head, permitted.call, permitted.route.name, principal)
    return _wanted(permitted, principal, price, attempt), groups


async def epoch_over(counting: Counting, principal: Principal, refused: Reservation) -> None:
    """Make sure that the next reservation counts under another epoch than a refused one."""
    try:
        await counting.rebuilder.rebuild(principal.tenant, refused.epoch or 0)
    except (StoreDown, StoreError):
        raise Unavailable(
            "budget_unavailable", "The budget's counters cannot be rebuilt now."
        ) from None


async def _granted(
    counting: Counting,
    wanted: Reservation,
    principal: Principal,
    groups: Sequence[tuple[Budget, str]],
    attempt: Attempt,
) -> Reservation:
    revision, now_s = principal.tenant.bundle.revision, attempt.now_s
    for _ in range(TRIES):
        lines = tuple([_line(budget, group, now_s) for budget, group in groups])
        verdict: Verdict = await counting.counters.reserve(
            wanted.operation,
            principal.row.tenant_id,
            Demand(
                limits=wanted.limits,
                tokens=wanted.tokens,
                budgets=lines,
                micros=wanted.micros,
                revision=revision,
                lease_ms=int(attempt.lease_s * 1000),
            ),
        )
        _heard(counting, principal, lines, verdict, now_s)
        match verdict:
            case Granted():
                return _reservation(wanted, lines, verdict)
            case Exceeded(index=index) if index < len(wanted.limits):
                line, wait_s = wanted.limits[index], verdict.wait_ms / 1000
                _check_it_can_fit(line, wanted.tokens)
                if line.limit.kind == "requests":
                    counting.memory.keep(line, now_s + wait_s, revision)
                raise over_limit(line, wait_s)
            case Exceeded(index=index):
                raise over_budget(lines[index - len(wanted.limits)], wanted.micros, verdict)
            case WrongWindow(now_ms):
                now_s = now_ms / 1000
            case NeedsRebuild(epoch):
                await counting.rebuilder.rebuild(principal.tenant, epoch)
    raise Unavailable("budget_unavailable", "The budget's counters are being rebuilt.")


def _heard(
    counting: Counting,
    principal: Principal,
    budgets: Sequence[BudgetLine],
    verdict: Verdict,
    now_s: float,
) -> None:
    """Keep what a reply tells of the lines that it is about, where a rule reads it."""
    if not principal.tenant.watches:
        return
    sightings, limits = counting.sightings, principal.lines.limits
    match verdict:
        case Granted(levels=levels):
            sightings.granted(limits, budgets, levels, now_s)
        case Exceeded(index, headroom) if index < len(limits):
            sightings.limit(limits[index], limits[index].most - headroom, now_s)
        case Exceeded(index, headroom):
            sightings.budget(budgets[index - len(limits)], headroom, now_s)


def _without_redis(
    counting: Counting, wanted: Reservation, budgets: Sequence[Budget], now_s: float
) -> Reservation:
    if any(budget.hard for budget in budgets):
        raise Unavailable(
            "budget_unavailable",
            "The budget's counters are away, so nothing that it pays for may be sent.",
        )
    metrics.LOCAL_LIMITS.inc()
    refused = counting.share.take(wanted.limits, wanted.tokens, now_s)
    if refused is not None:
        raise over_limit(*refused)
    return wanted


def _payable(permitted: Permitted, principal: Principal, price: Price | None) -> tuple[Budget, ...]:
    """Return the budgets that pay; under a hard one everything about the price must be known."""
    budgets = principal.lines.budgets
    if not budgets:
        return ()
    if price is None or price.currency != principal.lines.currency:
        budgets = _in_currency(budgets, permitted, price)
    if principal.lines.hard is not None:
        bounds.check(permitted, price, principal.lines.hard)
    return budgets


def _in_currency(
    budgets: tuple[Budget, ...], permitted: Permitted, price: Price | None
) -> tuple[Budget, ...]:
    """Return the budgets that are kept in the currency of a price."""
    foreign = [b for b in budgets if price is None or b.currency != price.currency]
    hard = next((budget for budget in foreign if budget.hard), None)
    if hard is not None:
        raise BadRequest(
            "model_unpriced",
            f"{permitted.route.name} has no price in {hard.currency}, in which a hard budget is "
            "kept.",
            "Ask for a price to be set for this model.",
            rule=hard.name,
            param="model",
        )
    return tuple(budget for budget in budgets if budget not in foreign)


def _wanted(
    permitted: Permitted, principal: Principal, price: Price | None, attempt: Attempt
) -> Reservation:
    call, size = permitted.call, _size(permitted)
    output = call.n * permitted.cap if call.endpoint in GENERATING else 0
    bound = 0
    tokens = 0 if call.service else (size - len(call.file)) // BYTES_PER_TOKEN + output
    if attempt.fixed_pico is not None:
        bound, tokens = attempt.fixed_pico, 0
    elif price is not None:
        bound = bound_pico(input_bound(size, call), output, price)
        if micros_from_pico(bound) > MAX_MICROS:
            raise BadRequest("invalid_request", "The call could cost more than can be counted.")
    return Reservation(
        operation=attempt.operation,
        attempt=attempt.number,
        limits=principal.lines.limits,
        budgets=(),
        tokens=tokens,
        micros=micros_from_pico(bound),
        bound_pico=bound,
        price=price,
        epoch=None,
        seq=None,
        levels=(),
        counted=False,
        bounded=call.endpoint not in UNBOUNDED,
        fixed_pico=attempt.fixed_pico,
    )


def _size(permitted: Permitted) -> int:
    """Return the bytes that bound the input: what stands for redacted text may be longer."""
    if permitted.body is permitted.call.body:
        return permitted.call.size
    return max(permitted.call.size, len(orjson.dumps(permitted.body)))


def _reservation(wanted: Reservation, lines: Sequence[BudgetLine], granted: Granted) -> Reservation:
    epoch, seq, groups, levels = granted
    budgets = tuple(
        [
            line if line.group == group else line._replace(group=group)
            for line, group in zip(lines, groups, strict=False)
        ]
    )
    return wanted.granted(budgets, epoch, seq, levels)


def _line(budget: Budget, group: str, now_s: float) -> BudgetLine:
    index = bisect_right(budget.starts, now_s)
    if not 0 < index < len(budget.starts):
        raise Unavailable(
            "budget_unavailable", f"The windows of the budget {budget.name} are not published."
        )
    return BudgetLine(budget, budget.starts[index - 1], budget.starts[index], group)


def _check_it_can_fit(line: LimitLine, tokens: int) -> None:
    """Refuse for good what a limit on tokens has no room for even when nothing else is used."""
    limit = line.limit
    if limit.kind == "tokens" and tokens > line.most:
        raise BeyondLimit(
            CODES[limit.kind],
            f"The call may use {tokens} tokens; the limit {limit.name} never has room for more "
            f"than {line.most} tokens at once.",
            "Ask for less: a lower max_tokens, a shorter prompt.",
            rule=limit.name,
        )


def over_limit(line: LimitLine, wait_s: float) -> OverLimit:
    """Return the refusal of what a rate limit has no room for yet."""
    limit = line.limit
    what = (
        f"{limit.amount} calls at once"
        if limit.kind == "concurrency"
        else (f"{limit.amount} {limit.kind} per {limit.per_s} s")
    )
    return OverLimit(
        CODES[limit.kind],
        f"The limit {limit.name} of {what} is used up.",
        f"Try again in {max(1, math.ceil(wait_s))} s.",
        rule=limit.name,
        retry_after_s=wait_s,
    )


def over_budget(line: BudgetLine, micros: int, verdict: Exceeded) -> OverBudget:
    """Return the refusal of what a budget has no room for."""
    budget = line.budget
    return OverBudget(
        "insufficient_quota",
        f"The call may cost up to {text_from_micros(micros)} {budget.currency}; the budget "
        f"{budget.name} has {text_from_micros(verdict.headroom)} left.",
        f"Ask for less (a lower max_tokens, a shorter prompt), or wait {verdict.wait_ms // 1000} s "
        f"for the next {budget.window}, or have the budget raised.",
        rule=budget.name,
    )


def headers(reservation: Reservation) -> list[tuple[bytes, bytes]]:
    """Return x-ratelimit-* of the tightest limit on requests and on tokens."""
    tightest: dict[str, tuple[int, LimitLine, int]] = {}
    for line, level in zip(reservation.limits, reservation.levels, strict=False):
        kind = line.limit.kind
        if kind == "concurrency":
            continue
        room, known = line.most - level_tokens(line, level), tightest.get(kind)
        if known is None or room < known[0]:
            tightest[kind] = room, line, level
    found: list[tuple[bytes, bytes]] = []
    for kind, (room, line, level) in tightest.items():
        limit_name, remaining_name, reset_name = RATE_HEADERS[kind]
        reset_s = -(-level * line.tick_ms // (line.limit.amount * 1000))
        found += (
            (limit_name, b"%d" % line.limit.amount),
            (remaining_name, b"%d" % max(0, room)),
            (reset_name, b"%ds" % reset_s),
        )
    return found
