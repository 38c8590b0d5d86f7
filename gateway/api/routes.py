"""Routes of the management API, the public model names, and the deployments that serve them."""

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Flag, Identity, Text, Texts, Whole
from audit.rest.filters import Filters, Uuid, Word
from gateway.api.transformation import Transformation
from gateway.circuits import Circuit, circuits_of
from gateway.models import CACHE_ENTRY_BYTES_MAX, CACHE_MAX_S, Deployment, Route
from gateway.selectors import deployments_visible, providers_visible, routes_visible
from gateway.services.routes import (
    deployment_create,
    deployment_remove,
    deployment_update,
    route_create,
    route_remove,
    route_update,
)
from tenants.api.belonging import OfPlatform

CAP_MAX = 2**31 - 1
RANK_MAX = 2**15 - 1


class RouteShown(serializers.ModelSerializer[Route]):
    """A public model name, its caps, and how its deployments are chosen and stood in for."""

    class Meta:
        model = Route
        fields = (
            "id",
            "name",
            "max_output_tokens",
            "default_max_output_tokens",
            "strategy",
            "sticky",
            "regional",
            "drop_unsupported",
            "retries",
            "hedge_after_ms",
            "context_tokens",
            "fallbacks",
            "cache_ttl_s",
            "cache_stale_s",
            "cache_entry_bytes",
            "cache_hit_percent",
            "cache_vary",
            "transformation",
            "created_at",
        )
        read_only_fields = fields


class RouteUpdate(Change):
    """The caps of a route, how its deployments are chosen and stood in for, and for how long its
    answers are kept for apps that take them."""

    max_output_tokens = Whole(required=False, max_value=CAP_MAX)
    default_max_output_tokens = Whole(required=False, min_value=1, max_value=CAP_MAX)
    strategy = Choice(Route.Strategy.choices, required=False)
    sticky = Flag(required=False)
    regional = Flag(required=False)
    drop_unsupported = Flag(required=False)
    retries = Whole(required=False, max_value=5)
    hedge_after_ms = Whole(required=False, max_value=60_000)
    context_tokens = Whole(required=False, max_value=CAP_MAX)
    fallbacks = Texts(required=False, max_length=5)
    cache_ttl_s = Whole(required=False, max_value=CACHE_MAX_S)
    cache_stale_s = Whole(required=False, max_value=CACHE_MAX_S)
    cache_entry_bytes = Whole(required=False, max_value=CACHE_ENTRY_BYTES_MAX)
    cache_hit_percent = Whole(required=False, max_value=100)
    cache_vary = Texts(required=False, max_length=8)
    transformation = Transformation(of_route=True, required=False)


class RouteCreate(RouteUpdate):
    """A new public model name."""

    name = Text(max_length=120)


class RouteFilters(Filters):
    """Routes by name."""

    name = Word()


class Routes(OfPlatform):
    """Public model names: all for who runs the platform, else those of one's apps."""

    model = Route
    serializer_class = RouteShown
    filterset_class = RouteFilters
    bodies = {"create": RouteCreate, "partial_update": RouteUpdate}
    access = {
        "list": Access("app.read", "routes:read"),
        "retrieve": Access("app.read", "routes:read"),
        "create": Access("route.create", "routes:write"),
        "partial_update": Access("route.update", "routes:write"),
        "destroy": Access("route.remove", "routes:write"),
    }

    def visible(self) -> QuerySet[Route]:
        """Return the routes that the actor may read."""
        return routes_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Create a public model name; it is served once it has a deployment."""
        return self.made(route_create(actor=self.actor, **self.given()))

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Change a route's caps, or how its deployments are chosen and stood in for."""
        with self.matching() as route:
            route_update(actor=self.actor, route=route, **self.given())
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """Delete a public model name that no app lists, with its deployments."""
        with self.matching(required=False) as route:
            route_remove(actor=self.actor, route=route, reason=self.why())
        return self.gone()


