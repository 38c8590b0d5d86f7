"""The price book: what genai-prices knows of a model.

The book is a package with its figures inside: nothing is fetched. Where it has several figures for
one moment (tiers by length, hours of the day), the highest holds here: a bound must not be beaten,
and a price of one's own says it exactly.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import genai_prices
from genai_prices import types
from genai_prices.data_snapshot import get_snapshot

from gateway.bundle import Price

SOURCE = "genai-prices"
CURRENCY = "USD"
EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)

_PICO_PER_TOKEN = 10**6  # of a price per million tokens
_PICO_PER_REQUEST = 10**9  # of a price per thousand requests


@dataclass(frozen=True, slots=True)
class Quote:
    """One price of the book, and where its figures come from."""

    price: Price
    source: str


def quotes(base_url: str, model: str) -> tuple[Quote, ...]:
    """Return the prices of a provider's model, by instant of effect; none where the book has none.

    The provider is known by its URL alone: a name that looks like another vendor's is not guessed.
    """
    try:
        _, found = get_snapshot().find_provider_model(model, None, None, base_url)
    except LookupError:
        return ()
    conditions = _conditions(found)
    by_hour = [
        condition.prices
        for condition in conditions
        if isinstance(condition.constraint, types.TimeOfDateConstraint)
    ]
    made = [_quote(at, [_all_day(conditions, at), *by_hour]) for at in _instants(conditions)]
    return tuple(one for one in made if one is not None)


def _conditions(model: types.ModelInfo) -> Sequence[types.ConditionalPrice]:
    if isinstance(model.prices, types.ModelPrice):
        return [types.ConditionalPrice(prices=model.prices)]
    return model.prices


def _instants(conditions: Sequence[types.ConditionalPrice]) -> list[datetime.datetime]:
    """Return each instant from which another price holds, the beginning of time among them."""
    starts = {
        datetime.datetime.combine(condition.constraint.start_date, datetime.time(), datetime.UTC)
        for condition in conditions
        if isinstance(condition.constraint, types.StartDateConstraint)
    }
    return sorted({EPOCH, *starts})


def _all_day(
    conditions: Sequence[types.ConditionalPrice], at: datetime.datetime
) -> types.ModelPrice:
    """Return the price that holds at any hour: in the book's order, the last one that does."""
    for condition in reversed(conditions):
        constraint = condition.constraint
        if constraint is None or (
            isinstance(constraint, types.StartDateConstraint) and constraint.active(at)
        ):
            return condition.prices
    return conditions[0].prices


def _quote(at: datetime.datetime, prices: Iterable[types.ModelPrice]) -> Quote | None:
    """Return the highest of several prices for one moment; None where input has no price."""
    inputs, outputs, cached, written, requests = [], [], [], [], []
    for price in prices:
        inputs += _figures(price.input_mtok)
        outputs += _figures(price.output_mtok)
        cached += _figures(price.cache_read_mtok)
        written += _figures(price.cache_write_mtok)
        requests += _figures(price.requests_kcount)
    if not inputs:
        return None
    told = (inputs, outputs, cached, written, requests)
    several = any(len(set(figures)) > 1 for figures in told)
    highest = Price(
        currency=CURRENCY,
        input_pico=_pico(max(inputs), _PICO_PER_TOKEN),
        output_pico=_pico(max(outputs, default=Decimal(0)), _PICO_PER_TOKEN),
        cached_input_pico=_pico(max(cached), _PICO_PER_TOKEN) if cached else None,
        request_pico=_pico(max(requests, default=Decimal(0)), _PICO_PER_REQUEST),
        effective_from=int(at.timestamp()),
        cache_write_pico=_pico(max(written), _PICO_PER_TOKEN) if written else None,
    )
    return Quote(highest, f"{SOURCE} {genai_prices.__version__}{', highest' if several else ''}")


def _figures(price: Decimal | types.TieredPrices | None) -> list[Decimal]:
    if price is None:
        return []
    if isinstance(price, Decimal):
        return [price]
    return [price.base, *(tier.price for tier in price.tiers)]


def _pico(figure: Decimal, factor: int) -> int:
    return int((figure * factor).to_integral_value(ROUND_CEILING))
