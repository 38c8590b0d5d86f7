"""Tables of people, tenants, apps, keys, budgets, limits, and of the money that is held and spent.

`Hold`, `LedgerEntry` and `TenantEpoch` are written by the data plane (gateway/proxy/evidence.py);
they stand here as models so that migrations, reads and the sweeper share one description.
"""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from tenants.usage.tables import (
    PostingMark,
    PostingSum,
    UsageCalendar,
    UsageMark,
    UsageRollup,
    UsageTotal,
)

# Django finds models in this file; tables of sums stand beside what fills them.
__all__ = ["PostingMark", "PostingSum", "UsageCalendar", "UsageMark", "UsageRollup", "UsageTotal"]

SLUG_PATTERN = r"\A[a-z0-9][a-z0-9._-]{0,62}\Z"
SLUG = RegexValidator(
    SLUG_PATTERN,
    "a name is 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit",
)
ORIGIN_PATTERN = r"\A(?:\*|https?://[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?(?::\d{1,5})?)\Z"
ORIGIN = RegexValidator(
    ORIGIN_PATTERN, "an origin is https://host, http://host:port, or * for every one"
)
MAX_MICROS = 2**52
"""Counters are Lua doubles: above this an integer is no longer exact."""


class UserManager(BaseUserManager["User"]):
    """Looks people up by e-mail."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the person with this e-mail, whatever its case."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person who may sign in. What they may do comes from their memberships."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_superuser = models.BooleanField(default=False)  # owner of the whole installation
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(Lower("email"), name="user_email_once_in_any_case"),
        ]

    def __str__(self) -> str:
        return self.email


class SignInPace(models.Model):
    """How soon one address or e-mail may try to sign in again; `subject` is a keyed digest of it.

    `free_at` runs ahead of the clock by what was used up: at that instant all of it is free again.
    """

    subject = models.CharField(max_length=64, primary_key=True)
    free_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.subject


class Tenant(models.Model):
    """An organisation or division, isolated from the others.

    `revision` counts every change that a worker must hear of; it is raised in the transaction of
    the change. `published_revision` is the one its newest bundle was compiled from; `publish_error`
    says why a later one could not be compiled (then the last good bundle stays in force). A removed
    tenant keeps its rows, because records and ledger name them, and gives its name free.

    A call without a model asks for that of its app's tier in `tier_models`, else `default_model`.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        REMOVED = "removed"

    class Evidence(models.TextChoices):
        STRICT = "strict"
        BLOCKING = "blocking"
        BATCH = "batch"

    class Entity(models.TextChoices):
        PERSON = "PERSON"
        LOCATION = "LOCATION"
        ORGANIZATION = "ORGANIZATION"
        NRP = "NRP"
        DATE_TIME = "DATE_TIME"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=63, validators=[SLUG])
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    timezone = models.CharField(max_length=64, default="UTC")
    evidence = models.CharField(max_length=16, choices=Evidence.choices, default=Evidence.STRICT)
    tags = ArrayField(models.CharField(max_length=63, validators=[SLUG]), default=list, blank=True)
    pii_countries = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    pii_phone_regions = ArrayField(models.CharField(max_length=2), default=list, blank=True)
    pii_entities = ArrayField(
        models.CharField(max_length=16, choices=Entity.choices), default=list, blank=True
    )
    detectors = models.JSONField(default=list, blank=True)
    cors_origins = ArrayField(
        models.CharField(max_length=255, validators=[ORIGIN]), default=list, blank=True
    )
    default_model = models.CharField(max_length=120, blank=True, default="")
    tier_models = models.JSONField(default=dict, blank=True)
    revision = models.PositiveBigIntegerField(default=1)
    published_revision = models.PositiveBigIntegerField(default=0)
    publish_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["name"], condition=~Q(state="removed"), name="tenant_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a person can be in a tenant; permissions.py says what each may do."""

    OWNER = "owner"
    ADMIN = "admin"
    POLICY_AUTHOR = "policy_author"
    APPROVER = "approver"
    KEY_MANAGER = "key_manager"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    APP_DEVELOPER = "app_developer"


