"""A declared transformation in the bodies of the management API."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from gateway import transforming
from gateway.transformation.reading import STEPS_MAX


class Transformation(serializers.ListField):
    """The steps of a transformation; every fault is told with the JSON pointer of its place."""

    def __init__(self, *, of_route: bool, **terms: Any) -> None:
        super().__init__(child=serializers.DictField(), max_length=STEPS_MAX, **terms)
        self._of_route = of_route

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the steps as they were written."""
        steps: list[Any] = super().to_internal_value(data)
        try:
            transforming.check(steps, of_route=self._of_route)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from None
        return steps
