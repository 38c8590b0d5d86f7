"""Fields and bodies that take what they say and nothing else: no guess at what was meant."""

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils import timezone
from rest_framework import serializers

INTEGER_MAX = 2**63 - 1
REASON_MAX = 1000
TEXT_MAX = 1000
RECORDED_FIRST = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
RECORDED_LAST = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


class Text(serializers.CharField):
    """A text: a number or a truth value is none. Spaces around it are kept as they are."""

    def __init__(self, **terms: Any) -> None:
        terms.setdefault("max_length", TEXT_MAX)
        super().__init__(**{"trim_whitespace": False, **terms})

    def to_internal_value(self, data: Any) -> str:
        """Return the text as it is."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A whole number within what the database holds."""

    def __init__(self, **terms: Any) -> None:
        terms.setdefault("min_value", 0)
        terms.setdefault("max_value", INTEGER_MAX)
        super().__init__(**terms)

    def to_internal_value(self, data: Any) -> int:
        """Return the number as it is."""
        if isinstance(data, float) and data.is_integer() and abs(data) <= INTEGER_MAX:
            data = int(data)  # JSON knows one sort of number
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Count(serializers.IntegerField):
    """A whole number in an address: digits alone."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if not (isinstance(data, str) and data.isascii() and data.isdigit()):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """True or false, not a word for it."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the value as it is."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Instant(serializers.DateTimeField):
    """An instant with its offset, as in RFC 3339."""

    def to_internal_value(self, value: Any) -> datetime.datetime:
        """Return the instant."""
        if not isinstance(value, str) or "T" not in value.upper():
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ")
        try:
            return super().to_internal_value(value)
        except OverflowError:  # at the edge of the calendar, another zone is beyond it
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ")

    def enforce_timezone(self, value: datetime.datetime) -> datetime.datetime:
        """Refuse an instant that does not say its offset."""
        if timezone.is_naive(value):
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ, with its offset")
        return super().enforce_timezone(value)


class Recorded(Instant):
    """An instant of which there may be rows: in a century that every calendar reckons with."""

    def to_internal_value(self, value: Any) -> datetime.datetime:
        """Return the instant."""
        instant = super().to_internal_value(value)
        if not RECORDED_FIRST <= instant < RECORDED_LAST:
            raise serializers.ValidationError("nothing is recorded before 2000 or after 2099")
        return instant


class Choice(serializers.ChoiceField):
    """One of the words that are listed."""

    def to_internal_value(self, data: Any) -> str:
        """Return the word as it is."""
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return str(super().to_internal_value(data))


class Identity(serializers.UUIDField):
    """The id of an object, as its own answer spells it."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the id."""
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class Texts(serializers.ListField):
    """A list of texts, each once."""

    def __init__(self, *, each_max: int = 120, **terms: Any) -> None:
        super().__init__(child=Text(max_length=each_max), **{"max_length": 200, **terms})


class Set(serializers.ListField):
    """A list in which nothing stands twice."""

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the values."""
        values: list[Any] = super().to_internal_value(data)
        if len(set(values)) < len(values):
            raise serializers.ValidationError("a value stands twice")
        return values


class Body(serializers.Serializer[Any]):
    """What a write takes: the fields that it lists. Another field is refused by its name."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the values of the fields."""
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self._taken]
            if unknown:
                raise serializers.ValidationError(
                    {name: ["this field is not one that can be set here"] for name in unknown}
                )
        return super().to_internal_value(data)

    @property
    def _taken(self) -> set[str]:
        return {name for name, field in self.fields.items() if not field.read_only}


class Change(Body):
    """What every write may say besides its own fields: why."""

    reason = Text(required=False, allow_blank=True, max_length=REASON_MAX)


def lists_of(body: type[Body]) -> frozenset[str]:
    """Return the fields that take several values: in an address, those that may stand twice."""
    fields = body().fields.items()
    return frozenset(name for name, field in fields if isinstance(field, serializers.ListField))


def unfit(value: Any) -> Iterator[str]:
    """Yield the texts, keys included, that PostgreSQL cannot hold: U+0000 and lone surrogates."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if "\0" in item or any("\ud800" <= letter <= "\udfff" for letter in item):
                yield item
        elif isinstance(item, dict):
            stack += [*item, *item.values()]
        elif isinstance(item, list):
            stack += item
