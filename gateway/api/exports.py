"""Exports of the management API: evidence as files, written by a job, read by signed addresses."""

import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.exports.wanted import DECISIONS, FORMATS, KINDS, LISTED_MAX, ExportWanted
from audit.models import Export
from audit.outcome import OUTCOMES
from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Identity, Recorded, Set, Text
from audit.rest.filters import one_of
from audit.selectors import exports_visible
from gateway.selectors import DOWNLOAD_AGE_MAX
from gateway.services.exports import export_create, export_download
from tenants.api.belonging import OfTenant, TenantFilters

Shown = serializers.Serializer[Any]


def _words(known: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(word, word) for word in known]


class StoredInstant(serializers.DateTimeField):
    """An instant that is stored as text, shown as every other one is."""

    def to_representation(self, value: Any) -> Any:
        """Return the instant in the spelling of this API."""
        return super().to_representation(datetime.datetime.fromisoformat(value))


class WantedShown(Shown):
    """What an export holds; what is empty asks for all."""

    since = StoredInstant()
    until = StoredInstant()
    kinds = serializers.ListField(child=serializers.CharField())
    formats = serializers.ListField(child=serializers.CharField())
    apps = serializers.ListField(child=serializers.UUIDField())
    model = serializers.CharField()
    outcome = serializers.CharField()
    decision = serializers.CharField()
    actions = serializers.ListField(child=serializers.CharField())
    rule = serializers.CharField(default="")
    redaction = serializers.CharField(default="")
    actor = serializers.CharField(default="")
    object = serializers.CharField(default="")


class PartShown(Shown):
    """One file of an export, as its manifest has it."""

    name = serializers.CharField()
    kind = serializers.CharField()
    format = serializers.CharField()
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class ExportShown(serializers.ModelSerializer[Export]):
    """An export; its job's progress is told by that job."""

    filter = WantedShown(read_only=True)
    parts = PartShown(many=True, read_only=True)

    class Meta:
        model = Export
        fields = (
            "id",
            "tenant_id",
            "tenant",
            "creator",
            "filter",
            "state",
            "error",
            "job_id",
            "rows",
            "size_bytes",
            "parts",
            "downloads",
            "downloaded_at",
            "created_at",
            "ready_at",
            "expires_at",
        )
        read_only_fields = fields


class AddressShown(Shown):
    """Where a file lies for whoever has this address, and until when."""

    url = serializers.CharField()
    expires_at = serializers.DateTimeField()


class ExportCreate(Change):
    """Which evidence of a tenant: from `since` on and before `until`.

    `apps`, `model`, `outcome`, `decision`, `rule` and `redaction` choose calls; `actions`, `actor`
    and `object` choose events.
    """

    tenant = Identity()
    since = Recorded()
    until = Recorded()
    kinds = Set(child=Choice(_words(KINDS)), required=False, allow_empty=False)
    formats = Set(child=Choice(_words(FORMATS)), required=False, allow_empty=False)
    apps = Set(child=Identity(), required=False, max_length=LISTED_MAX)
    model = Text(required=False, max_length=120)
    outcome = Choice(_words(OUTCOMES), required=False)
    decision = Choice(_words(DECISIONS), required=False)
    actions = Set(child=Text(max_length=60), required=False, max_length=LISTED_MAX)
    rule = Text(required=False, max_length=200)
    redaction = Text(required=False, max_length=80)
    actor = Text(required=False, max_length=200)
    object = Text(required=False, max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a time that ends before it begins."""
        if attrs["since"] >= attrs["until"]:
            raise serializers.ValidationError({"until": ["it is not after since"]})
        return attrs


class ExportDownload(Change):
    """Which file: the name of a part, or manifest.json."""

    part = Text(max_length=120)


class ExportFilters(TenantFilters):
    """Exports by tenant and state."""

    state = one_of(Export.State.choices)


class Exports(OfTenant):
    """Evidence of one tenant as files."""

    model = Export
    serializer_class = ExportShown
    filterset_class = ExportFilters
    volatile = ("downloads", "downloaded_at")
    bodies = {"create": ExportCreate, "download": ExportDownload}
    answers = {"download": AddressShown}
    repeatable = frozenset({"download"})
    access = {
        "list": Access("export.read", "exports:read"),
        "retrieve": Access("export.read", "exports:read"),
        "create": Access("export.create", "exports:write"),
        "download": Access("export.download", "exports:write"),
    }

    def visible(self) -> QuerySet[Export]:
        """Return the exports that the actor may read."""
        return exports_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Ask for an export; a job writes it, and it is kept for a week."""
        given = self.given()
        tenant, reason = self.tenant(given.pop("tenant")), given.pop("reason", "")
        self.check_object_permissions(self.request, tenant)
        for name, value in given.items():
            given[name] = tuple(value) if isinstance(value, list) else value
        wanted = ExportWanted(**given)
        return self.made(
            export_create(actor=self.actor, tenant=tenant, wanted=wanted, reason=reason)
        )

    @action(detail=True, methods=["post"])
    def download(self, _request: Request, **_: str) -> Response:
        """Give out an address that opens one file for a minute; who asked becomes an event."""
        # A token counts whole seconds: it is good for no shorter than is said here.
        now = timezone.now().replace(microsecond=0)
        token = export_download(actor=self.actor, export=self.get_object(), **self.given())
        address = {"url": reverse("download", args=[token]), "expires_at": now + DOWNLOAD_AGE_MAX}
        return Response(AddressShown(address).data)
