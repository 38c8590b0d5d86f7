"""Fields of forms that read money, shares and words."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from tenants.money import MoneyError, micros_from_text, pico_from_text, pico_per_token


class AmountField(forms.CharField):
    """An amount of money, such as 12.50, as micros."""

    def clean(self, value: Any) -> Any:
        """Return the micros of a text."""
        try:
            return micros_from_text(super().clean(value))
        except MoneyError as error:
            raise ValidationError(str(error)) from None


class WordsField(forms.CharField):
    """Words, divided by commas or spaces."""

    def clean(self, value: Any) -> Any:
        """Return the words."""
        return super().clean(value).replace(",", " ").split()


class TiersField(WordsField):
    """Tiers with the name of a model each, as gold=large, divided by commas or spaces."""

    def clean(self, value: Any) -> Any:
        """Return the models by tier."""
        pairs = [word.partition("=") for word in super().clean(value)]
        if any(not tier or not model for tier, _, model in pairs):
            raise ValidationError("Each is a tier and a model, such as gold=large.")
        if len({tier for tier, _, _ in pairs}) < len(pairs):
            raise ValidationError("A tier stands there twice.")
        return {tier: model for tier, _, model in pairs}


class SharesField(WordsField):
    """Shares of one, divided by commas or spaces."""

    def clean(self, value: Any) -> Any:
        """Return the shares as decimals."""
        try:
            return [Decimal(word) for word in super().clean(value)]
        except InvalidOperation:
            raise ValidationError("Shares are numbers from 0 to 1, such as 0.8.") from None


class SecondsField(forms.IntegerField):
    """Whole seconds; empty or 0: as long as everybody has."""

    def __init__(self, **terms: Any) -> None:
        super().__init__(
            **{"min_value": 0, "max_value": 32_767, "required": False, "initial": 0, **terms}
        )

    def to_python(self, value: Any) -> int:
        """Return the seconds."""
        return super().to_python(value) or 0


class FeeField(forms.CharField):
    """An amount for each request, such as 0.12, as pico-units; nothing where none is said."""

    def clean(self, value: Any) -> Any:
        """Return the pico-units."""
        text = super().clean(value)
        try:
            return pico_from_text(text) if text else 0
        except MoneyError as error:
            raise ValidationError(str(error)) from None


class RateField(forms.CharField):
    """A price per million tokens, such as 0.15, as pico-units per token."""

    def clean(self, value: Any) -> Any:
        """Return the pico-units, or None where nothing was said."""
        text = super().clean(value)
        try:
            return pico_per_token(text) if text else None
        except MoneyError as error:
            raise ValidationError(str(error)) from None
