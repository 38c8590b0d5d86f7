"""Apps of the management API. They stand here because the catalogue knows their models."""

from collections.abc import Sequence

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Flag, Identity, Text, Texts
from audit.rest.filters import Word, one_of
from gateway.api.transformation import Transformation
from gateway.selectors import unknown_models, unknown_services
from tenants.api.belonging import OfTenant, TenantFilters
from tenants.models import App
from tenants.selectors import apps_visible
from tenants.services.apps import app_create, app_remove, app_resume, app_suspend, app_update


class AppShown(serializers.ModelSerializer[App]):
    """A program of a tenant, and the public model names and services that it may call."""

    class Meta:
        model = App
        fields = (
            "id",
            "tenant",
            "name",
            "models",
            "services",
            "tier",
            "cache",
            "transformation",
            "state",
            "created_at",
        )
        read_only_fields = fields


class AppUpdate(Change):
    """What may be said of an app; with `cache` it takes kept answers of models that keep them."""

    models = Texts(required=False)
    services = Texts(required=False, each_max=63)
    tier = Text(required=False, allow_blank=True, max_length=63)
    cache = Flag(required=False)
    transformation = Transformation(of_route=False, required=False)

    def validate_models(self, names: Sequence[str]) -> Sequence[str]:
        """Refuse names that no route has."""
        unknown = unknown_models(list(names))
        if unknown:
            raise serializers.ValidationError(f"no such model: {', '.join(unknown)}")
        return names

    def validate_services(self, names: Sequence[str]) -> Sequence[str]:
        """Refuse names that no service has."""
        unknown = unknown_services(list(names))
        if unknown:
            raise serializers.ValidationError(f"no such service: {', '.join(unknown)}")
        return names


class AppCreate(AppUpdate):
    """A new app."""

    tenant = Identity()
    name = Text(max_length=63)


class AppFilters(TenantFilters):
    """Apps by tenant, name and state."""

    name = Word()
    state = one_of(App.State.choices)


class Apps(OfTenant):
    """Programs of tenants."""

    model = App
    serializer_class = AppShown
    filterset_class = AppFilters
    bodies = {
        "create": AppCreate,
        "partial_update": AppUpdate,
        "suspend": Change,
        "resume": Change,
    }
    access = {
        "list": Access("app.read", "apps:read"),
        "retrieve": Access("app.read", "apps:read"),
        "create": Access("app.create", "apps:write"),
        "partial_update": Access("app.update", "apps:write"),
        "destroy": Access("app.remove", "apps:write"),
        "suspend": Access("app.suspend", "apps:write"),
        "resume": Access("app.resume", "apps:write"),
    }

    def visible(self) -> QuerySet[App]:
        """Return the apps that the actor may read."""
        return apps_visible(self.actor).select_related("tenant")

    def create(self, _request: Request) -> Response:
        """Create an app."""
        given = self.given()
        tenant = self.tenant(given.pop("tenant"))
        self.check_object_permissions(self.request, tenant)
        return self.made(app_create(actor=self.actor, tenant=tenant, **given))

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Change what is said of an app."""
        with self.matching() as app:
            app_update(actor=self.actor, app=app, **self.given())
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """End an app for good: its keys are revoked, its rows stay as evidence."""
        with self.matching(required=False) as app:
            app_remove(actor=self.actor, app=app, reason=self.why())
        return self.gone()

    @action(detail=True, methods=["post"])
    def suspend(self, _request: Request, **_: str) -> Response:
        """Stop every call of an app, those in flight too."""
        app_suspend(actor=self.actor, app=self.get_object(), **self.given())
        return self.show(self.get_object())

    @action(detail=True, methods=["post"])
    def resume(self, _request: Request, **_: str) -> Response:
        """Let a suspended app call again."""
        app_resume(actor=self.actor, app=self.get_object(), **self.given())
        return self.show(self.get_object())
