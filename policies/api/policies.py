"""Policies of the management API: names, and immutable versions."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Text, Whole
from audit.rest.filters import Filters, Word
from policies.api import analysing
from policies.api.faults import policy_faults
from policies.models import Activation, Draft, Policy, PolicyVersion
from policies.pdp.yaml_text import BYTES_MAX
from policies.selectors import policies_visible, versions_visible
from policies.services.activations import (
    policy_activate,
    policy_rollback,
    policy_version_freeze,
)
from policies.services.imports import policy_import
from policies.services.policies import policy_create, policy_publish, policy_retire
from policies.templates import Template, templates
from policies.visible import activations_of
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


class VersionNamed(Change):
    """A version of the policy, by its number."""

    version = Whole(min_value=1)


class PolicyImport(Change):
    """A text of a policy, which it names itself."""

    source = Text(max_length=BYTES_MAX)  # type: ignore[assignment]  # a field's attribute as well


class ActivationShown(serializers.ModelSerializer[Activation]):
    """A version that came into force."""

    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = Activation
        fields = ("id", "version", "kind", "actor", "created_at")
        read_only_fields = fields


class PolicyExported(serializers.Serializer[Policy]):
    """A policy with all its texts; `text` is the active one, which can be imported."""

    name = serializers.CharField()
    active_version = serializers.IntegerField(source="active.number", allow_null=True, default=None)
    text = serializers.CharField(source="active.source", allow_null=True, default=None)
    versions = serializers.SerializerMethodField()

    def get_versions(self, policy: Policy) -> VersionShown(many=True):  # type: ignore[valid-type]
        """Return every version, the first one first."""
        return VersionShown(policy.versions.order_by("number"), many=True).data


class TemplateShown(serializers.Serializer[Template]):
    """A text to begin with; `{name}` stands for the policy's name."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field's attribute as well
    description = serializers.CharField()
    rules = serializers.IntegerField()
    text = serializers.CharField()


class TemplatesShown(serializers.Serializer[Any]):
    """The texts that come with the product."""

    results = TemplateShown(many=True)


class DraftMade(serializers.ModelSerializer[Draft]):
    """The draft that a text became."""

    class Meta:
        model = Draft
        fields = ("id", "policy", "revision")
        read_only_fields = fields


class PolicyFilters(Filters):
    """Policies by name."""

    name = Word()


class Policies(analysing.Analysing):
    """Named policies."""

    model = Policy
    serializer_class = PolicyShown
    filterset_class = PolicyFilters
    bodies = {
        "create": PolicyCreate,
        "publish": VersionPublish,
        "freeze": VersionPublish,
        "activate": VersionNamed,
        "rollback": VersionNamed,
        "take_in": PolicyImport,
        **analysing.BODIES,
    }
    answers = {
        "versions": VersionShown,
        "publish": VersionShown,
        "freeze": VersionShown,
        "activations": ActivationShown,
        "export": PolicyExported,
        "templates": TemplatesShown,
        "take_in": DraftMade,
        **analysing.ANSWERS,
    }
    repeatable = frozenset({"analyse"})
    makes = frozenset({"create", "publish", "freeze", "take_in"})
    access = {
        "list": Access("policy.read", "policies:read"),
        "retrieve": Access("policy.read", "policies:read"),
        "create": Access("policy.create", "policies:write"),
        "destroy": Access("policy.retire", "policies:write"),
        "versions": Access("policy.read", "policies:read"),
        "publish": Access("policy.publish", "policies:write", others=("policy.create",)),
        "freeze": Access("policy_version.freeze", "policies:write"),
        "activate": Access("policy.activate", "policies:write"),
        "rollback": Access("policy.rollback", "policies:write"),
        "activations": Access("policy.read", "policies:read"),
        "export": Access("policy.read", "policies:read"),
        **analysing.ACCESS,
        "templates": Access("policy.read", "policies:read"),
        "take_in": Access("policy.import", "policies:write"),
    }

    @classmethod
    def listings(cls) -> frozenset[str]:
        """Return the methods that answer with pages."""
        return frozenset({"list", "versions", "activations"})

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

    @action(detail=True, methods=["post"])
    def freeze(self, _request: Request, **_: str) -> Response:
        """Freeze a text as a version that is not in force: to be scheduled, or tried beside."""
        policy = self.get_object()
        with policy_faults():
            version = policy_version_freeze(actor=self.actor, policy=policy, **self.given())
        return Response(VersionShown(version).data, status=HTTPStatus.CREATED)

    @action(detail=True, methods=["post"])
    def activate(self, _request: Request, **_: str) -> Response:
        """Bring a frozen version into force wherever the policy holds."""
        return self._bring(policy_activate)

    @action(detail=True, methods=["post"])
    def rollback(self, _request: Request, **_: str) -> Response:
        """Bring a version that was in force before into force again."""
        return self._bring(policy_rollback)

    @action(detail=True, methods=["get"])
    def activations(self, _request: Request, **_: str) -> Response:
        """List what came into force, newest first."""
        found = activations_of(self.actor, self.get_object())
        self.order = ("-id",)  # type: ignore[misc]  # of this list alone
        rows = self.paginate_queryset(found)
        return self.get_paginated_response(ActivationShown(rows, many=True).data)

    @action(detail=True, methods=["get"])
    def export(self, _request: Request, **_: str) -> Response:
        """Give the policy with all its texts, to be kept or imported elsewhere."""
        return Response(PolicyExported(self.get_object()).data)

    @action(detail=False, methods=["get"])
    def templates(self, _request: Request) -> Response:
        """Give the texts to begin with that come with the product."""
        return Response(TemplatesShown({"results": list(templates().values())}).data)

    @action(detail=False, methods=["post"], url_path="import")
    def take_in(self, _request: Request) -> Response:
        """Make a draft of a text; a policy that is not there is made."""
        given = self.given()
        with policy_faults():
            draft = policy_import(actor=self.actor, **given)
        return Response(DraftMade(draft).data, status=HTTPStatus.CREATED)

    def _bring(self, service: Callable[..., bool]) -> Response:
        with self.matching(required=False) as policy, policy_faults():
            given = self.given()
            number = given.pop("version")
            version = policy.versions.filter(number=number).first()
            if version is None:
                raise ValidationError({"version": f"{policy.name} has no version {number}"})
            service(actor=self.actor, version=version, **given)
        return self.show(self.get_object())
