"""Reading the values of the file that are not plain texts and numbers."""

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from gateway.models import CACHE_VARY_PATTERN, MODEL_NAME_PATTERN
from policies.pdp import fields
from policies.pdp.fields import Fields, Read
from policies.pdp.nodes import Node, Place, Scalar
from policies.pdp.nodes import fault as place_fault
from policies.pdp.problem import closest
from tenants.models import ORIGIN_PATTERN, SLUG_PATTERN
from tenants.money import MoneyError

T = TypeVar("T")

MOST = 10_000
"""Items in one list of the file."""

name = fields.word(
    re.compile(SLUG_PATTERN),
    "a name: 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit",
)
model_name = fields.word(
    re.compile(MODEL_NAME_PATTERN),
    "a model name: 1 to 120 of letters, digits and . _ : / @ + -",
)
origin = fields.word(
    re.compile(ORIGIN_PATTERN), "an origin of browsers, as in https://app.example, or *"
)
cache_vary = fields.word(
    re.compile(CACHE_VARY_PATTERN), "what answers differ by: app, key, user or tag:NAME"
)
currency = fields.word(re.compile(r"[A-Z]{3}"), "a currency: three capital letters, as in USD")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one object of the file stands, and the values of its keys."""

    at: Place
    values: Mapping[str, Place] = field(default_factory=dict)

    def of(self, key: str) -> Place:
        """Return the place of a key's value, or of the object where it has no such key."""
        return self.values.get(key, self.at)


@dataclass(frozen=True, slots=True)
class Named:
    """A name as the file says it, and where."""

    text: str
    at: Place


def spot_of(keys: Fields, known: Iterable[str]) -> Spot:
    """Return where the object of these keys stands."""
    return Spot(keys.at, {key: keys.value_at(key) for key in known if key in keys})


def named(read: Read[str]) -> Read[Named]:
    """Read a name and keep its place."""
    return lambda node: Named(read(node), node.at)


def exact(convert: Callable[[str], T], example: str) -> Read[T]:
    """Read a decimal number by its digits as written, so that no float comes near money."""

    def read(node: Node) -> T:
        if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool):
            raise place_fault(node.at, f"expected a decimal number in quotes, as in {example}")
        try:
            return convert(node.text)
        except MoneyError as error:
            hint = f"a decimal number in quotes, as in {example}"
            raise place_fault(node.at, str(error), hint) from None

    return read


def share(node: Node) -> Decimal:
    """Read a share above 0 and at most 1, with at most three decimals."""
    text = node.text if isinstance(node, Scalar) else ""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not (0 < value <= 1) or value != round(value, 3):
        raise place_fault(node.at, "expected a share above 0 and at most 1, as in 0.8")
    return value.normalize()


def instant(node: Node) -> datetime.datetime:
    """Read a date, which begins at midnight UTC, or an instant with its offset."""
    text = node.text if isinstance(node, Scalar) else ""
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError(text)
        value = datetime.datetime.fromisoformat(text)
    except ValueError:
        message = "expected a date as in 2026-01-01, or an instant as in 2026-01-01T12:00:00Z"
        raise place_fault(node.at, message) from None
    return value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC)


def instant_text(value: datetime.datetime) -> str:
    """Return an instant as the file writes it: a date where it is midnight UTC."""
    utc = value.astimezone(datetime.UTC)
    if utc.time() == datetime.time():
        return utc.date().isoformat()
    return utc.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def one_of(known: Iterable[str], what: str) -> Read[str]:
    """Read one of many names; the fault names the nearest, not all of them."""
    options = frozenset(known)

    def read(node: Node) -> str:
        text = node.text if isinstance(node, Scalar) and isinstance(node.value, str) else ""
        if text not in options:
            raise place_fault(node.at, f'"{text[:64]}" is not {what}', closest(text, options))
        return text

    return read


def distinct(read: Read[T], most: int = MOST) -> Read[tuple[T, ...]]:
    """Read a list in which nothing stands twice."""
    read_all = fields.listing(lambda node: (read(node), node.at), most)

    def read_distinct(node: Node) -> tuple[T, ...]:
        placed = read_all(node)
        seen: set[object] = set()
        for value, at in placed:
            key = value.text if isinstance(value, Named) else value
            if key in seen:
                raise place_fault(at, f'"{key}" stands twice in the list')
            seen.add(key)
        return tuple(value for value, _ in placed)

    return read_distinct


def optional_text(longest: int) -> Read[str]:
    """Read a text that may be empty or null."""

    def read(node: Node) -> str:
        if isinstance(node, Scalar) and node.value is None:
            return ""
        return fields.text(longest, empty=True)(node).text

    return read
