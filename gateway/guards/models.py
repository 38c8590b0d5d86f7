"""Tables of guards and of the secrets that sign what they are sent."""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from gateway.guards.contract import (
    DEADLINE_MS,
    DEADLINE_MS_MAX,
    DEADLINE_MS_MIN,
    KIND_PATTERN,
    KINDS_MAX,
    PHASES,
)
from tenants.models import SLUG, Tenant

KIND = RegexValidator(
    KIND_PATTERN, "a kind is 2 to 64 of A-Z, 0-9 and _, beginning with a letter, as PROJECT_NAME"
)


class Guard(models.Model):
    """An endpoint of a tenant's own that inspects texts: see `bundle.Guard`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="guards")
    name = models.CharField(max_length=63, validators=[SLUG])
    url = models.CharField(max_length=400)  # see origins.py
    allow_private = models.BooleanField(default=False)
    kinds = ArrayField(models.CharField(max_length=64, validators=[KIND]), size=KINDS_MAX)
    phases = ArrayField(
        models.CharField(max_length=16, choices=[(phase, phase) for phase in PHASES]), size=2
    )
    deadline_ms = models.PositiveSmallIntegerField(
        default=DEADLINE_MS,
        validators=[MinValueValidator(DEADLINE_MS_MIN), MaxValueValidator(DEADLINE_MS_MAX)],
    )
    tells_user = models.BooleanField(default=False)
    redacted = models.BooleanField(default=False)
    cache = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "name"], name="guard_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class GuardSecret(models.Model):
    """A secret that signs, sealed as credentials at providers are. Write-only.

    While it is renewed there are two: each request has a signature of either.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    guard = models.ForeignKey(Guard, on_delete=models.PROTECT, related_name="secrets")
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=16)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "guard secret"

    def __str__(self) -> str:
        return f"secret of {self.guard_id}"
