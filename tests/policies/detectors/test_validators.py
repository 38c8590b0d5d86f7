"""Check digits, by known good values and by what one wrong sign makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors.validators import VALIDATORS, luhn, mod97


@pytest.mark.parametrize("value", ["4242424242424242", "4242 4242-4242 4242", "79927398713", "00"])
def test_luhn_takes_what_ends_in_its_check_digit(value):
    assert luhn(value)


@pytest.mark.parametrize("value", ["4242424242424241", "79927398710", "0", "", "CN-", "x"])
def test_luhn_refuses_the_rest(value):
    assert not luhn(value)


@pytest.mark.parametrize("value", ["GB82 WEST 1234 5698 7654 32", "de89370400440532013000"])
def test_mod97_takes_account_numbers(value):
    assert mod97(value)


@pytest.mark.parametrize("value", ["GB82 WEST 1234 5698 7654 33", "", "GB82", "DE", "ü"])
def test_mod97_refuses_the_rest(value):
    assert not mod97(value)


@given(st.integers(0, 10**15), st.integers(0, 14), st.integers(1, 9))
def test_one_wrong_digit_is_seen(number, place, by):
    digits = f"{number:015d}"
    check = next(str(digit) for digit in range(10) if luhn(digits + str(digit)))
    wrong = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]
    assert not luhn(wrong + check)


def test_detectors_can_name_them():
    assert dict(VALIDATORS) == {"luhn": luhn, "mod97": mod97}
