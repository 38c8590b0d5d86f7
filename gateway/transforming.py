"""Declared transformations as Django's doors and services take them."""

from typing import Any

from django.core.exceptions import ValidationError

from gateway.transformation.fault import UnfitTransformation
from gateway.transformation.reading import of_plain

FIELD = "transformation"


def check(value: Any, *, of_route: bool) -> None:
    """Raise ValidationError with every fault of a transformation, each with its JSON pointer."""
    try:
        of_plain(value, of_route=of_route)
    except UnfitTransformation as error:
        raise ValidationError({FIELD: [str(fault) for fault in error.faults]}) from None


def canonical(value: Any, *, of_route: bool) -> str:
    """Return the canonical text of a stored transformation; UnfitTransformation for no good one."""
    return of_plain(value, of_route=of_route).canonical if value else ""
