"""What stands for a value on its way to a model, and is the value again on its way back. Pure.

A placeholder is `[EMAIL_ADDRESS_1_8c65]`: the kind, a number that counts the values of that kind in
a request, and the salt of the conversation. The same value has the same placeholder wherever it
stands in a request, and in the next one, since clients send a conversation again with every turn:
so nothing is kept. Restored is only what was made of the very request that is answered.
"""

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Final, NamedTuple

KIND_MOST: Final = 64
_LOOKS_LIKE: Final = re.compile(r"\[\s{0,2}([A-Za-z][A-Za-z0-9_ ]{3,78})\s{0,2}\]")
_SALTED: Final = re.compile(r"[_ ]([0-9a-f]{4})\s{0,2}\]", re.IGNORECASE)
_GAP: Final = re.compile(r"[\s_]+")


class Restored(NamedTuple):
    """A placeholder in a text, and the value that it stands for."""

    start: int
    end: int
    value: str


class Minter:
    """Makes the placeholders of one request."""

    def __init__(self, salt: str) -> None:
        self._salt = salt
        self._made: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}

    def mint(self, kind: str, value: str) -> str:
        """Return the placeholder of a value, the same for the same one."""
        made = self._made.get((kind, value))
        if made is None:
            number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
            made = self._made[kind, value] = f"[{kind}_{number}_{self._salt}]"
        return made

    def values(self) -> dict[str, str]:
        """Return what each placeholder stands for, by its name as `find` knows it."""
        return {_name(made[1:-1]): value for (_, value), made in self._made.items()}


def salt(key: bytes, conversation: str, texts: Iterable[str]) -> str:
    """Return the salt of a conversation under a key of its tenant: four hexadecimal digits.

    A text that holds a placeholder with that salt gets another one: what a client wrote itself, or
    quotes from elsewhere, is never taken for ours.
    """
    taken = {found.lower() for text in texts for found in _SALTED.findall(text)}
    tried = (
        hmac.digest(key, f"placeholder\0{number}\0{conversation}".encode(), "sha256")[:2].hex()
        for number in count()
    )
    return next(one for one in tried if one not in taken)


def find(text: str, values: Mapping[str, str]) -> Iterator[Restored]:
    """Yield the placeholders in a text, also where case or spaces are not as they were made."""
    if not values or "[" not in text:
        return
    for match in _LOOKS_LIKE.finditer(text):
        value = values.get(_name(match[1]))
        if value is not None:
            yield Restored(match.start(), match.end(), value)


def _name(inside: str) -> str:
    return _GAP.sub("_", inside.strip()).upper()
