"""Tables of policies, their immutable versions, and where they are attached."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from policies.lifecycle import (
    Activation,
    Draft,
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
    """Where a policy holds: the platform (no tenant), a tenant, or one app of it."""

    id = models.BigAutoField(primary_key=True)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="attachments")
    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.CASCADE)
    app = models.ForeignKey(App, null=True, blank=True, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)

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
