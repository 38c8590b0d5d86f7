"""Tables of the catalogue: providers and our secrets there, public models, deployments, prices."""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from tenants.models import SLUG

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
