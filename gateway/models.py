"""Tables of the catalogue: providers, credentials, routes, deployments, prices, bundles; jobs."""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from oauth2_provider.models import AbstractApplication

from gateway.guards.models import Guard, GuardSecret
from gateway.oauth.redirects import is_safe
from tenants.models import SLUG, Role, Tenant, User

# Django finds models in this file; those of guards stand in their own.
__all__ = [
    "BundleRevision", "CachePurge", "Credential", "Deployment", "Guard", "GuardSecret", "Job",
    "OAuthApplication", "Price", "Provider", "Route", "Service", "ServiceCredential",
    "StoredAnswer",
]  # fmt: skip

MODEL_NAME_PATTERN = r"\A[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,119}\Z"
MODEL_NAME = RegexValidator(
    MODEL_NAME_PATTERN,
    "a model name is 1 to 120 of letters, digits and . _ : / @ + -",
)


CACHE_VARY_PATTERN = r"\A(?:app|key|user|tag:[a-z0-9][a-z0-9._-]{0,62})\Z"
CACHE_VARY = RegexValidator(CACHE_VARY_PATTERN, "answers vary by app, key, user or tag:NAME")
CACHE_MAX_S, CACHE_ENTRY_BYTES_MAX = 30 * 86_400, 16 * 1024 * 1024

LABEL = RegexValidator(
    r"\A[a-z0-9][a-z0-9-]{0,62}\Z", "a label is 1 to 63 of a-z, 0-9 and - (not first)"
)


class Provider(models.Model):
    """A vendor, reachable at one fixed origin."""

    class Dialect(models.TextChoices):
        OPENAI = "openai"
        ANTHROPIC = "anthropic"
        AZURE_OPENAI = "azure-openai"
        GEMINI = "gemini"
        BEDROCK = "bedrock"
        SIMULATED = "simulated"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[SLUG])
    dialect = models.CharField(max_length=32, choices=Dialect.choices)
    base_url = models.CharField(max_length=400, blank=True, default="")  # see origins.py
    allow_private = models.BooleanField(default=False)
    health_check = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(dialect="simulated", base_url="")
                | (~Q(dialect="simulated") & ~Q(base_url="")),
                name="provider_has_an_origin_unless_simulated",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Credential(models.Model):
    """One of our secrets at a provider, sealed: see envelope.py. Write-only; all active ones are
    used in turn, and told apart by `label`."""

    class State(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="credentials")
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=16)
    label = models.CharField(max_length=63, blank=True, default="", validators=[LABEL])
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["provider", "label"],
                condition=Q(state="active"),
                name="credential_one_active_per_label",
            ),
        ]

    def __str__(self) -> str:
        return f"credential of {self.provider_id}"


class Route(models.Model):
    """A public model name, the caps that hold for it wherever it is served, and how deployments
    are chosen and stood in for: see `bundle.Plan`."""

    class Strategy(models.TextChoices):
        WEIGHTED = "weighted"
        LEAST_BUSY = "least_busy"
        LATENCY = "latency"
        COST = "cost"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True, validators=[MODEL_NAME])
    max_output_tokens = models.PositiveIntegerField(default=16384)
    default_max_output_tokens = models.PositiveIntegerField(default=2048)
    strategy = models.CharField(max_length=16, choices=Strategy.choices, default=Strategy.WEIGHTED)
    sticky = models.BooleanField(default=False)
    regional = models.BooleanField(default=False)
    drop_unsupported = models.BooleanField(default=False)
    retries = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(5)])
    hedge_after_ms = models.PositiveIntegerField(default=0, validators=[MaxValueValidator(60_000)])
    context_tokens = models.PositiveIntegerField(default=0)
    fallbacks = ArrayField(models.CharField(max_length=120), size=5, default=list, blank=True)
    cache_ttl_s = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(CACHE_MAX_S)]
    )
    cache_stale_s = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(CACHE_MAX_S)]
    )
    cache_entry_bytes = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(CACHE_ENTRY_BYTES_MAX)]
    )
    cache_hit_percent = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(100)]
    )
    cache_vary = ArrayField(
        models.CharField(max_length=67, validators=[CACHE_VARY]),
        size=8, default=list, blank=True,
    )  # fmt: skip
    transformation = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(default_max_output_tokens__lte=models.F("max_output_tokens"))
                & Q(default_max_output_tokens__gte=1),
                name="route_default_cap_within_maximum",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Deployment(models.Model):
    """One model at one provider that serves a route."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="deployments")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="deployments")
    model = models.CharField(max_length=200)
    weight = models.PositiveSmallIntegerField(default=1)
    priority = models.PositiveSmallIntegerField(default=0)
    region = models.CharField(max_length=63, blank=True, default="")
    connect_s = models.PositiveSmallIntegerField(default=0)
    first_byte_s = models.PositiveSmallIntegerField(default=0)
    idle_s = models.PositiveSmallIntegerField(default=0)
    total_s = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["route", "provider", "model", "region"], name="deployment_once_per_route"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} at {self.provider_id}"


class Price(models.Model):
    """What tokens cost from an instant on, in pico-units of `currency` per token. Append-only.

    Belongs to a route (all its deployments) or to one deployment, which wins. USD 0.15 per million
    tokens are 150,000 pico-dollars per token. `source` says where the figures come from. A later
    row holds from its instant on, whatever earlier rows said; a `withdrawn` one ends them. Rows
    outlive the route or deployment that they priced: hence no constraint in the database.
    """

    id = models.BigAutoField(primary_key=True)
    route = models.ForeignKey(
        Route, null=True, blank=True, on_delete=models.DO_NOTHING, db_constraint=False
    )
    deployment = models.ForeignKey(
        Deployment, null=True, blank=True, on_delete=models.DO_NOTHING, db_constraint=False
    )
    withdrawn = models.BooleanField(default=False)
    currency = models.CharField(max_length=3)
    input_pico = models.PositiveBigIntegerField()
    output_pico = models.PositiveBigIntegerField()
    cached_input_pico = models.PositiveBigIntegerField(null=True, blank=True)
    cache_write_pico = models.PositiveBigIntegerField(null=True, blank=True)
    request_pico = models.PositiveBigIntegerField(default=0)
    effective_from = models.DateTimeField()
    source = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(route=None, deployment__isnull=False)
                | Q(route__isnull=False, deployment=None),
                name="price_of_a_route_or_a_deployment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.input_pico}/{self.output_pico} pico per token"


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
