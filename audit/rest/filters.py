"""Filters of lists: each is exact and typed; what a resource does not list it does not know."""

from typing import Any

from django_filters import rest_framework as filters

Uuid = filters.UUIDFilter
Word = filters.CharFilter
Since = filters.IsoDateTimeFilter


class Filters(filters.FilterSet):  # type: ignore[misc]  # untyped
    """The filters of one list."""


def one_of(choices: Any, **terms: Any) -> filters.ChoiceFilter:
    """Return a filter that takes one of a closed set of words."""
    return filters.ChoiceFilter(choices=choices, **terms)
