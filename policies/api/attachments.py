"""Where policies hold, in the management API."""

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Identity
from audit.rest.filters import Filters, Uuid
from audit.rest.problems import Problem
from audit.rest.resource import NUMBER_PATTERN
from policies.api.faults import policy_faults
from policies.models import Attachment
from policies.selectors import attachments_visible, policies_visible
from policies.services.attachments import (
    policy_attach,
    policy_detach,
    policy_detach_withdraw,
)
from tenants.api.belonging import OfTenant
from tenants.changes import change_alone


class AttachmentShown(serializers.ModelSerializer[Attachment]):
    """Where a policy holds: the platform (no tenant), a tenant, or one app of it.

    Where somebody has asked for its end (`detach_asked_by`), it holds until another one confirms.
    """

    class Meta:
        model = Attachment
        fields = (
            "id",
            "policy",
            "tenant",
            "app",
            "created_at",
            "detach_asked_by",
            "detach_asked_at",
            "detach_reason",
        )
        read_only_fields = fields


class AttachmentCreate(Change):
    """What shall hold where."""

    policy = Identity()
    tenant = Identity(required=False, allow_null=True)
    app = Identity(required=False, allow_null=True)


class AttachmentFilters(Filters):
    """Attachments by policy, tenant and app."""

    policy = Uuid(field_name="policy_id")
    tenant = Uuid(field_name="tenant_id")
    app = Uuid(field_name="app_id")


class Attachments(OfTenant):
    """Where policies hold."""

    model = Attachment
    serializer_class = AttachmentShown
    filterset_class = AttachmentFilters
    lookup_value_regex = NUMBER_PATTERN
    bodies = {"create": AttachmentCreate, "keep": Change}
    access = {
        "list": Access("policy.read", "policies:read"),
        "retrieve": Access("policy.read", "policies:read"),
        "create": Access("policy.attach", "policies:write"),
        "destroy": Access("policy.detach", "policies:write"),
        "keep": Access("policy_detach.withdraw", "policies:write"),
    }

    def visible(self) -> QuerySet[Attachment]:
        """Return the attachments that the actor may read."""
        return attachments_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: it may be the platform's."""
        change_alone()

    def create(self, _request: Request) -> Response:
        """Let a policy hold for the platform, a tenant or an app."""
        given = self.given()
        policy = policies_visible(self.actor).filter(pk=given["policy"]).first()
        if policy is None:
            fault = {"field": "policy", "message": "there is none of this id to be seen"}
            raise Problem(HTTPStatus.BAD_REQUEST, "The policy cannot be attached.", [fault])
        wanted, app = given.get("tenant"), self.app(given.get("app"))
        tenant = None if wanted is None else self.tenant(wanted)
        with policy_faults():
            made = policy_attach(
                actor=self.actor,
                policy=policy,
                tenant=tenant,
                app=app,
                reason=given.get("reason", ""),
            )
        return self.made(made)

    @extend_schema(responses={204: None, 202: AttachmentShown})
    def destroy(self, _request: Request, **_: str) -> Response:
        """End a policy's hold; where none is left, calls fail.

        Where reviews are wanted it is only asked for (202) until somebody else does the same.
        """
        with self.matching(required=False) as attachment:
            if policy_detach(actor=self.actor, attachment=attachment, reason=self.why()):
                return self.gone()
        return self.show(self.get_object(), HTTPStatus.ACCEPTED)

    @action(detail=True, methods=["post"])
    def keep(self, _request: Request, **_: str) -> Response:
        """Let a policy hold on whose end somebody has asked for."""
        policy_detach_withdraw(actor=self.actor, attachment=self.get_object(), **self.given())
        return self.show(self.get_object())
