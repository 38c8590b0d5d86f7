"""Usage times price: exact, and never above the bound that was held."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.bundle import Price
from gateway.exchange import Usage
from gateway.pricing import bound_pico, cost_pico, price_at

PLAIN = Price("USD", 3_000_000, 15_000_000, None, 7, 0)
FINE = Price("USD", 3_000_000, 15_000_000, 300_000, 0, 0, 3_750_000)

RATES = st.integers(0, 10**9)
PRICES = st.builds(
    Price,
    currency=st.just("USD"),
    input_pico=RATES,
    output_pico=RATES,
    cached_input_pico=st.none() | RATES,
    request_pico=RATES,
    effective_from=st.just(0),
    cache_write_pico=st.none() | RATES,
)
COUNTS = st.integers(0, 10**7)


def test_each_kind_of_token_has_its_rate():
    usage = Usage(1000, 50, cached_input_tokens=600, cache_write_tokens=300)
    assert cost_pico(usage, FINE) == (
        100 * 3_000_000 + 600 * 300_000 + 300 * 3_750_000 + 50 * 15_000_000
    )


def test_what_has_no_rate_of_its_own_is_input_like_any_other():
    usage = Usage(1000, 50, cached_input_tokens=600, cache_write_tokens=300)
    assert cost_pico(usage, PLAIN) == 1000 * 3_000_000 + 50 * 15_000_000 + 7


def test_parts_that_are_more_than_the_whole_are_not_charged_beyond_it():
    usage = Usage(10, 0, cached_input_tokens=8, cache_write_tokens=8)
    assert cost_pico(usage, FINE) == 8 * 300_000 + 2 * 3_750_000


@given(PRICES, COUNTS, COUNTS, COUNTS, COUNTS)
def test_no_usage_within_the_bounds_costs_more_than_the_bound(price, taken, given_, read, written):
    usage = Usage(taken, given_, read, written)
    assert cost_pico(usage, price) <= bound_pico(taken, given_, price)


def test_the_price_is_the_one_in_force():
    later = Price("USD", 1, 1, None, 0, 100)
    assert price_at((), 50) is None
    assert price_at((later,), 99) is None
    assert price_at((PLAIN, later), 99) is PLAIN
    assert price_at((PLAIN, later), 100) is later
