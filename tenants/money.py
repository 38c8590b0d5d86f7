"""Money as integers: rates and ledger in pico-units, counters and holds in micro-units. Pure.

One unit of a currency is 1,000,000 micros; one micro is 1,000,000 pico. Nothing here is a float.
"""

import re
from decimal import Decimal, InvalidOperation

MICROS_PER_UNIT = 1_000_000
PICO_PER_MICRO = 1_000_000
MAX_MICROS = 2**52
"""The counters' script works in doubles: above this an integer would no longer be exact."""


CURRENCY_HELP = "a currency is three capital letters, such as USD"


class MoneyError(ValueError):
    """A text is not an amount of money; the message says why."""


def is_currency(text: str) -> bool:
    """Return whether a text is spelt as a currency is."""
    return re.fullmatch(r"[A-Z]{3}", text) is not None


def micros_from_pico(pico: int) -> int:
    """Return `pico` in micros, rounded up: done once for each attempt, never for parts of one."""
    return -(-pico // PICO_PER_MICRO)


def micros_from_text(text: str) -> int:
    """Return "12.50" as 12,500,000 micros; raise MoneyError where that would not be exact."""
    micros = _decimal(text) * MICROS_PER_UNIT
    if micros != micros.to_integral_value():
        raise MoneyError(f"{text!r} has more than six decimal places")
    if micros > MAX_MICROS:
        raise MoneyError(f"{text!r} is more than {MAX_MICROS // MICROS_PER_UNIT}")
    return int(micros)


def pico_from_text(text: str) -> int:
    """Return "0.12" as 120,000,000,000 pico-units; MoneyError as `micros_from_text`."""
    return micros_from_text(text) * PICO_PER_MICRO


def pico_per_token(per_million: str) -> int:
    """Return a price per million tokens, "0.15", as pico-units per token, 150,000."""
    pico = _decimal(per_million) * 1_000_000
    if pico != pico.to_integral_value():
        raise MoneyError(f"{per_million!r} has more than six decimal places")
    if pico > MAX_MICROS:
        raise MoneyError(f"{per_million!r} is no price of a token")
    return int(pico)


def text_from_micros(micros: int) -> str:
    """Return 12,500,000 as "12.50": at least two decimal places, no needless zeros."""
    sign = "-" if micros < 0 else ""
    units, rest = divmod(abs(micros), MICROS_PER_UNIT)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{units}.{decimals}"


def text_from_pico(pico: int) -> str:
    """Return pico-units as text, rounded up to the micro."""
    return text_from_micros(micros_from_pico(pico))


def per_million_text(pico: int) -> str:
    """Return 150,000 pico-units per token as "0.15" per million tokens."""
    return text_from_micros(pico)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise MoneyError(f"{text!r} is not a decimal number") from None
    if not value.is_finite():
        raise MoneyError(f"{text!r} is not a finite number")
    if value < 0:
        raise MoneyError(f"{text!r} is negative")
    return value