class Membership(models.Model):
    """A person's role in a tenant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=32, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="membership_role_is_known"
            ),
            models.UniqueConstraint(fields=["user", "tenant", "role"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.tenant}"


class App(models.Model):
    """A program of a tenant. `models` lists the public model names that it may call; with `cache`
    it takes kept answers of those that keep them; `transformation` is what becomes of its requests
    and their answers, which the gateway reads.

    A removed app keeps its row, because records name it, and gives its name free.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        REMOVED = "removed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="apps")
    name = models.CharField(max_length=63, validators=[SLUG])
    tier = models.CharField(max_length=63, blank=True, default="")
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    cache = models.BooleanField(default=False)
    transformation = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    services = ArrayField(models.CharField(max_length=63), default=list, blank=True)
    # Last of the fields: from here on `models` is no longer the module in this class.
    models = ArrayField(models.CharField(max_length=120), default=list, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=~Q(state="removed"),
                name="app_name_once_per_tenant",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class VirtualKey(models.Model):
    """The secret by which an app calls. Only a keyed digest of it is stored.

    `user` binds the key to one end user: what a client declares is then ignored.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="keys")
    app = models.ForeignKey(App, on_delete=models.PROTECT, related_name="keys")
    name = models.CharField(max_length=120)
    public_id = models.CharField(max_length=10, unique=True)
    digest = models.BinaryField(max_length=32, unique=True)
    user = models.CharField(max_length=200, blank=True, default="")
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    rotated_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(state="active", revoked_at=None)
                | Q(state="revoked", revoked_at__isnull=False),
                name="key_revoked_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"


class Budget(models.Model):
    """Money that a tenant, one of its apps or one of its keys may spend in a window."""

    class Window(models.TextChoices):
        HOUR = "hour"
        DAY = "day"
        WEEK = "week"
        MONTH = "month"
        TOTAL = "total"

    class Mode(models.TextChoices):
        HARD = "hard"
        SOFT = "soft"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="budgets")
    app = models.ForeignKey(App, null=True, blank=True, on_delete=models.PROTECT)
    key = models.ForeignKey(VirtualKey, null=True, blank=True, on_delete=models.PROTECT)
    name = models.CharField(max_length=63, validators=[SLUG])
    limit_micros = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    window = models.CharField(max_length=8, choices=Window.choices)
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.HARD)
    group_by = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    alert_at = ArrayField(
        models.DecimalField(max_digits=4, decimal_places=3), default=list, blank=True
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "app", "key", "name"],
                condition=Q(is_active=True),
                nulls_distinct=False,
                name="budget_name_once_per_owner",
            ),
            models.CheckConstraint(
                condition=Q(limit_micros__lte=MAX_MICROS), name="budget_limit_is_exact"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RateLimit(models.Model):
    """Requests or tokens per time, or calls at once, of a tenant, an app or a key."""

    class Kind(models.TextChoices):
        REQUESTS = "requests"
        TOKENS = "tokens"
        CONCURRENCY = "concurrency"

    class Per(models.TextChoices):
        SECOND = "second"
        MINUTE = "minute"
        HOUR = "hour"
        DAY = "day"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="limits")
    app = models.ForeignKey(App, null=True, blank=True, on_delete=models.PROTECT)
    key = models.ForeignKey(VirtualKey, null=True, blank=True, on_delete=models.PROTECT)
    name = models.CharField(max_length=63, validators=[SLUG])
    kind = models.CharField(max_length=16, choices=Kind.choices)
    amount = models.PositiveBigIntegerField()
    per = models.CharField(max_length=8, choices=Per.choices, blank=True, default="")
    burst = models.PositiveBigIntegerField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "app", "key", "name"],
                condition=Q(is_active=True),
                nulls_distinct=False,
                name="limit_name_once_per_owner",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=1) & Q(amount__lte=MAX_MICROS), name="limit_amount_is_exact"
            ),
            models.CheckConstraint(
                condition=Q(kind="concurrency", per="") | (~Q(kind="concurrency") & ~Q(per="")),
                name="limit_has_a_period_unless_concurrency",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TenantEpoch(models.Model):
    """The fence: under which epoch a tenant's counters in Redis count. Raised by each rebuild."""

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.CASCADE)
    epoch = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.tenant_id} epoch {self.epoch}"


class Hold(models.Model):
    """Money held for one attempt of one call, and the claim on its sequence number.

    `amounts` lists what was held where: [[budget id, window start, window end, group, micros], ...]
    with the instants in epoch seconds. `posted_pico` is what the ledger has of it so far.
    """

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled"
        LOST = "lost"
        VOID = "void"

    pk = models.CompositePrimaryKey("call_id", "attempt")
    call_id = models.UUIDField()
    attempt = models.SmallIntegerField()
    tenant_id = models.UUIDField()
    epoch = models.IntegerField(null=True)
    seq = models.BigIntegerField(null=True)
    state = models.CharField(max_length=8, choices=State.choices)
    amounts = models.JSONField(default=list)
    bound_pico = models.DecimalField(max_digits=30, decimal_places=0)
    posted_pico = models.DecimalField(max_digits=30, decimal_places=0, default=0)
    currency = models.CharField(max_length=3)
    lease_until = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant_id", "epoch", "seq"], name="hold_seq_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["lease_until"], condition=Q(state="open"), name="hold_open_lease"),
            models.Index(fields=["tenant_id"], condition=Q(state="open"), name="hold_open_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.call_id}-{self.attempt} {self.state}"


class LedgerEntry(models.Model):
    """One change of what an attempt has cost: append-only, in pico-units of `currency`."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    call_id = models.UUIDField()
    attempt = models.SmallIntegerField()
    kind = models.CharField(max_length=8)
    delta_pico = models.DecimalField(max_digits=30, decimal_places=0)
    currency = models.CharField(max_length=3)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["call_id", "attempt"], name="ledger_attempt"),
            models.Index(fields=["tenant_id", "at"], name="ledger_tenant_at"),
        ]

    def __str__(self) -> str:
        return f"{self.call_id}-{self.attempt} {self.delta_pico} pico {self.currency}"


class LedgerPosting(models.Model):
    """Where a ledger entry counts: one row for each budget, window and group; append-only."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    budget_id = models.UUIDField()
    window_start = models.DateTimeField()
    group = models.CharField(max_length=300, blank=True)
    call_id = models.UUIDField()
    attempt = models.SmallIntegerField()
    delta_micros = models.BigIntegerField()

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant_id", "budget_id", "window_start"], name="posting_window"),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.delta_micros} micros"
