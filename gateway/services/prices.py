"""Writes to prices: only ever new rows, each from an instant on."""

import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import insert, note
from audit.snapshot import snapshot
from gateway import bundle, pricebook, tariff
from gateway.models import Deployment, Price, Provider, Route
from gateway.pricebook import Quote
from gateway.selectors import book_line, own_line
from tenants.changes import platform_change
from tenants.money import CURRENCY_HELP, is_currency
from tenants.revisions import platform_changed

BY_HAND = "set by hand"
WITHDRAWN = "withdrawn"


@transaction.atomic
def price_set(
    *,
    actor: Actor,
    of: Route | Deployment,
    price: bundle.Price,
    source: str = BY_HAND,
    reason: str = "",
) -> Price:
    """Say what a route or deployment costs from the price's instant on."""
    change = platform_change(actor, "price.set", reason)
    if source.startswith(pricebook.SOURCE):
        raise ValidationError({"source": "this source belongs to the price book"})
    if not is_currency(price.currency):
        raise ValidationError({"currency": CURRENCY_HELP})
    row = _row(of, price, source)
    insert(change, row)
    platform_changed()
    return row


@transaction.atomic
def price_withdraw(*, actor: Actor, of: Route | Deployment, reason: str = "") -> bool:
    """End the price that was set for a route or deployment: the next layer's holds again."""
    change = platform_change(actor, "price.withdraw", reason)
    now_s = int(timezone.now().timestamp())
    set_prices = [price for _, price in tariff.from_now_on(own_line(of), now_s) if price]
    if not set_prices:
        return False
    insert(change, _end(of, set_prices[-1].currency, now_s, WITHDRAWN))
    platform_changed()
    return True


@transaction.atomic
def price_book_refresh(*, actor: Actor, reason: str = "") -> int:
    """Enter what the price book knows now of each deployment; return how many rows that took."""
    change = platform_change(actor, "price_book.refresh", reason)
    deployments = Deployment.objects.select_related("provider").order_by("id")
    entered = [row for deployment in deployments for row in book_enter(deployment)]
    if entered:
        after = {"rows": len(entered), "last": snapshot(entered[-1])}
        note(change, entered[-1], before=None, after=after)
        platform_changed()
    return len(entered)


def book_enter(deployment: Deployment) -> list[Price]:
    """Write what the price book says of a deployment, as part of the change that calls this.

    The first time with its history; later only what differs from now on, because what has been
    charged was charged at the price of its time.
    """
    quotes = _quotes(deployment)
    known = book_line(deployment)
    if not known:
        return [_stored(_row(deployment, quote.price, quote.source)) for quote in quotes]
    now_s = int(timezone.now().timestamp())
    wanted = tuple((quote.price.effective_from, quote.price) for quote in quotes)
    if tariff.from_now_on(known, now_s) == tariff.from_now_on(wanted, now_s):
        return []
    rows = [_from_now(deployment, quotes, now_s)]
    later = [quote for quote in quotes if quote.price.effective_from > now_s]
    rows += [_row(deployment, quote.price, quote.source) for quote in later]
    return [_stored(row) for row in rows]


def _quotes(deployment: Deployment) -> tuple[Quote, ...]:
    if deployment.provider.dialect == Provider.Dialect.SIMULATED:
        return ()
    return pricebook.quotes(deployment.provider.base_url, deployment.model)


def _from_now(deployment: Deployment, quotes: tuple[Quote, ...], now_s: int) -> Price:
    """Return the row for the quote in force now, or the one that ends the book's prices."""
    begun = [quote for quote in quotes if quote.price.effective_from <= now_s]
    if not begun:
        return _end(deployment, pricebook.CURRENCY, now_s, pricebook.SOURCE)
    row = _row(deployment, begun[-1].price, begun[-1].source)
    row.effective_from = _instant(now_s)
    return row


def _row(of: Route | Deployment, price: bundle.Price, source: str) -> Price:
    return Price(
        route=of if isinstance(of, Route) else None,
        deployment=of if isinstance(of, Deployment) else None,
        currency=price.currency,
        input_pico=price.input_pico,
        output_pico=price.output_pico,
        cached_input_pico=price.cached_input_pico,
        cache_write_pico=price.cache_write_pico,
        request_pico=price.request_pico,
        effective_from=_instant(price.effective_from),
        source=source,
    )


def _end(of: Route | Deployment, currency: str, since_s: int, source: str) -> Price:
    row = _row(of, bundle.Price(currency, 0, 0, None, 0, since_s), source)
    row.withdrawn = True
    return row


def _stored(row: Price) -> Price:
    row.full_clean()
    row.save(force_insert=True)
    return row


def _instant(second: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, datetime.UTC)
