"""Reviews of the management API: texts before a second person, and where that is wanted."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Body, Change, Identity, Text
from audit.rest.filters import Filters, Uuid, one_of
from policies.models import Emergency, Review, ReviewRule
from policies.services.reviews import (
    review_approve,
    review_reject,
    review_rule_set,
    review_rule_unset,
    review_withdraw,
)
from policies.visible import review_rules_visible, reviews_visible
from tenants.api.belonging import OfTenant, TenantFilters
from tenants.changes import change_alone


class EmergencyShown(serializers.ModelSerializer[Emergency]):
    """How long a text stays in force that nobody else has approved, and what comes back then."""

    before_version = serializers.IntegerField(source="before.number", read_only=True)

    class Meta:
        model = Emergency
        fields = ("state", "expires_at", "before_version", "note", "ended_at")
        read_only_fields = fields


class ReviewShown(serializers.ModelSerializer[Review]):
    """One text before a second person, to the letter; `afterwards`: it is in force already."""

    base_version = serializers.IntegerField(
        source="base.number", read_only=True, allow_null=True, default=None
    )
    version = serializers.IntegerField(
        source="version.number", read_only=True, allow_null=True, default=None
    )

    emergency = EmergencyShown(read_only=True, allow_null=True, default=None)

    class Meta:
        model = Review
        fields = (
            "id",
            "policy",
            "base_version",
            "version",
            "source",
            "text_sha256",
            "state",
            "afterwards",
            "emergency",
            "author",
            "request",
            "approver",
            "comment",
            "created_at",
            "decided_at",
        )
        read_only_fields = fields


class Rejection(Body):
    """What has to be different."""

    reason = Text(max_length=1000)


class ReviewFilters(Filters):
    """Reviews by policy and state."""

    policy = Uuid(field_name="policy_id")
    state = one_of(Review.State.choices)


class Reviews(OfTenant):
    """Texts before a second person."""

    model = Review
    serializer_class = ReviewShown
    filterset_class = ReviewFilters
    bodies = {"approve": Change, "reject": Rejection, "withdraw": Change}
    access = {
        "list": Access("policy.read", "reviews:read"),
        "retrieve": Access("policy.read", "reviews:read"),
        "approve": Access("review.approve", "reviews:write"),
        "reject": Access("review.reject", "reviews:write"),
        "withdraw": Access("review.withdraw", "reviews:write"),
    }

    def visible(self) -> QuerySet[Review]:
        """Return the reviews that the actor may read."""
        return reviews_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: a policy may hold for several tenants."""
        change_alone()

    @action(detail=True, methods=["post"])
    def approve(self, _request: Request, **_: str) -> Response:
        """Approve the text. It takes a person who had no hand in it."""
        review_approve(actor=self.actor, review=self.get_object(), **self.given())
        return self.show(self.get_object())

    @action(detail=True, methods=["post"])
    def reject(self, _request: Request, **_: str) -> Response:
        """Say no to the text, and why."""
        review_reject(actor=self.actor, review=self.get_object(), **self.given())
        return self.show(self.get_object())

    @action(detail=True, methods=["post"])
    def withdraw(self, _request: Request, **_: str) -> Response:
        """Take a request back that nobody has decided."""
        review_withdraw(actor=self.actor, review=self.get_object(), **self.given())
        return self.show(self.get_object())


class ReviewRuleShown(serializers.ModelSerializer[ReviewRule]):
    """Where a text takes a second person before it is in force; no tenant: anywhere."""

    class Meta:
        model = ReviewRule
        fields = ("id", "tenant", "author", "created_at")
        read_only_fields = fields


class ReviewRuleCreate(Change):
    """Where reviews shall be wanted: in a tenant, or (null) anywhere."""

    tenant = Identity(allow_null=True)


class ReviewRules(OfTenant):
    """Where reviews are wanted."""

    model = ReviewRule
    serializer_class = ReviewRuleShown
    filterset_class = TenantFilters
    bodies = {"create": ReviewRuleCreate}
    access = {
        "list": Access("policy.read", "review-rules:read"),
        "retrieve": Access("policy.read", "review-rules:read"),
        "create": Access("review_rule.set", "review-rules:write"),
        "destroy": Access("review_rule.unset", "review-rules:write"),
    }

    def visible(self) -> QuerySet[ReviewRule]:
        """Return the rules that the actor may read."""
        return review_rules_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: it may be the platform's."""
        change_alone()

    def create(self, _request: Request) -> Response:
        """Let texts take a second person from now on."""
        given = self.given()
        wanted = given.pop("tenant")
        tenant = None if wanted is None else self.tenant(wanted)
        return self.made(review_rule_set(actor=self.actor, tenant=tenant, **given))

    def destroy(self, _request: Request, **_: str) -> Response:
        """Let one person's word do again."""
        with self.matching(required=False) as rule:
            review_rule_unset(actor=self.actor, rule=rule, reason=self.why())
        return self.gone()
