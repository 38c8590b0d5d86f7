"""Tables of how a text comes into force: drafts, reviews, activations, schedules, rollouts; and of
exemptions from rules that are."""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from tenants.models import SLUG, Tenant

IDENTITY_MAX = 80


class Draft(models.Model):
    """The text that is being worked on: one for each policy, `revision` counts its edits.

    `base` is the version that was active when it was begun. `authors` are the identities of all
    who had a hand in the text (identity.py): none of them may approve it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.OneToOneField("policies.Policy", on_delete=models.CASCADE, related_name="draft")
    base = models.ForeignKey(
        "policies.PolicyVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    source = models.TextField()
    revision = models.PositiveIntegerField(default=1)
    author = models.CharField(max_length=200)
    authors = ArrayField(models.CharField(max_length=IDENTITY_MAX))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.policy_id}, edit {self.revision}"


class Review(models.Model):
    """One text before a second person, word for word: `text_sha256` is of `source`.

    It is void as soon as the draft says something else. An emergency's is `afterwards`: its text is
    in force already. The database itself refuses an approver who is one of the authors.
    """

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        VOID = "void"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.ForeignKey("policies.Policy", on_delete=models.CASCADE, related_name="reviews")
    base = models.ForeignKey(
        "policies.PolicyVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    version = models.ForeignKey(
        "policies.PolicyVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reviews",
    )
    source = models.TextField()
    text_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    afterwards = models.BooleanField(default=False)
    author = models.CharField(max_length=200)
    authors = ArrayField(models.CharField(max_length=IDENTITY_MAX))
    request = models.CharField(max_length=1000, blank=True, default="")
    approver = models.CharField(max_length=200, blank=True, default="")
    approver_identity = models.CharField(max_length=IDENTITY_MAX, blank=True, default="")
    comment = models.CharField(max_length=1000, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["policy", "text_sha256"],
                condition=Q(state="open", afterwards=False),
                name="review_open_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("approved", "rejected")) | Q(decided_at__isnull=False),
                name="review_decided_has_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id}, text {self.text_sha256[:12]}"


class Emergency(models.Model):
    """A version that nobody else had approved when it came into force, until `expires_at`.

    At that instant `before`, the version that was in force before it, comes back, unless somebody
    else has approved it by then (`review`). `note` says why it did not come back.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        APPROVED = "approved"
        EXPIRED = "expired"
        SUPERSEDED = "superseded"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.ForeignKey(
        "policies.Policy", on_delete=models.CASCADE, related_name="emergencies"
    )
    review = models.OneToOneField(Review, on_delete=models.CASCADE, related_name="emergency")
    version = models.ForeignKey(
        "policies.PolicyVersion", on_delete=models.PROTECT, related_name="+"
    )
    before = models.ForeignKey("policies.PolicyVersion", on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.RUNNING)
    note = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "emergencies"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["policy"], condition=Q(state="running"), name="emergency_running_once"
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["expires_at"], condition=Q(state="running"), name="emergency_due"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} until {self.expires_at:%Y-%m-%d %H:%M:%S}"


class ReviewRule(models.Model):
    """Where a text takes a second person before it is in force: in a tenant, or (none) anywhere."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.OneToOneField(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant"], nulls_distinct=False, name="review_rule_once"
            ),
        ]

    def __str__(self) -> str:
        return f"reviews for {self.tenant_id or 'the platform'}"


class Activation(models.Model):
    """A version that came into force, everywhere or (`attach`) somewhere more.

    Rows are only ever inserted (a trigger refuses the rest). `scopes` are the ids of the tenants in
    which it came into force; "platform": in all.
    """

    class Kind(models.TextChoices):
        FOUND = "found"
        PUBLISH = "publish"
        ACTIVATE = "activate"
        ATTACH = "attach"
        ROLLBACK = "rollback"
        EMERGENCY = "emergency"
        EXPIRE = "expire"
        SCHEDULE = "schedule"
        ROLLOUT = "rollout"

    id = models.BigAutoField(primary_key=True)
    policy = models.ForeignKey(
        "policies.Policy", on_delete=models.PROTECT, related_name="activations"
    )
    version = models.ForeignKey(
        "policies.PolicyVersion", on_delete=models.PROTECT, related_name="activations"
    )
    kind = models.CharField(max_length=16, choices=Kind.choices)
    scopes = ArrayField(models.CharField(max_length=36), default=list, blank=True)
    actor = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.version_id} {self.kind}"


class Schedule(models.Model):
    """A version that comes into force at an instant. `note` says why it did not, or how late."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        CANCELLED = "cancelled"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.ForeignKey(
        "policies.Policy", on_delete=models.CASCADE, related_name="schedules"
    )
    version = models.ForeignKey(
        "policies.PolicyVersion", on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    author = models.CharField(max_length=200)
    author_identity = models.CharField(max_length=IDENTITY_MAX)
    note = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["policy"], condition=Q(state="waiting"), name="schedule_waiting_once"
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["at"], condition=Q(state="waiting"), name="schedule_due"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} at {self.at:%Y-%m-%d %H:%M:%S}"


class Rollout(models.Model):
    """A candidate version beside the active one: `percent` of the keys are served it, 0: none."""

    class State(models.TextChoices):
        RUNNING = "running"
        STOPPED = "stopped"
        PROMOTED = "promoted"
        SUPERSEDED = "superseded"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.ForeignKey("policies.Policy", on_delete=models.CASCADE, related_name="rollouts")
    version = models.ForeignKey(
        "policies.PolicyVersion", on_delete=models.PROTECT, related_name="+"
    )
    percent = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=16, choices=State.choices, default=State.RUNNING)
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["policy"], condition=Q(state="running"), name="rollout_running_once"
            ),
            models.CheckConstraint(condition=Q(percent__lte=100), name="rollout_percent_is_one"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} for {self.percent} %"


class Exemption(models.Model):
    """Rules ("policy/rule") that do not hold for some calls before `expires_at`.

    Without a tenant it is the platform's, and holds for every tenant. `apps` are names and `keys`
    public ids; an empty list names all. Only one that the platform's owner granted (`by_platform`)
    may touch a policy that holds for the platform. It holds from `holds_since` on: where texts take
    a second person it takes one too, who is none of the `authors` (the database itself refuses).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    name = models.CharField(max_length=63, validators=[SLUG])
    rules = ArrayField(models.CharField(max_length=130))
    apps = ArrayField(models.CharField(max_length=63), default=list, blank=True)
    keys = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    reason = models.CharField(max_length=1000)
    by_platform = models.BooleanField(default=False)
    author = models.CharField(max_length=200)
    authors = ArrayField(models.CharField(max_length=IDENTITY_MAX), default=list, blank=True)
    approver = models.CharField(max_length=200, blank=True, default="")
    approver_identity = models.CharField(max_length=IDENTITY_MAX, blank=True, default="")
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    holds_since = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "name"], nulls_distinct=False, name="exemption_name_once"
            ),
            models.CheckConstraint(
                condition=Q(tenant__isnull=False) | Q(by_platform=True),
                name="exemption_of_the_platform_is_its_owners",
            ),
        ]

    def __str__(self) -> str:
        return self.name
