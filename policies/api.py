"""Policies of the management API: names, immutable versions, and where they hold."""

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Identity, Text
from audit.rest.filters import Filters, Uuid, Word
from audit.rest.problems import Problem
from audit.rest.resource import NUMBER_PATTERN
from policies.models import Attachment, Policy, PolicyVersion
from policies.pdp.yaml_text import BYTES_MAX
from policies.rest import analysing
from policies.rest.faults import policy_faults
from policies.selectors import attachments_visible, policies_visible, versions_visible
from policies.services import (
    policy_attach,
    policy_create,
    policy_detach,
    policy_publish,
    policy_retire,
)
from tenants.api.belonging import OfTenant
from tenants.changes import change_alone


class PolicyShown(serializers.ModelSerializer[Policy]):
    """A policy, and which version of it is in force wherever it is attached."""

    active_version = serializers.IntegerField(
        source="active.number", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = Policy
        fields = ("id", "name", "active_version", "created_at")
        read_only_fields = fields


class VersionShown(serializers.ModelSerializer[PolicyVersion]):
    """One text of a policy, for ever."""

    class Meta:
        model = PolicyVersion
        fields = ("id", "policy", "number", "source", "hash", "author", "created_at")
        read_only_fields = fields


class PolicyCreate(Change):
    """A new policy, without a text."""

    name = Text(max_length=63)


class VersionPublish(Change):
    """A text of the policy."""

    source = Text(max_length=BYTES_MAX)  # type: ignore[assignment]  # a field's attribute as well


class PolicyFilters(Filters):
    """Policies by name."""

    name = Word()


class Policies(analysing.Analysing):
    """Named policies."""

    model = Policy
    serializer_class = PolicyShown
    filterset_class = PolicyFilters
    bodies = {"create": PolicyCreate, "publish": VersionPublish, **analysing.BODIES}
    answers = {"versions": VersionShown, "publish": VersionShown, **analysing.ANSWERS}
    makes = frozenset({"create", "publish"})
    repeatable = frozenset({"analyse"})
    access = {
        "list": Access("policy.read", "policies:read"),
        "retrieve": Access("policy.read", "policies:read"),
        "create": Access("policy.create", "policies:write"),
        "destroy": Access("policy.retire", "policies:write"),
        "versions": Access("policy.read", "policies:read"),
        "publish": Access("policy.publish", "policies:write", others=("policy.create",)),
        **analysing.ACCESS,
    }

    @classmethod
    def listings(cls) -> frozenset[str]:
        """Return the methods that answer with pages."""
        return frozenset({"list", "versions"})

    def visible(self) -> QuerySet[Policy]:
        """Return the policies that the actor may read."""
        return policies_visible(self.actor).select_related("active")

    def hold(self, row: Any) -> None:
        """Hold everything: a policy may hold for several tenants."""
        change_alone()

    def create(self, _request: Request) -> Response:
        """Create a policy; it holds once a version of it is published and attached."""
        return self.made(policy_create(actor=self.actor, **self.given()))

    def destroy(self, _request: Request, **_: str) -> Response:
        """Take a policy that is attached nowhere out of use; its versions stay as evidence."""
        with self.matching(required=False) as policy:
            policy_retire(actor=self.actor, policy=policy, reason=self.why())
        return self.gone()

    @action(detail=True, methods=["get"])
    def versions(self, _request: Request, **_: str) -> Response:
        """List the versions of a policy, newest first."""
        found = versions_visible(self.actor, self.get_object())
        self.order = ("-number",)  # type: ignore[misc]  # of this list alone
        rows = self.paginate_queryset(found)
        return self.get_paginated_response(VersionShown(rows, many=True).data)

    @versions.mapping.post
    def publish(self, _request: Request, **_: str) -> Response:
        """Freeze a text as a version and put it in force wherever the policy is attached."""
        with self.matching() as policy, policy_faults():
            version = policy_publish(actor=self.actor, policy=policy, **self.given())
        return Response(VersionShown(version).data, status=HTTPStatus.CREATED)


class AttachmentShown(serializers.ModelSerializer[Attachment]):
    """Where a policy holds: the platform (no tenant), a tenant, or one app of it."""

    class Meta:
        model = Attachment
        fields = ("id", "policy", "tenant", "app", "created_at")
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
    bodies = {"create": AttachmentCreate}
    access = {
        "list": Access("policy.read", "policies:read"),
        "retrieve": Access("policy.read", "policies:read"),
        "create": Access("policy.attach", "policies:write"),
        "destroy": Access("policy.detach", "policies:write"),
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

    def destroy(self, _request: Request, **_: str) -> Response:
        """End a policy's hold; where none is left, calls fail."""
        with self.matching(required=False) as attachment:
            policy_detach(actor=self.actor, attachment=attachment, reason=self.why())
        return self.gone()
