"""Tables of services, applications of OAuth2, kept answers, bundles and jobs; of the catalogue."""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from oauth2_provider.models import AbstractApplication

from gateway.catalogue import (
    CACHE_ENTRY_BYTES_MAX,
    CACHE_MAX_S,
    CACHE_VARY,
    CACHE_VARY_PATTERN,
    LABEL,
    MODEL_NAME,
    MODEL_NAME_PATTERN,
    Credential,
    Deployment,
    Price,
    Provider,
    Route,
)
from gateway.guards.models import Guard, GuardSecret
from gateway.oauth.redirects import is_safe
from tenants.models import SLUG, Role, Tenant, User

# Django finds models in this file; those of the catalogue and of guards stand beside it.
__all__ = [
    "CACHE_ENTRY_BYTES_MAX",
    "CACHE_MAX_S",
    "CACHE_VARY",
    "CACHE_VARY_PATTERN",
    "LABEL",
    "MODEL_NAME",
    "MODEL_NAME_PATTERN",
    "BundleRevision",
    "CachePurge",
    "Credential",
    "Deployment",
    "Guard",
    "GuardSecret",
    "Job",
    "OAuthApplication",
    "Price",
    "Provider",
    "Route",
    "Service",
    "ServiceCredential",
    "StoredAnswer",
]


class Service(models.Model):
    """Another HTTP upstream beside the models, reachable at one fixed origin, and all that may be
    asked there: see `bundle.Service`. A call costs `price_pico`; None: it has no price."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[SLUG])
    base_url = models.CharField(max_length=400)
    allow_private = models.BooleanField(default=False)
    region = models.CharField(max_length=63, blank=True, default="")
    header = models.CharField(max_length=63, default="authorization")
    scheme = models.CharField(max_length=63, blank=True, default="Bearer")
    price_pico = models.PositiveBigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    retries = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(5)])
    connect_s = models.PositiveSmallIntegerField(default=0)
    first_byte_s = models.PositiveSmallIntegerField(default=0)
    idle_s = models.PositiveSmallIntegerField(default=0)
    total_s = models.PositiveSmallIntegerField(default=0)
    operations = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(price_pico=None, currency="")
                | (Q(price_pico__isnull=False) & ~Q(currency="")),
                name="service_price_has_a_currency",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ServiceCredential(models.Model):
    """Our secret at a service, sealed as those at providers are. Write-only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.OneToOneField(Service, on_delete=models.PROTECT, related_name="credential")
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=16)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"credential of {self.service_id}"


class OAuthApplication(AbstractApplication):  # type: ignore[misc]  # untyped
    """A program that may ask for tokens of the management API; without a tenant: the platform's.

    By client credentials it acts as itself, with `roles` in its tenant; by authorization code for
    a person, with that person's roles. `scopes` is the most that a token of it may have. `user` is
    who made it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=63, validators=[SLUG])
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    roles = ArrayField(
        models.CharField(max_length=32, choices=Role.choices), default=list, blank=True
    )
    scopes = ArrayField(models.CharField(max_length=64), default=list)
    objects = models.Manager["OAuthApplication"]()

    class Meta:
        verbose_name = "oauth application"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "name"], nulls_distinct=False, name="oauth_application_name_once"
            ),
            models.CheckConstraint(
                condition=Q(tenant__isnull=False) | Q(roles=[]), name="oauth_platform_has_no_roles"
            ),
        ]

    def clean(self) -> None:
        """Refuse an address without TLS that is not on the person's own machine."""
        super().clean()
        if not all(is_safe(uri) for uri in self.redirect_uris.split()):
            raise ValidationError(
                {"redirect_uris": "http is for 127.0.0.1 and [::1] alone: use https elsewhere"}
            )

    def get_allowed_schemes(self) -> list[str]:
        """Return the schemes of where a person may be sent back to (`clean` bounds http)."""
        return ["https", "http"]

    def is_usable(self, request: Any) -> bool:
        """Return whether its tenant is still there; asked before every grant."""
        return self.tenant is None or self.tenant.state != Tenant.State.REMOVED


class CachePurge(models.Model):
    """Since which revision a tenant's answers are kept: all of them, a route's or an app's.

    `scope` is "", "route:NAME" or "app:ID": what was kept under an earlier revision is given to
    nobody any more.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    scope = models.CharField(max_length=130, blank=True)
    revision = models.PositiveBigIntegerField()
    at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "scope"], name="cache_purge_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.scope or 'all'} before {self.revision}"


class StoredAnswer(models.Model):
    """What a write with an Idempotency-Key was answered, sealed: it may hold a secret.

    `subject` is a digest of the actor, the address and the key; `request` of the body.
    """

    subject = models.CharField(max_length=64, primary_key=True)
    request = models.CharField(max_length=64)
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=16)
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.subject


class BundleRevision(models.Model):
    """One compiled bundle of one tenant, frozen. `checksum` is the SHA-256 of `body`."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    revision = models.PositiveBigIntegerField()
    body = models.BinaryField()
    checksum = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant_id", "revision"], name="bundle_once"),
        ]

    def __str__(self) -> str:
        return f"bundle {self.revision} of {self.tenant_id}"


class Job(models.Model):
    """Work that outlives a request, done by whoever holds the claim on it: see gateway/jobs.

    `attempts` is the fence: whoever took the job last holds its number, and what an earlier holder
    still writes meets no row. `owner` is the name of who asked, copied, because people go. `total`
    is unknown until the work has been measured.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="jobs")
    owner_id = models.CharField(max_length=64)
    owner = models.CharField(max_length=200)
    terms = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    holder = models.CharField(max_length=120, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_wanted = models.BooleanField(default=False)
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(state="running", lease_until__isnull=False)
                | (~Q(state="running") & Q(lease_until=None, holder="")),
                name="job_lease_while_running",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("queued", "running"), finished_at=None)
                | Q(state__in=("done", "failed", "cancelled"), finished_at__isnull=False),
                name="job_finished_has_a_time",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=("queued", "running")),
                name="job_unfinished",
            ),
            models.Index(fields=["tenant", "-created_at"], name="job_of_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
