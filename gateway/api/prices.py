"""Prices of the management API: rows are only ever added, each from an instant on."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Identity, Instant, Text
from audit.rest.filters import Filters, Uuid
from audit.rest.resource import NUMBER_PATTERN
from gateway import bundle
from gateway.models import Deployment, Price, Route
from gateway.selectors import deployments_visible, prices_visible, routes_visible
from gateway.services.prices import price_set, price_withdraw
from tenants.api.belonging import OfPlatform
from tenants.money import (
    MoneyError,
    per_million_text,
    pico_from_text,
    pico_per_token,
    text_from_pico,
)

AMOUNT = r"^[0-9]{1,10}(\.[0-9]{1,6})?$"


class Rate(serializers.RegexField):
    """An amount of the currency per million tokens, as a text: money is never a float."""

    def __init__(self, **terms: Any) -> None:
        super().__init__(AMOUNT, **{"trim_whitespace": False, **terms})

    def to_internal_value(self, data: Any) -> Any:
        """Return pico-units per token."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Return pico-units per token, once the text is known to be an amount."""
        text = super().run_validation(data)
        if not isinstance(text, str):
            return text
        try:
            return self.read(text)
        except MoneyError as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: Any) -> str:
        """Return the text of pico-units per token."""
        return self.written(value)

    @staticmethod
    def read(text: str) -> int:
        """Return the pico-units that a text stands for."""
        return pico_per_token(text)

    @staticmethod
    def written(pico: int) -> str:
        """Return pico-units as text."""
        return per_million_text(pico)


class Fee(Rate):
    """An amount of the currency for each request, as a text."""

    @staticmethod
    def read(text: str) -> int:
        """Return the pico-units that a text stands for."""
        return pico_from_text(text)

    @staticmethod
    def written(pico: int) -> str:
        """Return pico-units as text."""
        return text_from_pico(pico)


class PriceShown(serializers.ModelSerializer[Price]):
    """What tokens cost from an instant on; a withdrawn row ends the prices before it."""

    input_per_million = Rate(source="input_pico", read_only=True)
    output_per_million = Rate(source="output_pico", read_only=True)
    cached_input_per_million = Rate(source="cached_input_pico", read_only=True, allow_null=True)
    cache_write_per_million = Rate(source="cache_write_pico", read_only=True, allow_null=True)
    per_request = Fee(source="request_pico", read_only=True)
    route = serializers.UUIDField(source="route_id", read_only=True, allow_null=True)
    deployment = serializers.UUIDField(source="deployment_id", read_only=True, allow_null=True)

    class Meta:
        model = Price
        fields = (
            "id",
            "route",
            "deployment",
            "withdrawn",
            "currency",
            "input_per_million",
            "output_per_million",
            "cached_input_per_million",
            "cache_write_per_million",
            "per_request",
            "effective_from",
            "source",
            "created_at",
        )
        read_only_fields = fields


class PriceOf(Change):
    """What is priced: a route or one deployment."""

    route = Identity(required=False)
    deployment = Identity(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse both and neither."""
        if ("route" in attrs) == ("deployment" in attrs):
            raise serializers.ValidationError("a price is of a route or of a deployment")
        return attrs


class PriceSet(PriceOf):
    """A price, from now or another instant on."""

    currency = Text(max_length=3, min_length=3)
    input_per_million = Rate()
    output_per_million = Rate()
    cached_input_per_million = Rate(required=False, allow_null=True)
    cache_write_per_million = Rate(required=False, allow_null=True)
    per_request = Fee(required=False)
    effective_from = Instant(required=False)


class Withdrawn(serializers.Serializer[object]):
    """Whether there was a price to withdraw."""

    withdrawn = serializers.BooleanField(read_only=True)


class PriceFilters(Filters):
    """Prices by what they are of."""

    route = Uuid(field_name="route_id")
    deployment = Uuid(field_name="deployment_id")


class Prices(OfPlatform):
    """Prices that were set by hand or come from the price book, newest row first."""

    model = Price
    serializer_class = PriceShown
    filterset_class = PriceFilters
    lookup_value_regex = NUMBER_PATTERN
    order = ("-id",)
    bodies = {"create": PriceSet, "withdraw": PriceOf}
    answers = {"withdraw": Withdrawn}
    access = {
        "list": Access("platform.read", "routes:read"),
        "retrieve": Access("platform.read", "routes:read"),
        "create": Access("price.set", "routes:write"),
        "withdraw": Access("price.withdraw", "routes:write"),
    }

    def visible(self) -> QuerySet[Price]:
        """Return the prices, for those who run the platform."""
        return prices_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Say what a route or deployment costs from an instant on."""
        given = self.given()
        since = given.get("effective_from") or timezone.now()
        price = bundle.Price(
            currency=given["currency"],
            input_pico=given["input_per_million"],
            output_pico=given["output_per_million"],
            cached_input_pico=given.get("cached_input_per_million"),
            request_pico=given.get("per_request", 0),
            effective_from=int(since.timestamp()),
            cache_write_pico=given.get("cache_write_per_million"),
        )
        of, reason = self._of(given), given.get("reason", "")
        return self.made(price_set(actor=self.actor, of=of, price=price, reason=reason))

    @action(detail=False, methods=["post"])
    def withdraw(self, _request: Request) -> Response:
        """End the price that was set: the next layer's holds again."""
        given = self.given()
        ended = price_withdraw(actor=self.actor, of=self._of(given), reason=given.get("reason", ""))
        return Response({"withdrawn": ended})

    def _of(self, given: dict[str, Any]) -> Route | Deployment:
        found: Route | Deployment | None
        if "route" in given:
            found = routes_visible(self.actor).filter(pk=given["route"]).first()
        else:
            found = deployments_visible(self.actor).filter(pk=given["deployment"]).first()
        if found is None:
            field = "route" if "route" in given else "deployment"
            raise ValidationError({field: "there is none of this id to be seen"})
        return found
