from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.money import (
    MAX_MICROS,
    PICO_PER_MICRO,
    MoneyError,
    is_currency,
    micros_from_pico,
    micros_from_text,
    per_million_text,
    pico_per_token,
    text_from_micros,
)

micros = st.integers(0, MAX_MICROS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12.50", 12_500_000), ("0", 0), ("0.000001", 1), ("1e3", 1_000_000_000), ("4", 4_000_000)],
)
def test_an_amount_is_read_exactly(text, expected):
    assert micros_from_text(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0000001", "more than six decimal places"),
        ("-1", "is negative"),
        ("NaN", "is not a finite number"),
        ("Infinity", "is not a finite number"),
        ("12,50", "is not a decimal number"),
        ("", "is not a decimal number"),
        ("4503599628", "is more than"),
    ],
)
def test_what_is_no_amount_is_refused(text, why):
    with pytest.raises(MoneyError, match=why):
        micros_from_text(text)


@given(micros)
def test_an_amount_survives_its_text(amount):
    assert micros_from_text(text_from_micros(amount)) == amount


@given(st.integers(-MAX_MICROS, MAX_MICROS))
def test_a_text_has_two_to_six_decimals_and_says_the_amount(amount):
    text = text_from_micros(amount)
    assert 2 <= len(text.partition(".")[2]) <= 6
    assert Decimal(text) * 1_000_000 == amount


@given(st.integers(0, 10**24))
def test_case_12_micros_round_up_and_never_by_a_whole_one(pico):
    rounded = micros_from_pico(pico)
    assert 0 <= rounded * PICO_PER_MICRO - pico < PICO_PER_MICRO


def test_case_12_rounding_once_is_less_than_rounding_parts():
    assert micros_from_pico(3 * 100_000) == 1
    assert 3 * micros_from_pico(100_000) == 3


@given(micros)
def test_a_price_survives_its_text(pico):
    assert pico_per_token(per_million_text(pico)) == pico


def test_a_price_per_million_is_so_many_pico_a_token():
    assert pico_per_token("0.15") == 150_000


@pytest.mark.parametrize(
    ("text", "why"),
    [("0.0000001", "more than six decimal places"), ("1e12", "is no price of a token")],
)
def test_what_is_no_price_is_refused(text, why):
    with pytest.raises(MoneyError, match=why):
        pico_per_token(text)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("USD", True), ("usd", False), ("U$D", False), ("USDT", False), ("US\n", False)],
)
def test_a_currency_is_three_capital_letters(text, fits):
    assert is_currency(text) is fits
