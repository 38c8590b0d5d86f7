"""Policies of the management API: names, and immutable versions."""

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Text
from audit.rest.filters import Filters, Word
from policies.api.faults import policy_faults
from policies.models import Policy, PolicyVersion
from policies.pdp.yaml_text import BYTES_MAX
from policies.selectors import policies_visible, versions_visible
from policies.services.policies import policy_create, policy_publish, policy_retire
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


class Policies(OfTenant):
    """Named policies."""

    model = Policy
    serializer_class = PolicyShown
    filterset_class = PolicyFilters
    bodies = {"create": PolicyCreate, "publish": VersionPublish}
    answers = {"versions": VersionShown, "publish": VersionShown}
    makes = frozenset({"create", "publish"})
    access = {
        "list": Access("policy.read", "policies:read"),
        "retrieve": Access("policy.read", "policies:read"),
        "create": Access("policy.create", "policies:write"),
        "destroy": Access("policy.retire", "policies:write"),
        "versions": Access("policy.read", "policies:read"),
        "publish": Access("policy.publish", "policies:write", others=("policy.create",)),
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
