"""Step 12: what an attempt cost, and what it gives back once that is durable."""

import logging

from gateway.exchange import Charge, Reservation, Usage
from gateway.pricing import cost_pico
from gateway.proxy import metrics
from gateway.proxy.store.counters import Counters
from tenants.money import micros_from_pico

log = logging.getLogger(__name__)


def charge(reservation: Reservation, usage: Usage | None, basis: str) -> Charge:
    """Return what an attempt cost. `basis` is "usage", "bound", "not_sent" or "not_billed"; what
    gives a kept answer costs what was said before.

    Where usage should be known and is not, the whole bound is charged: what reached us does not
    bound what was billed.
    """
    if basis in ("not_sent", "not_billed"):
        return Charge(0, 0, basis, usage)
    if reservation.fixed_pico is not None:
        return Charge(reservation.fixed_pico, reservation.micros, "kept", None)
    if usage is None or basis == "bound":
        return Charge(reservation.bound_pico, reservation.micros, "bound", usage)
    pico = 0 if reservation.price is None else cost_pico(usage, reservation.price)
    if reservation.bounded and reservation.price is not None and pico > reservation.bound_pico:
        metrics.OVERRUNS.inc()
        log.error(
            "hold_overrun",
            extra={"operation": reservation.operation, "bound_pico": reservation.bound_pico},
        )
    return Charge(pico, micros_from_pico(pico), "usage", usage)


def settle(counters: Counters, tenant_id: str, reservation: Reservation, spent: Charge) -> None:
    """Give back what was held and not used. Called after the completion is durable, never before;
    what fails here lapses with its lease and is swept.
    """
    if not reservation.counted:
        return
    tokens = reservation.tokens
    if spent.usage is not None:
        tokens = spent.usage.input_tokens + spent.usage.output_tokens
    elif spent.basis in ("not_sent", "not_billed"):
        tokens = 0
    counters.settle_soon(
        reservation.operation,
        tenant_id,
        limits=reservation.limits,
        tokens=tokens - reservation.tokens,
        budgets=reservation.budgets,
        micros=[spent.micros] * len(reservation.budgets),
    )
