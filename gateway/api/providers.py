"""Providers of the management API. A credential goes in; nothing brings it out."""

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Body, Change, Choice, Flag, Text
from audit.rest.filters import Filters, Word, one_of
from gateway import credentials
from gateway.models import Provider
from gateway.selectors import providers_visible
from gateway.services.providers import (
    SECRET_MAX,
    credential_remove,
    credential_set,
    provider_create,
    provider_remove,
    provider_test,
    provider_update,
)
from tenants.api.belonging import OfPlatform


class ProviderShown(serializers.ModelSerializer[Provider]):
    """A provider, and whether it has a credential."""

    has_credential = serializers.SerializerMethodField()
    credential_labels = serializers.SerializerMethodField()

    class Meta:
        model = Provider
        fields = (
            "id",
            "name",
            "dialect",
            "base_url",
            "allow_private",
            "health_check",
            "has_credential",
            "credential_labels",
            "created_at",
        )
        read_only_fields = fields

    def get_has_credential(self, provider: Provider) -> bool:
        """Return whether a credential is in use."""
        return credentials.active(provider) is not None

    def get_credential_labels(self, provider: Provider) -> list[str]:
        """Return the labels of the credentials that are used in turn."""
        return list(credentials.in_use(provider).values_list("label", flat=True))


class ProviderUpdate(Change):
    """Where a provider is; moving it takes its credentials away. With `health_check` it is asked
    for its models twice a minute, and left alone while it does not answer."""

    base_url = Text(required=False, allow_blank=True, max_length=400)
    allow_private = Flag(required=False)
    health_check = Flag(required=False)


class ProviderCreate(ProviderUpdate):
    """A new provider; the simulated one has no base URL."""

    name = Text(max_length=63)
    dialect = Choice(Provider.Dialect.choices)


class CredentialSet(Change):
    """Our secret at a provider; those of several labels are used in turn."""

    label = Text(required=False, allow_blank=True, max_length=63)  # type: ignore[assignment]
    secret = Text(max_length=SECRET_MAX, write_only=True)


class CredentialRemove(Body):
    """Which of our secrets at a provider goes."""

    label = Text(required=False, max_length=63)  # type: ignore[assignment]


class ProbeShown(serializers.Serializer[object]):
    """How a connection test went."""

    ok = serializers.BooleanField(read_only=True)
    detail = serializers.CharField(read_only=True)


class ProviderFilters(Filters):
    """Providers by name and dialect."""

    name = Word()
    dialect = one_of(Provider.Dialect.choices)


class Providers(OfPlatform):
    """Vendors, each at one fixed origin."""

    model = Provider
    serializer_class = ProviderShown
    filterset_class = ProviderFilters
    repeatable = frozenset({"test"})
    bodies = {
        "create": ProviderCreate,
        "partial_update": ProviderUpdate,
        "test": Change,
        "set_credential": CredentialSet,
    }
    queries = {"remove_credential": CredentialRemove}
    answers = {"test": ProbeShown, "set_credential": None, "remove_credential": None}
    access = {
        "list": Access("platform.read", "providers:read"),
        "retrieve": Access("platform.read", "providers:read"),
        "create": Access("provider.create", "providers:write"),
        "partial_update": Access("provider.update", "providers:write"),
        "destroy": Access("provider.remove", "providers:write"),
        "test": Access("provider.test", "providers:write"),
        "set_credential": Access("credential.set", "providers:write"),
        "remove_credential": Access("credential.remove", "providers:write"),
    }

    def visible(self) -> QuerySet[Provider]:
        """Return the providers, for those who run the platform."""
        return providers_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Create a provider at one fixed origin."""
        return self.made(provider_create(actor=self.actor, **self.given()))

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Move a provider, or change whether it may be private."""
        with self.matching() as provider:
            said = {"base_url": provider.base_url, "allow_private": provider.allow_private}
            provider_update(actor=self.actor, provider=provider, **(said | self.given()))
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """Delete a provider that serves no model."""
        with self.matching(required=False) as provider:
            provider_remove(actor=self.actor, provider=provider, reason=self.why())
        return self.gone()

    @action(detail=True, methods=["post"])
    def test(self, _request: Request, **_: str) -> Response:
        """Ask the provider for its models, with the credential, and say how it went."""
        result = provider_test(actor=self.actor, provider=self.get_object(), **self.given())
        return Response(ProbeShown(result).data)

    @action(detail=True, methods=["put"], url_path="credential")
    def set_credential(self, _request: Request, **_: str) -> Response:
        """Seal a secret; the one before of its label is destroyed. Nobody can read it back."""
        credential_set(actor=self.actor, provider=self.get_object(), **self.given())
        return self.gone()

    @set_credential.mapping.delete
    def remove_credential(self, _request: Request, **_: str) -> Response:
        """Destroy the provider's secret of a label; without one, the first."""
        credential_remove(
            actor=self.actor, provider=self.get_object(), **self.asked(), reason=self.why()
        )
        return self.gone()
