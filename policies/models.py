"""Tables of policies, their immutable versions, and where they are attached."""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from policies.lifecycle import (
    IDENTITY_MAX,
    Activation,
    Draft,
    Emergency,
    Exemption,
    Review,
    ReviewRule,
    Rollout,
    Schedule,
)
from tenants.models import SLUG, App, Tenant

# Django finds models in this file; those of the life cycle stand beside it.
__all__ = [
    "Activation",
    "Attachment",
    "Draft",
    "Emergency",
    "Exemption",
    "Policy",
    "PolicyVersion",
    "Review",
    "ReviewRule",
    "Rollout",
    "Schedule",
]


class Policy(models.Model):
    """A named policy. `active` is the version in force wherever the policy is attached."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[SLUG])
    active = models.ForeignKey(
        "PolicyVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "policies"

    def __str__(self) -> str:
        return self.name


class PolicyVersion(models.Model):
    """One text of a policy, for ever: rows are only ever inserted (a trigger refuses the rest).

    `hash` is the SHA-256 of `canonical`, the canonical JSON of the document (pdp/language.py).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.TextField()
    canonical = models.TextField()
    hash = models.CharField(max_length=64)
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["policy", "number"], name="version_number_once"),
            models.UniqueConstraint(fields=["policy", "hash"], name="version_text_once"),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id}@{self.number}"


class Attachment(models.Model):
    """Where a policy holds: the platform (no tenant), a tenant, or one app of it.

    `detach_asked_by` is who asked for its end where that takes a second person, `detach_authors`
    are the identities that may not confirm it; it holds until somebody else does.
    """

    id = models.BigAutoField(primary_key=True)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="attachments")
    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.CASCADE)
    app = models.ForeignKey(App, null=True, blank=True, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)
    detach_asked_by = models.CharField(max_length=200, blank=True, default="")
    detach_authors = ArrayField(models.CharField(max_length=IDENTITY_MAX), default=list, blank=True)
    detach_asked_at = models.DateTimeField(null=True, blank=True)
    detach_reason = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["policy", "tenant", "app"], nulls_distinct=False, name="attached_once"
            ),
            models.CheckConstraint(
                condition=Q(app=None) | Q(tenant__isnull=False), name="attachment_app_has_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} on {self.app_id or self.tenant_id or 'platform'}"


class Backtest(models.Model):
    """A text judged against a tenant's recorded calls, from `since` on and before `until`.

    `layer` is where it would hold (empty: in place of the policy of its name), `app_id` for which
    app. `job_id` is the work that judges; `result` is described in pdp/tally.py.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        READY = "ready"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    policy = models.CharField(max_length=63)
    layer = models.CharField(max_length=8, blank=True, default="")
    app_id = models.UUIDField(null=True, blank=True)
    source = models.TextField()
    hash = models.CharField(max_length=64)
    since = models.DateTimeField()
    until = models.DateTimeField()
    owner = models.CharField(max_length=200)
    job_id = models.UUIDField()
    state = models.CharField(max_length=7, choices=State.choices, default=State.PENDING)
    error = models.TextField(blank=True, default="")
    result = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(state="ready", result__isnull=False, ready_at__isnull=False)
                | (~Q(state="ready") & Q(result=None, ready_at=None)),
                name="backtest_ready_has_its_result",
            ),
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="backtest_in_order"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "policy", "-created_at"], name="backtest_of_policy"),
            models.Index(fields=["job_id"], name="backtest_of_job"),
        ]

    def __str__(self) -> str:
        return f"back-test of {self.policy}"
