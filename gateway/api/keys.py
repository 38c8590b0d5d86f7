"""Virtual keys of the management API. A secret stands in the answer that makes it, nowhere else."""

from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Identity, Instant, Text, Whole
from audit.rest.filters import Uuid, Word, one_of
from gateway.api import caller_policy
from gateway.envelope import key_pepper
from tenants.api.belonging import TenantFilters
from tenants.keys import IssuedKey, KeyPepper
from tenants.models import VirtualKey
from tenants.selectors import keys_visible
from tenants.services.keys import (
    OVERLAP_MAX_S,
    virtual_key_issue,
    virtual_key_revoke,
    virtual_key_rotate,
)


class KeyShown(serializers.ModelSerializer[VirtualKey]):
    """A virtual key by its public id; its secret is not kept."""

    class Meta:
        model = VirtualKey
        fields = (
            "id",
            "public_id",
            "tenant",
            "app",
            "name",
            "user",
            "state",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "rotated_from",
            "created_at",
        )
        read_only_fields = fields


class KeyIssued(KeyShown):
    """A new key, with its secret: shown this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(KeyShown.Meta):
        fields = (*KeyShown.Meta.fields, "secret")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class KeyIssue(Change):
    """A new key for an app."""

    app = Identity()
    name = Text(max_length=120)
    user = Text(required=False, allow_blank=True, max_length=200)
    expires_at = Instant(required=False, allow_null=True)


class KeyRotate(Change):
    """How long the old secret stays good beside the new one."""

    overlap_s = Whole(required=False, max_value=OVERLAP_MAX_S)


class KeyFilters(TenantFilters):
    """Keys by tenant, app, public id and state."""

    app = Uuid(field_name="app_id")
    public_id = Word()
    state = one_of(VirtualKey.State.choices)


class Keys(caller_policy.WithPolicy):
    """Virtual keys, revoked ones too."""

    model = VirtualKey
    serializer_class = KeyShown
    filterset_class = KeyFilters
    volatile = ("last_used_at",)
    bodies = {"create": KeyIssue, "rotate": KeyRotate, "revoke": Change}
    answers = {"create": KeyIssued, "rotate": KeyIssued, **caller_policy.ANSWERS}
    makes = frozenset({"create", "rotate"})
    access = {
        "list": Access("virtual_key.read", "keys:read"),
        "retrieve": Access("virtual_key.read", "keys:read"),
        "create": Access("virtual_key.issue", "keys:write"),
        "rotate": Access("virtual_key.rotate", "keys:write"),
        "revoke": Access("virtual_key.revoke", "keys:write"),
        **caller_policy.ACCESS,
    }

    def visible(self) -> QuerySet[VirtualKey]:
        """Return the keys that the actor may read."""
        return keys_visible(self.actor).select_related("tenant", "app")

    def create(self, _request: Request) -> Response:
        """Issue a key; its secret is in this answer only."""
        given = self.given()
        app = self.app(given.pop("app"))
        if app is None:
            raise ValidationError({"app": "a key belongs to an app"})
        self.check_object_permissions(self.request, app)
        key, issued = virtual_key_issue(actor=self.actor, app=app, pepper=_pepper(), **given)
        return self._with_secret(key, issued)

    @action(detail=True, methods=["post"])
    def rotate(self, _request: Request, **_: str) -> Response:
        """Replace a key by a new one; its secret is in this answer only."""
        key, issued = virtual_key_rotate(
            actor=self.actor, key=self.get_object(), pepper=_pepper(), **self.given()
        )
        return self._with_secret(key, issued)

    @action(detail=True, methods=["post"])
    def revoke(self, _request: Request, **_: str) -> Response:
        """Revoke a key: no worker accepts it a second later."""
        virtual_key_revoke(actor=self.actor, key=self.get_object(), **self.given())
        return self.show(self.get_object())

    def _with_secret(self, key: VirtualKey, issued: IssuedKey) -> Response:
        answer = self.show(key, HTTPStatus.CREATED)
        answer.data["secret"] = issued.secret
        return answer


def _pepper() -> KeyPepper:
    return key_pepper(settings.GATEHOUSE.kek)
