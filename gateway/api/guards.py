"""Guards of the management API. A secret goes in; nothing brings it out."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Flag, Identity, Text, Texts, Whole
from audit.rest.filters import Word
from gateway.guards import sealing
from gateway.guards.contract import (
    DEADLINE_MS_MAX,
    DEADLINE_MS_MIN,
    KINDS_MAX,
    PHASES,
    SECRET_MAX,
)
from gateway.guards.models import Guard
from gateway.guards.trial import TEXT_MAX
from gateway.selectors import guards_visible
from gateway.services.guards import (
    guard_create,
    guard_remove,
    guard_secret_retire,
    guard_secret_set,
    guard_test,
    guard_update,
)
from tenants.api.belonging import OfTenant, TenantFilters


class GuardShown(serializers.ModelSerializer[Guard]):
    """A guard, and how many signatures what it is sent has."""

    kinds = serializers.ListField(child=serializers.CharField(), read_only=True)
    phases = serializers.ListField(child=serializers.CharField(), read_only=True)
    signatures = serializers.SerializerMethodField()

    class Meta:
        model = Guard
        fields = (
            "id",
            "tenant",
            "name",
            "url",
            "allow_private",
            "kinds",
            "phases",
            "deadline_ms",
            "tells_user",
            "redacted",
            "cache",
            "signatures",
            "created_at",
        )
        read_only_fields = fields

    def get_signatures(self, guard: Guard) -> int:
        """Return how many signatures each request has: two while a secret is renewed."""
        return len(sealing.held(guard))


class GuardUpdate(Change):
    """Where a guard is, what it may find, and what it is told."""

    url = Text(required=False, max_length=400)
    allow_private = Flag(required=False)
    kinds = Texts(required=False, each_max=64, max_length=KINDS_MAX)
    phases = Texts(required=False, each_max=16, max_length=len(PHASES))
    deadline_ms = Whole(required=False, min_value=DEADLINE_MS_MIN, max_value=DEADLINE_MS_MAX)
    tells_user = Flag(required=False)
    redacted = Flag(required=False)
    cache = Flag(required=False)


class GuardCreate(GuardUpdate):
    """A new guard of a tenant, with the secret that signs what it is sent."""

    tenant = Identity()
    name = Text(max_length=63)
    url = Text(max_length=400)
    kinds = Texts(each_max=64, max_length=KINDS_MAX)
    phases = Texts(each_max=16, max_length=len(PHASES))
    secret = Text(max_length=SECRET_MAX, write_only=True)


class GuardSecretSet(Change):
    """The secret that signs from now on, beside the one before."""

    secret = Text(max_length=SECRET_MAX, write_only=True)


class GuardTest(Change):
    """A sample text, as a user would say it; it is kept nowhere."""

    text = Text(required=False, max_length=TEXT_MAX)


class FoundShown(serializers.Serializer[object]):
    """What a guard found in a sample text, at which characters of it."""

    kind = serializers.CharField(read_only=True)
    score = serializers.FloatField(read_only=True)
    start = serializers.IntegerField(read_only=True)
    end = serializers.IntegerField(read_only=True)


class TrialShown(serializers.Serializer[object]):
    """How a guard answered to a sample text."""

    ok = serializers.BooleanField(read_only=True)
    detail = serializers.CharField(read_only=True)
    latency_ms = serializers.IntegerField(read_only=True)
    findings = FoundShown(many=True, read_only=True)


class GuardFilters(TenantFilters):
    """Guards by tenant and name."""

    name = Word()


class Guards(OfTenant):
    """Endpoints of a tenant's own that inspect texts."""

    model = Guard
    serializer_class = GuardShown
    filterset_class = GuardFilters
    repeatable = frozenset({"test"})
    bodies = {
        "create": GuardCreate,
        "partial_update": GuardUpdate,
        "test": GuardTest,
        "set_secret": GuardSecretSet,
    }
    answers = {"test": TrialShown, "set_secret": None, "retire_secret": None}
    access = {
        "list": Access("guard.read", "guards:read"),
        "retrieve": Access("guard.read", "guards:read"),
        "create": Access("guard.create", "guards:write"),
        "partial_update": Access("guard.update", "guards:write"),
        "destroy": Access("guard.remove", "guards:write"),
        "test": Access("guard.test", "guards:write"),
        "set_secret": Access("guard_secret.set", "guards:write"),
        "retire_secret": Access("guard_secret.retire", "guards:write"),
    }

    def visible(self) -> QuerySet[Guard]:
        """Return the guards that the actor may read."""
        return guards_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Create a guard; it is asked once a rule depends on what it finds."""
        given: dict[str, Any] = self.given()
        tenant = self.tenant(given.pop("tenant"))
        self.check_object_permissions(self.request, tenant)
        return self.made(guard_create(actor=self.actor, tenant=tenant, **given))

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Move a guard, or change what it may find and what it is told."""
        with self.matching() as guard:
            guard_update(actor=self.actor, guard=guard, **self.given())
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """Delete a guard and its secrets."""
        with self.matching(required=False) as guard:
            guard_remove(actor=self.actor, guard=guard, reason=self.why())
        return self.gone()

    @action(detail=True, methods=["post"])
    def test(self, _request: Request, **_: str) -> Response:
        """Send a sample text, and say what the guard found and how long it took."""
        result = guard_test(actor=self.actor, guard=self.get_object(), **self.given())
        return Response(TrialShown(result).data)

    @action(detail=True, methods=["put"], url_path="secret")
    def set_secret(self, _request: Request, **_: str) -> Response:
        """Seal a new secret; the one before signs beside it until it is retired."""
        guard_secret_set(actor=self.actor, guard=self.get_object(), **self.given())
        return self.gone()

    @set_secret.mapping.delete
    def retire_secret(self, _request: Request, **_: str) -> Response:
        """Destroy the secret before the newest, if there still is one."""
        guard_secret_retire(actor=self.actor, guard=self.get_object(), reason=self.why())
        return self.gone()
