"""From rows of prices to the one line of prices that holds for a deployment. Pure.

A row says what holds from its instant on, whatever rows before it said. Rows of a deployment win
over rows of its route, and both over the price book.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.bundle import Price

Entry = tuple[int, Price | None]
"""From this second on this price holds; None: none does."""


def history(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return what rows, in the order in which they were written, say of each instant."""
    line: list[Entry] = []
    for entry in entries:
        line = [earlier for earlier in line if earlier[0] < entry[0]]
        line.append(entry)
    return tuple(line)


def at(line: Sequence[Entry], instant_s: int) -> Price | None:
    """Return the price in force at an instant of a history."""
    current = None
    for since, price in line:
        if since > instant_s:
            break
        current = price
    return current


def from_now_on(line: Sequence[Entry], now_s: int) -> tuple[Entry, ...]:
    """Return a history without its past: what is in force now, then what will be."""
    return (
        (now_s, _same_from(at(line, now_s), now_s)),
        *((since, price) for since, price in line if since > now_s),
    )


def combine(layers: Sequence[Sequence[Entry]]) -> tuple[Price, ...]:
    """Return one line of prices, by instant, from histories of which the first that speaks wins.

    Where no layer has a price any more, what went before is dropped: better unpriced than wrong.
    """
    line: list[Price] = []
    for instant in sorted({since for layer in layers for since, _ in layer}):
        found = next((p for layer in layers if (p := at(layer, instant)) is not None), None)
        price = _same_from(found, instant)
        if price is None:
            line.clear()
        elif not line or replace(line[-1], effective_from=instant) != price:
            line.append(price)
    return tuple(line)


def _same_from(price: Price | None, instant_s: int) -> Price | None:
    return None if price is None else replace(price, effective_from=instant_s)
