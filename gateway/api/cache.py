"""Purges of the management API: since when the answers of a tenant, model or app are kept."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Identity, Text
from audit.rest.resource import NUMBER_PATTERN
from audit.rest.stored import StoredResource
from gateway.models import CachePurge
from gateway.selectors import purges_visible
from gateway.services.cache import cache_purge
from tenants.api.belonging import Naming, TenantFilters


class PurgeShown(serializers.ModelSerializer[CachePurge]):
    """What was kept under an earlier revision of the tenant is given to nobody any more.

    `scope` is empty for the whole tenant, or route:NAME, or app:ID.
    """

    class Meta:
        model = CachePurge
        fields = ("id", "tenant", "scope", "revision", "at")
        read_only_fields = fields


class PurgeCreate(Change):
    """Whose kept answers are to be given no more: a tenant's, or only a model's or an app's."""

    tenant = Identity()
    route = Text(required=False, max_length=120)
    app = Identity(required=False)


class Purges(Naming, StoredResource):
    """The last purge of each tenant, model and app."""

    model = CachePurge
    serializer_class = PurgeShown
    filterset_class = TenantFilters
    lookup_value_regex = NUMBER_PATTERN
    order = ("-id",)
    bodies = {"create": PurgeCreate}
    access = {
        "list": Access("app.read", "apps:read"),
        "retrieve": Access("app.read", "apps:read"),
        "create": Access("cache.purge", "apps:write"),
    }

    def visible(self) -> QuerySet[CachePurge]:
        """Return the purges that the actor may read."""
        return purges_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Have no answer given any more that was kept before: of all, of a model, or of an app."""
        given: dict[str, Any] = self.given()
        tenant = self.tenant(given.pop("tenant"))
        app = self.app(given.pop("app", None))
        if app is not None and app.tenant_id != tenant.id:
            raise ValidationError({"app": "there is none of this id to be seen"})
        self.check_object_permissions(self.request, tenant)
        return self.made(cache_purge(actor=self.actor, tenant=tenant, app=app, **given))
