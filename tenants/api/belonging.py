"""What belongs to a tenant or to the platform: how it is held, and what filters it takes."""

from abc import ABC
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError

from audit.rest.filters import Filters, Uuid
from audit.rest.resource import Resource
from audit.rest.stored import ChangedResource
from tenants.changes import platform_change, tenant_change
from tenants.models import App, Tenant, VirtualKey
from tenants.selectors import apps_visible, keys_visible, tenants_visible

Row = TypeVar("Row")


class Naming(Resource):
    """What is asked for by naming a tenant, or something in one."""

    def tenant(self, tenant_id: UUID) -> Tenant:
        """Return the tenant that a body names; one that is not to be seen is not there."""
        return _named(tenants_visible(self.actor).filter(pk=tenant_id).first(), "tenant")

    def app(self, app_id: UUID | None) -> App | None:
        """Return the app that a body names."""
        if app_id is None:
            return None
        return _named(apps_visible(self.actor).filter(pk=app_id).first(), "app")

    def key(self, key_id: UUID | None) -> VirtualKey | None:
        """Return the virtual key that a body names."""
        if key_id is None:
            return None
        return _named(keys_visible(self.actor).filter(pk=key_id).first(), "key")


class OfTenant(Naming, ChangedResource, ABC):
    """Objects of a tenant: a change of one waits for other changes in that tenant."""

    def hold(self, row: Any) -> None:
        """Hold the tenant; the service takes the same lock again."""
        tenant_change(self.actor, self.access[self.action].action, row.tenant)


class OfPlatform(ChangedResource, ABC):
    """Objects of the platform: a change of one waits for every other change."""

    def hold(self, row: Any) -> None:
        """Hold the platform; the service takes the same lock again."""
        platform_change(self.actor, self.access[self.action].action)


class TenantFilters(Filters):
    """By tenant."""

    tenant = Uuid(field_name="tenant_id")


class OwnerFilters(TenantFilters):
    """By tenant, app and key."""

    app = Uuid(field_name="app_id")
    key = Uuid(field_name="key_id")


def _named(found: Row | None, field: str) -> Row:
    if found is None:
        raise ValidationError({field: "there is none of this id to be seen"})
    return found
