"""Exemptions of the management API: rules that do not hold for some calls, for a time."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Body, Change, Identity, Recorded, Text, Texts
from audit.rest.filters import Uuid, Word
from policies.models import Exemption
from policies.services.exemptions import exemption_approve, exemption_grant, exemption_revoke
from policies.visible import exemptions_visible
from tenants.api.belonging import OfTenant, TenantFilters
from tenants.changes import change_alone


class ExemptionShown(serializers.ModelSerializer[Exemption]):
    """Rules that do not hold for some calls of a tenant (null: of all), until an instant.

    It holds from `holds_since` on; null: it waits for a second person.
    """

    class Meta:
        model = Exemption
        fields = (
            "id",
            "tenant",
            "name",
            "rules",
            "apps",
            "keys",
            "reason",
            "by_platform",
            "author",
            "approver",
            "holds_since",
            "expires_at",
            "created_at",
            "revoked_at",
        )
        read_only_fields = fields


class ExemptionGrant(Body):
    """From what, for whom, until when, and why."""

    tenant = Identity(allow_null=True)
    name = Text(max_length=63)
    rules = Texts(each_max=130)
    expires_at = Recorded()
    reason = Text(max_length=1000)
    apps = Texts(required=False, each_max=63)
    keys = Texts(required=False, each_max=10)


class ExemptionFilters(TenantFilters):
    """Exemptions by tenant and name."""

    id = Uuid()
    name = Word()


class Exemptions(OfTenant):
    """Rules that do not hold for some calls, for a time."""

    model = Exemption
    serializer_class = ExemptionShown
    filterset_class = ExemptionFilters
    bodies = {"create": ExemptionGrant, "approve": Change, "revoke": Change}
    access = {
        "list": Access("policy.read", "exemptions:read"),
        "retrieve": Access("policy.read", "exemptions:read"),
        "create": Access("exemption.grant", "exemptions:write"),
        "approve": Access("exemption.approve", "exemptions:write"),
        "revoke": Access("exemption.revoke", "exemptions:write"),
    }

    def visible(self) -> QuerySet[Exemption]:
        """Return the exemptions that the actor may read."""
        return exemptions_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: it may be the platform's."""
        change_alone()

    def create(self, _request: Request) -> Response:
        """Let rules not hold for some calls until an instant, or ask for it where reviews are."""
        given = self.given()
        wanted = given.pop("tenant")
        tenant = None if wanted is None else self.tenant(wanted)
        return self.made(exemption_grant(actor=self.actor, tenant=tenant, **given))

    @action(detail=True, methods=["post"])
    def approve(self, _request: Request, **_: str) -> Response:
        """Let an exemption hold that waits. It takes a person who did not ask for it."""
        exemption_approve(actor=self.actor, exemption=self.get_object(), **self.given())
        return self.show(self.get_object())

    @action(detail=True, methods=["post"])
    def revoke(self, _request: Request, **_: str) -> Response:
        """Let the rules hold again at once."""
        exemption_revoke(actor=self.actor, exemption=self.get_object(), **self.given())
        return self.show(self.get_object())
