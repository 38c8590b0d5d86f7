"""Usage times price, and the most that an attempt can cost. Pure; integers only."""

from collections.abc import Sequence

from gateway.bundle import Price
from gateway.exchange import Usage


def price_at(prices: Sequence[Price], at_s: int) -> Price | None:
    """Return the price in force at an instant, from prices sorted by their instant of effect."""
    current = None
    for price in prices:
        if price.effective_from > at_s:
            break
        current = price
    return current


def cost_pico(usage: Usage, price: Price) -> int:
    """Return what an attempt cost, in pico-units of the price's currency."""
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    cached_pico = price.input_pico if price.cached_input_pico is None else price.cached_input_pico
    write_pico = price.input_pico if price.cache_write_pico is None else price.cache_write_pico
    return (
        (usage.input_tokens - cached - written) * price.input_pico
        + cached * cached_pico
        + written * write_pico
        + usage.output_tokens * price.output_pico
        + price.request_pico
    )


def bound_pico(input_tokens: int, output_tokens: int, price: Price) -> int:
    """Return the most that an attempt can cost, at the highest rate that may apply to its input.

    `input_tokens` is an upper bound (a byte is at most one token), `output_tokens` is what the
    provider is told not to exceed, over all choices.
    """
    dearest = max(price.input_pico, price.cached_input_pico or 0, price.cache_write_pico or 0)
    return input_tokens * dearest + output_tokens * price.output_pico + price.request_pico
