"""Tenants of the management API."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Text, Texts
from audit.rest.filters import Filters, Word, one_of
from audit.rest.stored import ChangedResource
from tenants.changes import tenant_change
from tenants.models import Tenant
from tenants.selectors import tenants_visible
from tenants.services.tenants import (
    tenant_create,
    tenant_remove,
    tenant_resume,
    tenant_suspend,
    tenant_update,
)


class TenantShown(serializers.ModelSerializer[Tenant]):
    """A tenant; `revision` is what was changed, `published_revision` what the workers follow."""

    class Meta:
        model = Tenant
        fields = (
            "id",
            "name",
            "state",
            "timezone",
            "evidence",
            "tags",
            "pii_countries",
            "pii_phone_regions",
            "pii_entities",
            "detectors",
            "cors_origins",
            "default_model",
            "tier_models",
            "revision",
            "published_revision",
            "publish_error",
            "created_at",
        )
        read_only_fields = fields


class TenantUpdate(Change):
    """What may be said of a tenant."""

    timezone = Text(required=False, max_length=64)
    evidence = Choice(Tenant.Evidence.choices, required=False)
    tags = Texts(required=False, each_max=63)
    pii_countries = Texts(required=False, each_max=2)
    pii_phone_regions = Texts(required=False, each_max=2)
    pii_entities = Texts(required=False, each_max=16)
    detectors = serializers.ListField(child=serializers.DictField(), required=False)
    cors_origins = Texts(required=False, each_max=255)
    default_model = Text(required=False, allow_blank=True, max_length=120)
    tier_models = serializers.DictField(child=Text(max_length=120), required=False)


class TenantCreate(TenantUpdate):
    """A new tenant."""

    name = Text(max_length=63)


class TenantFilters(Filters):
    """Tenants by name and state."""

    name = Word()
    state = one_of(Tenant.State.choices)


class Tenants(ChangedResource):
    """Organisations or divisions, isolated from one another."""

    model = Tenant
    serializer_class = TenantShown
    filterset_class = TenantFilters
    volatile = ("revision", "published_revision", "publish_error")
    bodies = {
        "create": TenantCreate,
        "partial_update": TenantUpdate,
        "suspend": Change,
        "resume": Change,
    }
    access = {
        "list": Access("tenant.read", "tenants:read"),
        "retrieve": Access("tenant.read", "tenants:read"),
        "create": Access("tenant.create", "tenants:write"),
        "partial_update": Access("tenant.update", "tenants:write"),
        "destroy": Access("tenant.remove", "tenants:write"),
        "suspend": Access("tenant.suspend", "tenants:write"),
        "resume": Access("tenant.resume", "tenants:write"),
    }

    def visible(self) -> QuerySet[Tenant]:
        """Return the tenants that the actor may read."""
        return tenants_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold the tenant itself."""
        tenant_change(self.actor, self.access[self.action].action, row)

    def create(self, _request: Request) -> Response:
        """Create a tenant."""
        return self.made(tenant_create(actor=self.actor, **self.given()))

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Change what is said of a tenant."""
        with self.matching() as tenant:
            tenant_update(actor=self.actor, tenant=tenant, **self.given())
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """End a tenant for good: its keys are revoked, its rows stay as evidence."""
        with self.matching(required=False) as tenant:
            tenant_remove(actor=self.actor, tenant=tenant, reason=self.why())
        return self.gone()

    @action(detail=True, methods=["post"])
    def suspend(self, _request: Request, **_: str) -> Response:
        """Stop every call of a tenant, those in flight too."""
        tenant_suspend(actor=self.actor, tenant=self.get_object(), **self.given())
        return self.show(self.get_object())

    @action(detail=True, methods=["post"])
    def resume(self, _request: Request, **_: str) -> Response:
        """Let a suspended tenant call again."""
        tenant_resume(actor=self.actor, tenant=self.get_object(), **self.given())
        return self.show(self.get_object())
