"""Rate limits of the management API."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Identity, Text, Whole
from audit.rest.filters import Word, one_of
from tenants.api.belonging import OfTenant, OwnerFilters
from tenants.models import MAX_MICROS, RateLimit
from tenants.selectors import limits_visible
from tenants.services.limits import rate_limit_create, rate_limit_remove, rate_limit_update


class Period(Choice):
    """What a limit is per; null for calls at once, which are per nothing."""

    def __init__(self, **terms: Any) -> None:
        super().__init__(RateLimit.Per.choices, allow_null=True, **terms)

    def to_representation(self, value: Any) -> Any:
        """Return the word, or None."""
        return value or None


class LimitShown(serializers.ModelSerializer[RateLimit]):
    """A rate limit; `per` is null for calls at once."""

    per = Period(read_only=True)

    class Meta:
        model = RateLimit
        fields = (
            "id",
            "tenant",
            "app",
            "key",
            "name",
            "kind",
            "amount",
            "per",
            "burst",
            "created_at",
        )
        read_only_fields = fields


class LimitUpdate(Change):
    """How much is allowed."""

    amount = Whole(required=False, min_value=1, max_value=MAX_MICROS)
    per = Period(required=False)
    burst = Whole(required=False, allow_null=True, min_value=1, max_value=MAX_MICROS)


class LimitCreate(LimitUpdate):
    """A new limit of a tenant, of one of its apps or of one of its keys."""

    tenant = Identity()
    app = Identity(required=False, allow_null=True)
    key = Identity(required=False, allow_null=True)
    name = Text(max_length=63)
    kind = Choice(RateLimit.Kind.choices)
    amount = Whole(min_value=1, max_value=MAX_MICROS)


class LimitFilters(OwnerFilters):
    """Limits by whose they are and what they count."""

    name = Word()
    kind = one_of(RateLimit.Kind.choices)


class Limits(OfTenant):
    """Rate limits in force."""

    model = RateLimit
    serializer_class = LimitShown
    filterset_class = LimitFilters
    bodies = {"create": LimitCreate, "partial_update": LimitUpdate}
    access = {
        "list": Access("rate_limit.read", "limits:read"),
        "retrieve": Access("rate_limit.read", "limits:read"),
        "create": Access("rate_limit.create", "limits:write"),
        "partial_update": Access("rate_limit.update", "limits:write"),
        "destroy": Access("rate_limit.remove", "limits:write"),
    }

    def given(self) -> dict[str, Any]:
        """Return the checked body; the database spells null as an empty text."""
        given = super().given()
        return given | {"per": given["per"] or ""} if "per" in given else given

    def visible(self) -> QuerySet[RateLimit]:
        """Return the limits that the actor may read."""
        return limits_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Create a limit of requests, tokens or calls at once."""
        given = self.given()
        tenant = self.tenant(given.pop("tenant"))
        self.check_object_permissions(self.request, tenant)
        app, key = self.app(given.pop("app", None)), self.key(given.pop("key", None))
        return self.made(
            rate_limit_create(actor=self.actor, tenant=tenant, app=app, key=key, **given)
        )

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Change how much a limit allows."""
        with self.matching() as limit:
            rate_limit_update(actor=self.actor, limit=limit, **self.given())
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """End a limit."""
        with self.matching(required=False) as limit:
            rate_limit_remove(actor=self.actor, limit=limit, reason=self.why())
        return self.gone()