class DeploymentShown(serializers.ModelSerializer[Deployment]):
    """One model at one provider that serves a route."""

    class Meta:
        model = Deployment
        fields = (
            "id",
            "route",
            "provider",
            "model",
            "region",
            "weight",
            "priority",
            "connect_s",
            "first_byte_s",
            "idle_s",
            "total_s",
            "created_at",
        )
        read_only_fields = fields


class DeploymentUpdate(Change):
    """When a deployment is tried: priority 0 first, among equals by weight. How many seconds it
    may take; 0: as many as everybody."""

    weight = Whole(required=False, max_value=RANK_MAX)
    priority = Whole(required=False, max_value=RANK_MAX)
    connect_s = Whole(required=False, max_value=RANK_MAX)
    first_byte_s = Whole(required=False, max_value=RANK_MAX)
    idle_s = Whole(required=False, max_value=RANK_MAX)
    total_s = Whole(required=False, max_value=RANK_MAX)


class DeploymentCreate(DeploymentUpdate):
    """A new deployment."""

    route = Identity()
    provider = Identity()
    model = Text(max_length=200)
    region = Text(required=False, allow_blank=True, max_length=63)


class CircuitShown(serializers.Serializer[Circuit[Deployment]]):
    """Whether a deployment is left alone: closed (in use), open, half_open (being tried again), or
    unknown while Redis is away."""

    deployment = serializers.UUIDField(source="deployment.id", read_only=True)
    provider = serializers.UUIDField(source="deployment.provider_id", read_only=True)
    state = serializers.ChoiceField(["closed", "open", "half_open", "unknown"], read_only=True)
    until = serializers.DateTimeField(read_only=True, allow_null=True)
    why = serializers.CharField(read_only=True)


class CircuitsShown(serializers.Serializer[dict[str, list[Circuit[Deployment]]]]):
    """How every deployment stands."""

    results = CircuitShown(many=True, read_only=True)


class DeploymentFilters(Filters):
    """Deployments by route and provider."""

    route = Uuid(field_name="route_id")
    provider = Uuid(field_name="provider_id")


class Deployments(OfPlatform):
    """What serves the routes."""

    model = Deployment
    serializer_class = DeploymentShown
    filterset_class = DeploymentFilters
    bodies = {"create": DeploymentCreate, "partial_update": DeploymentUpdate}
    answers = {"circuits": CircuitsShown}
    access = {
        "list": Access("platform.read", "routes:read"),
        "retrieve": Access("platform.read", "routes:read"),
        "create": Access("deployment.create", "routes:write"),
        "partial_update": Access("deployment.update", "routes:write"),
        "destroy": Access("deployment.remove", "routes:write"),
        "circuits": Access("platform.read", "routes:read"),
    }

    def visible(self) -> QuerySet[Deployment]:
        """Return the deployments, for those who run the platform."""
        return deployments_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Let a provider's model serve a route, at the price book's price where it has one."""
        given = self.given()
        route = routes_visible(self.actor).filter(pk=given.pop("route")).first()
        provider = providers_visible(self.actor).filter(pk=given.pop("provider")).first()
        if route is None or provider is None:
            field = "route" if route is None else "provider"
            raise ValidationError({field: "there is none of this id to be seen"})
        return self.made(
            deployment_create(actor=self.actor, route=route, provider=provider, **given)
        )

    @action(detail=False, methods=["get"])
    def circuits(self, _request: Request) -> Response:
        """List how every deployment stands now, as the workers have told."""
        found = circuits_of(self.visible().order_by("route__name", "id"), timezone.now())
        return Response(CircuitsShown({"results": found}).data)

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Change when a deployment is tried, or for how long."""
        with self.matching() as deployment:
            deployment_update(actor=self.actor, deployment=deployment, **self.given())
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """Take a deployment from its route; its prices stay."""
        with self.matching(required=False) as deployment:
            deployment_remove(actor=self.actor, deployment=deployment, reason=self.why())
        return self.gone()
