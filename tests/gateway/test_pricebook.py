"""The price book, and how it becomes rows of prices. No test fetches anything."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import genai_prices
import pytest
from django.core.exceptions import ValidationError
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from audit.actor import command
from gateway import bundle
from gateway.models import Price
from gateway.pricebook import quotes
from gateway.selectors import book_line, own_price, prices
from gateway.services.prices import price_book_refresh, price_set, price_withdraw
from gateway.services.providers import provider_create, provider_update
from gateway.services.routes import deployment_create, deployment_remove, route_create

OPERATOR = command("tests")
URL = "https://api.vendor.example/v1"
OPENAI = "https://api.openai.com/v1"
NOW = datetime.now(UTC).replace(microsecond=0)


def usd(figure):
    return Decimal(figure)


@pytest.fixture
def book():
    """Let the book say what a test wants it to say of the model `m`."""

    def write(prices):
        model = ModelInfo(id="m", match=ClauseEquals("m"), prices=prices)
        vendor = Provider("vendor", "Vendor", r"https://api\.vendor\.example", models=[model])
        set_custom_snapshot(DataSnapshot(providers=[vendor], from_auto_update=False))

    yield write
    set_custom_snapshot(None)


def day(date, prices):
    return ConditionalPrice(StartDateConstraint(date), prices=prices)


def test_a_known_model_has_the_vendors_figures():
    (quote,) = quotes(OPENAI, "gpt-4o-mini")
    assert quote.price == bundle.Price("USD", 150_000, 600_000, 75_000, 0, 0)
    assert quote.source == f"genai-prices {genai_prices.__version__}"


def test_what_it_costs_to_write_to_a_cache_is_known_where_the_vendor_charges_for_it():
    quote = quotes("https://api.anthropic.com/v1", "claude-sonnet-4-5")[-1]
    assert quote.price.cache_write_pico > quote.price.input_pico > quote.price.cached_input_pico


@pytest.mark.parametrize(
    ("url", "model"),
    [
        (OPENAI, "no-such-model"),
        ("http://127.0.0.1:9001/v1", "gpt-4o-mini"),
        ("https://openai.example.com/v1", "gpt-4o-mini"),
    ],
)
def test_what_the_book_does_not_know_has_no_price(url, model):
    assert quotes(url, model) == ()


def test_a_price_that_changes_on_a_day_is_two_quotes(book):
    book(
        [
            ConditionalPrice(prices=ModelPrice(input_mtok=usd("1"), output_mtok=usd("2"))),
            day(NOW.date(), ModelPrice(input_mtok=usd("0.5"), output_mtok=usd("1"))),
        ]
    )
    first, second = quotes(URL, "m")
    assert (first.price.effective_from, first.price.input_pico) == (0, 1_000_000)
    midnight = datetime.combine(NOW.date(), datetime.min.time(), UTC)
    assert second.price.effective_from == midnight.timestamp()
    assert second.price.output_pico == 1_000_000


def test_of_several_figures_for_one_moment_the_highest_holds(book):
    tiers = TieredPrices(base=usd("1"), tiers=[Tier(start=200_000, price=usd("2.5"))])
    night = TimeOfDateConstraint(
        datetime(2026, 1, 1, 1, tzinfo=UTC).timetz(), datetime(2026, 1, 1, 5, tzinfo=UTC).timetz()
    )
    book(
        [
            ConditionalPrice(prices=ModelPrice(input_mtok=tiers, output_mtok=usd("4"))),
            ConditionalPrice(night, prices=ModelPrice(input_mtok=usd("0.2"), output_mtok=usd("9"))),
        ]
    )
    (quote,) = quotes(URL, "m")
    assert (quote.price.input_pico, quote.price.output_pico) == (2_500_000, 9_000_000)
    assert quote.source.endswith(", highest")


def test_a_figure_finer_than_a_pico_is_rounded_up(book):
    book(ModelPrice(input_mtok=usd("0.1800000002"), requests_kcount=usd("5")))
    (quote,) = quotes(URL, "m")
    assert quote.price.input_pico == 180_001
    assert quote.price.request_pico == 5_000_000_000
    assert (quote.price.output_pico, quote.price.cached_input_pico) == (0, None)


def test_without_a_price_of_input_there_is_no_price(book):
    book(ModelPrice(output_mtok=usd("1")))
    assert quotes(URL, "m") == ()


def test_where_no_condition_holds_the_first_one_does(book):
    book([day(NOW.date() + timedelta(days=9), ModelPrice(input_mtok=usd("3")))])
    first, _ = quotes(URL, "m")
    assert (first.price.effective_from, first.price.input_pico) == (0, 3_000_000)


# Rows


@pytest.fixture
def deployment(db, book):
    book(ModelPrice(input_mtok=usd("1"), output_mtok=usd("2")))
    return made()


def made(url=URL):
    provider = provider_create(
        actor=OPERATOR, name=f"p-{secrets.token_hex(4)}", dialect="openai", base_url=url
    )
    route = route_create(actor=OPERATOR, name=f"m-{secrets.token_hex(4)}")
    return deployment_create(actor=OPERATOR, route=route, provider=provider, model="m")


def now_price(deployment):
    line = prices([deployment])[deployment.id]
    begun = [one for one in line if one.effective_from <= time.time() + 60]
    return begun[-1] if begun else None


def rate(dollars, since=0):
    return bundle.Price("USD", dollars * 1_000_000, 0, None, 0, since)


def test_a_new_deployment_has_the_books_price(deployment):
    assert now_price(deployment) == bundle.Price("USD", 1_000_000, 2_000_000, None, 0, 0)


def test_a_price_of_ones_own_wins_and_the_deployments_most_of_all(deployment):
    price_set(actor=OPERATOR, of=deployment.route, price=rate(7))
    assert now_price(deployment).input_pico == 7_000_000
    price_set(actor=OPERATOR, of=deployment, price=rate(3))
    assert now_price(deployment).input_pico == 3_000_000


def test_a_withdrawn_price_lets_the_next_one_hold_from_now_on(deployment):
    price_set(actor=OPERATOR, of=deployment.route, price=rate(7))
    assert price_withdraw(actor=OPERATOR, of=deployment.route)
    assert now_price(deployment).input_pico == 1_000_000
    assert own_price(deployment.route) is None
    assert prices([deployment])[deployment.id][0].input_pico == 7_000_000
    assert not price_withdraw(actor=OPERATOR, of=deployment.route)


def test_a_price_set_for_later_holds_from_then_on(deployment):
    later = int((NOW + timedelta(days=3)).timestamp())
    price_set(actor=OPERATOR, of=deployment, price=rate(9, later))
    assert now_price(deployment).input_pico == 1_000_000
    assert prices([deployment])[deployment.id][-1] == rate(9, later)
    assert price_withdraw(actor=OPERATOR, of=deployment)
    assert prices([deployment])[deployment.id][-1].input_pico == 1_000_000


def test_nobody_speaks_for_the_price_book(deployment):
    with pytest.raises(ValidationError, match="belongs to the price book"):
        price_set(actor=OPERATOR, of=deployment, price=rate(1), source="genai-prices 9")


def test_a_newer_book_changes_the_future_alone(deployment, book):
    book(ModelPrice(input_mtok=usd("4"), output_mtok=usd("2")))
    assert price_book_refresh(actor=OPERATOR) >= 1
    old, new = prices([deployment])[deployment.id]
    assert (old.effective_from, old.input_pico) == (0, 1_000_000)
    assert abs(new.effective_from - datetime.now(UTC).timestamp()) < 60
    assert new.input_pico == 4_000_000
    count = Price.objects.filter(deployment=deployment).count()
    price_book_refresh(actor=OPERATOR)
    assert Price.objects.filter(deployment=deployment).count() == count


def test_a_newer_book_tells_what_will_be(deployment, book):
    later = NOW.date() + timedelta(days=5)
    book(
        [
            ConditionalPrice(prices=ModelPrice(input_mtok=usd("1"), output_mtok=usd("2"))),
            day(later, ModelPrice(input_mtok=usd("8"), output_mtok=usd("2"))),
        ]
    )
    price_book_refresh(actor=OPERATOR)
    assert now_price(deployment).input_pico == 1_000_000
    assert prices([deployment])[deployment.id][-1].input_pico == 8_000_000


def test_a_model_that_left_the_book_has_no_price_any_more(deployment, book):
    book([day(NOW.date(), ModelPrice(output_mtok=usd("1")))])
    price_book_refresh(actor=OPERATOR)
    assert prices([deployment])[deployment.id] == ()


def test_a_provider_that_moves_takes_no_price_along(deployment):
    provider_update(
        actor=OPERATOR,
        provider=deployment.provider,
        base_url="https://elsewhere.example/v1",
        allow_private=False,
    )
    assert prices([deployment])[deployment.id] == ()


def test_prices_outlive_what_they_priced(deployment):
    identity = deployment.id
    assert book_line(deployment)
    deployment_remove(actor=OPERATOR, deployment=deployment)
    assert Price.objects.filter(deployment_id=identity).exists()
