"""OAuth2 applications of the management API. A secret stands in the answer that makes it alone."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Flag, Identity, Text
from audit.rest.filters import Word
from gateway.models import OAuthApplication
from gateway.scopes import SCOPES
from gateway.selectors import applications_visible
from gateway.services.applications import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    URIS_MAX,
    oauth_application_create,
    oauth_application_remove,
    oauth_application_rotate,
)
from tenants.api.belonging import OfTenant, TenantFilters
from tenants.changes import change_alone
from tenants.models import Role

GRANTS = {"client_credentials": CLIENT_CREDENTIALS, "authorization_code": AUTHORIZATION_CODE}


class ApplicationShown(serializers.ModelSerializer[OAuthApplication]):
    """An application that may ask for tokens; without a tenant it is the platform's."""

    grant = serializers.SerializerMethodField()
    redirect_uris = serializers.SerializerMethodField()
    is_public = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="created", read_only=True)

    class Meta:
        model = OAuthApplication
        fields = (
            "id",
            "client_id",
            "tenant",
            "name",
            "grant",
            "roles",
            "scopes",
            "redirect_uris",
            "is_public",
            "created_at",
        )
        read_only_fields = fields

    def get_grant(self, application: OAuthApplication) -> str:
        """Return how it gets its tokens."""
        names = {stored: name for name, stored in GRANTS.items()}
        return names[str(application.authorization_grant_type)]

    def get_redirect_uris(self, application: OAuthApplication) -> list[str]:
        """Return where a person may be sent back to."""
        return str(application.redirect_uris).split()

    def get_is_public(self, application: OAuthApplication) -> bool:
        """Return whether it has no secret."""
        return bool(application.client_type == OAuthApplication.CLIENT_PUBLIC)


class ApplicationMade(ApplicationShown):
    """A new application, with its secret: shown this once; empty for a public one."""

    client_secret = serializers.CharField(read_only=True)

    class Meta(ApplicationShown.Meta):
        fields = (*ApplicationShown.Meta.fields, "client_secret")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class ApplicationCreate(Change):
    """A new application: it can do no more than whoever makes it."""

    tenant = Identity(required=False, allow_null=True)
    name = Text(max_length=63)
    grant = Choice([(name, name) for name in GRANTS])
    scopes = serializers.ListField(child=Choice([(name, name) for name in SCOPES]), max_length=100)
    roles = serializers.ListField(child=Choice(Role.choices), required=False, max_length=20)
    redirect_uris = serializers.ListField(
        child=Text(max_length=500), required=False, max_length=URIS_MAX
    )
    is_public = Flag(required=False)


class ApplicationFilters(TenantFilters):
    """Applications by tenant and name."""

    name = Word()


class Applications(OfTenant):
    """Programs that may ask for tokens of this API."""

    model = OAuthApplication
    serializer_class = ApplicationShown
    filterset_class = ApplicationFilters
    order = ("-created", "-id")
    bodies = {"create": ApplicationCreate, "rotate": Change}
    answers = {"create": ApplicationMade, "rotate": ApplicationMade}
    makes = frozenset({"create", "rotate"})
    access = {
        "list": Access("oauth_application.read", "oauth-applications:read"),
        "retrieve": Access("oauth_application.read", "oauth-applications:read"),
        "create": Access("oauth_application.create", "oauth-applications:write"),
        "rotate": Access("oauth_application.rotate", "oauth-applications:write"),
        "destroy": Access("oauth_application.remove", "oauth-applications:write"),
    }

    def visible(self) -> QuerySet[OAuthApplication]:
        """Return the applications that the actor may read."""
        return applications_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: it may be the platform's."""
        change_alone()

    def create(self, _request: Request) -> Response:
        """Make an application; its secret is in this answer only."""
        given = self.given()
        wanted = given.pop("tenant", None)
        tenant = None if wanted is None else self.tenant(wanted)
        if any(any(letter.isspace() for letter in uri) for uri in given.get("redirect_uris", [])):
            raise ValidationError({"redirect_uris": "an address has no spaces"})
        made, secret = oauth_application_create(
            actor=self.actor,
            tenant=tenant,
            grant=GRANTS[given.pop("grant")],
            allowed_scopes=self.caller.scopes,
            **given,
        )
        return self._with_secret(made, secret)

    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate(self, _request: Request, **_: str) -> Response:
        """Give an application a new secret, in this answer only; its tokens end."""
        application = self.get_object()
        secret = oauth_application_rotate(actor=self.actor, application=application, **self.given())
        return self._with_secret(application, secret)

    def destroy(self, _request: Request, **_: str) -> Response:
        """Delete an application: every token of it is good no more."""
        with self.matching(required=False) as application:
            oauth_application_remove(actor=self.actor, application=application, reason=self.why())
        return self.gone()

    def _with_secret(self, application: OAuthApplication, secret: str) -> Response:
        answer = self.made(application)
        answer.data["client_secret"] = secret
        return answer
