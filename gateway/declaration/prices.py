"""Prices in the file: `price` of a model or of one deployment."""

import datetime
from dataclasses import dataclass

from django.utils import timezone

from gateway import bundle
from gateway.declaration import values
from gateway.declaration.session import Plain, Session, Values
from gateway.declaration.values import Spot, instant_text, spot_of
from gateway.models import Deployment, Route
from gateway.selectors import own_price
from gateway.services.prices import price_set, price_withdraw
from policies.pdp.fields import Fields
from policies.pdp.nodes import Node
from tenants.money import per_million_text, pico_from_text, pico_per_token, text_from_pico

KEYS = (
    "currency",
    "input_per_million",
    "output_per_million",
    "cached_input_per_million",
    "cache_write_per_million",
    "per_request",
    "from",
)
SOURCE = "declarative file"
_EXAMPLE = '"0.15"'


@dataclass(frozen=True, slots=True)
class PriceEntry:
    """A price of the file, in pico-units per token, and micros for each request.

    No `since`: from when it was first applied.
    """

    currency: str
    input_pico: int
    output_pico: int
    cached_input_pico: int | None
    cache_write_pico: int | None
    request_pico: int
    since: datetime.datetime | None
    spot: Spot

    def values(self) -> Values:
        """Return what the file says, as a stored price would be written, without its instant."""
        said: Values = {
            "currency": self.currency,
            "input_per_million": per_million_text(self.input_pico),
            "output_per_million": per_million_text(self.output_pico),
        }
        if self.cached_input_pico is not None:
            said["cached_input_per_million"] = per_million_text(self.cached_input_pico)
        if self.cache_write_pico is not None:
            said["cache_write_per_million"] = per_million_text(self.cache_write_pico)
        if self.request_pico:
            said["per_request"] = text_from_pico(self.request_pico)
        return said


def read(node: Node) -> PriceEntry | None:
    """Read one price."""
    keys = Fields(node, "a price", KEYS)
    rate = values.exact(pico_per_token, _EXAMPLE)
    entry = PriceEntry(
        currency=keys.required("currency", values.currency, ""),
        input_pico=keys.required("input_per_million", rate, 0),
        output_pico=keys.required("output_per_million", rate, 0),
        cached_input_pico=keys.optional("cached_input_per_million", rate, None),
        cache_write_pico=keys.optional("cache_write_per_million", rate, None),
        request_pico=keys.optional("per_request", values.exact(pico_from_text, _EXAMPLE), 0),
        since=keys.optional("from", values.instant, None),
        spot=spot_of(keys, KEYS),
    )
    keys.finish()
    return entry


def apply(session: Session, of: Route | Deployment, entry: PriceEntry | None) -> None:
    """Set or withdraw the price of a route or deployment where the file says another."""
    stored = describe(of)
    wanted = wanted_values(of, entry)
    if stored == wanted:
        return
    if entry is None:
        price_withdraw(actor=session.actor, of=of)
        return
    since = entry.since or timezone.now()
    price = bundle.Price(
        currency=entry.currency,
        input_pico=entry.input_pico,
        output_pico=entry.output_pico,
        cached_input_pico=entry.cached_input_pico,
        request_pico=entry.request_pico,
        effective_from=int(since.timestamp()),
        cache_write_pico=entry.cache_write_pico,
    )
    with session.at(entry.spot):
        price_set(actor=session.actor, of=of, price=price, source=SOURCE)


def describe(of: Route | Deployment | None) -> Plain:
    """Return the price last set for a route or deployment in the file's form, or None."""
    row = None if of is None else own_price(of)
    if row is None:
        return None
    said: Values = {
        "currency": row.currency,
        "input_per_million": per_million_text(row.input_pico),
        "output_per_million": per_million_text(row.output_pico),
    }
    if row.cached_input_pico is not None:
        said["cached_input_per_million"] = per_million_text(row.cached_input_pico)
    if row.cache_write_pico is not None:
        said["cache_write_per_million"] = per_million_text(row.cache_write_pico)
    if row.request_pico:
        said["per_request"] = text_from_pico(row.request_pico)
    return {**said, "from": instant_text(row.effective_from)}


def wanted_values(of: Route | Deployment | None, entry: PriceEntry | None) -> Plain:
    """Return what the file wants, with the stored instant where it names none and agrees."""
    if entry is None:
        return None
    said = entry.values()
    if entry.since is not None:
        return {**said, "from": instant_text(entry.since)}
    stored = describe(of)
    if isinstance(stored, dict) and {**stored, "from": None} == {**said, "from": None}:
        return stored
    return said
