"""What must hold of a match beyond its form: check digits. Pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

Check = Callable[[str], bool]

_IBAN_HEAD: Final = 4  # characters, which a check reads last


def luhn(value: str) -> bool:
    """Tell whether the digits of a value, at least two, end in their check digit, as on cards."""
    digits = [int(sign) for sign in reversed(value) if sign.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return len(digits) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def mod97(value: str) -> bool:
    """Tell whether letters and digits of a value agree with its check digits, as in an IBAN."""
    signs = [sign for sign in value.upper() if sign.isascii() and sign.isalnum()]
    number = "".join(str(int(sign, 36)) for sign in signs[_IBAN_HEAD:] + signs[:_IBAN_HEAD])
    return len(signs) > _IBAN_HEAD and int(number) % 97 == 1


VALIDATORS: Final[Mapping[str, Check]] = MappingProxyType({"luhn": luhn, "mod97": mod97})
"""The checks that a detector can name."""
