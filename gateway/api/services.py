"""Services of the management API, the other upstreams beside the models. A credential goes in;
nothing brings it out."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Body, Change, Choice, Flag, Text, Texts, Whole
from audit.rest.filters import Filters, Word
from gateway import service_credentials
from gateway.api.prices import Fee
from gateway.models import Service
from gateway.providers.service import address, operations
from gateway.selectors import services_visible
from gateway.services.providers import SECRET_MAX
from gateway.services.services import (
    service_create,
    service_credential_remove,
    service_credential_set,
    service_remove,
    service_update,
)
from tenants.api.belonging import OfPlatform

SECONDS_MAX = 2**15 - 1


class OperationGiven(Body):
    """One thing that a service may be asked for. In the path, a step in braces takes one value;
    the query takes the parameters that are named, and no other."""

    name = Text(max_length=63)
    method = Choice([(one, one) for one in operations.METHODS])
    path = Text(max_length=operations.PATH_LENGTH_MAX)
    query = Texts(required=False, each_max=64, max_length=address.PARAMETERS_MAX)
    body = Choice([(one, one) for one in operations.BODIES], required=False)
    answer = Choice([(one, one) for one in operations.ANSWERS], required=False)
    idempotent = Flag(required=False)


class Operations(serializers.ListField):
    """All that a service may be asked for."""

    def __init__(self, **terms: Any) -> None:
        most = operations.OPERATIONS_MAX
        super().__init__(child=OperationGiven(), **{"max_length": most, **terms})


class OperationShown(serializers.Serializer[object]):
    """One thing that a service may be asked for."""

    name = serializers.CharField(read_only=True)
    method = serializers.CharField(read_only=True)
    path = serializers.CharField(read_only=True)
    query = serializers.ListField(child=serializers.CharField(), read_only=True)
    body = serializers.CharField(read_only=True)
    answer = serializers.CharField(read_only=True)
    idempotent = serializers.BooleanField(read_only=True)


class ServiceShown(serializers.ModelSerializer[Service]):
    """A service, all that it may be asked for, and whether it has a credential."""

    per_call = Fee(source="price_pico", read_only=True, allow_null=True)
    operations = OperationShown(many=True, read_only=True)
    has_credential = serializers.SerializerMethodField()

    class Meta:
        model = Service
        fields = (
            "id",
            "name",
            "base_url",
            "allow_private",
            "region",
            "header",
            "scheme",
            "per_call",
            "currency",
            "retries",
            "connect_s",
            "first_byte_s",
            "idle_s",
            "total_s",
            "operations",
            "has_credential",
            "created_at",
        )
        read_only_fields = fields

    def get_has_credential(self, service: Service) -> bool:
        """Return whether a credential is in use."""
        return service_credentials.of(service) is not None


class ServiceUpdate(Change):
    """Where a service is, how our secret is presented there, what a call costs, and what may be
    asked; moving it takes its credential away."""

    base_url = Text(required=False, max_length=400)
    allow_private = Flag(required=False)
    region = Text(required=False, allow_blank=True, max_length=63)
    header = Text(required=False, max_length=63)
    scheme = Text(required=False, allow_blank=True, max_length=63)
    per_call = Fee(source="price_pico", required=False, allow_null=True)
    currency = Text(required=False, allow_blank=True, max_length=3)
    retries = Whole(required=False, max_value=5)
    connect_s = Whole(required=False, max_value=SECONDS_MAX)
    first_byte_s = Whole(required=False, max_value=SECONDS_MAX)
    idle_s = Whole(required=False, max_value=SECONDS_MAX)
    total_s = Whole(required=False, max_value=SECONDS_MAX)
    operations = Operations(required=False)


class ServiceCreate(ServiceUpdate):
    """A new service; apps may call it once they list it."""

    name = Text(max_length=63)
    base_url = Text(max_length=400)
    operations = Operations()


class ServiceCredentialSet(Change):
    """Our secret at a service."""

    secret = Text(max_length=SECRET_MAX, write_only=True)


class ServiceFilters(Filters):
    """Services by name."""

    name = Word()


class Services(OfPlatform):
    """Other upstreams beside the models, each at one fixed origin."""

    model = Service
    serializer_class = ServiceShown
    filterset_class = ServiceFilters
    bodies = {
        "create": ServiceCreate,
        "partial_update": ServiceUpdate,
        "set_credential": ServiceCredentialSet,
    }
    answers = {"set_credential": None, "remove_credential": None}
    access = {
        "list": Access("platform.read", "services:read"),
        "retrieve": Access("platform.read", "services:read"),
        "create": Access("service.create", "services:write"),
        "partial_update": Access("service.update", "services:write"),
        "destroy": Access("service.remove", "services:write"),
        "set_credential": Access("service_credential.set", "services:write"),
        "remove_credential": Access("service_credential.remove", "services:write"),
    }

    def visible(self) -> QuerySet[Service]:
        """Return the services, for those who run the platform."""
        return services_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Create a service at one fixed origin."""
        return self.made(service_create(actor=self.actor, **self.given()))

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Move a service, or change what may be asked of it."""
        with self.matching() as service:
            service_update(actor=self.actor, service=service, **self.given())
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """Delete a service that no app lists."""
        with self.matching(required=False) as service:
            service_remove(actor=self.actor, service=service, reason=self.why())
        return self.gone()

    @action(detail=True, methods=["put"], url_path="credential")
    def set_credential(self, _request: Request, **_: str) -> Response:
        """Seal a secret; the one before is destroyed. Nobody can read it back."""
        service_credential_set(actor=self.actor, service=self.get_object(), **self.given())
        return self.gone()

    @set_credential.mapping.delete
    def remove_credential(self, _request: Request, **_: str) -> Response:
        """Destroy the service's secret."""
        service_credential_remove(actor=self.actor, service=self.get_object(), reason=self.why())
        return self.gone()
