"""Tables of evidence: plain ids and copied names, no foreign key upward. Append-only by trigger."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q


class Event(models.Model):
    """A change made in the control plane, written in the transaction of the change."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    tenant_id = models.UUIDField(null=True)
    tenant = models.CharField(max_length=63, blank=True, default="")
    actor_kind = models.CharField(max_length=16)
    actor = models.CharField(max_length=200)
    source = models.CharField(max_length=64, blank=True, default="")
    action = models.CharField(max_length=80)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64, blank=True, default="")
    object_name = models.CharField(max_length=200, blank=True, default="")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant_id", "-id"], name="event_tenant"),
            models.Index(fields=["action", "-id"], name="event_action"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_name}"


class WrittenJSONField(models.JSONField):
    """A column of type json, which keeps the text as it was written; psycopg reads it as values."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return what the driver has read already."""
        return value


class Record(models.Model):
    """One step in the life of one call, written by the data plane; partitioned by `day`.

    `day` is the day on which the call was admitted (it stands in the call's id). `kind` is refused,
    admitted (one an attempt), completed (one an attempt) or lost. `body` is described in record.py.
    """

    pk = models.CompositePrimaryKey("day", "call_id", "attempt", "kind")
    day = models.DateField()
    call_id = models.UUIDField()
    attempt = models.SmallIntegerField()
    kind = models.CharField(max_length=9)
    at = models.DateTimeField()
    tenant_id = models.UUIDField()
    app_id = models.UUIDField(null=True)
    key_id = models.CharField(max_length=10)
    model = models.CharField(max_length=120)
    code = models.CharField(max_length=40)
    cost_micros = models.BigIntegerField(null=True)
    body = WrittenJSONField()

    class Meta:
        managed = False
        db_table = "audit_record"

    def __str__(self) -> str:
        return f"{self.call_id}-{self.attempt} {self.kind}"


class Export(models.Model):
    """Evidence of one tenant, written to files for whoever audits it.

    `filter` is described in exports/wanted.py, `parts` lists name, kind, format, rows, bytes and
    SHA-256 of each file. `job_id` is the work that writes it.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        READY = "ready"
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField()
    tenant = models.CharField(max_length=63)
    creator_id = models.CharField(max_length=64)
    creator = models.CharField(max_length=200)
    filter = models.JSONField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    error = models.TextField(blank=True, default="")
    job_id = models.UUIDField()
    rows = models.PositiveBigIntegerField(null=True, blank=True)
    size_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    parts = models.JSONField(default=list, blank=True)
    downloads = models.PositiveIntegerField(default=0)
    downloaded_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(state__in=("pending", "failed"), ready_at=None, expires_at=None)
                | Q(
                    state__in=("ready", "expired"), ready_at__isnull=False, expires_at__isnull=False
                ),
                name="export_ready_has_its_times",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant_id", "-created_at"], name="export_of_tenant"),
            models.Index(
                fields=["expires_at"], condition=Q(state="ready"), name="export_to_expire"
            ),
        ]

    def __str__(self) -> str:
        return f"export {self.id} of {self.tenant}"


class Mark(models.Model):
    """What a reader of a call says of a rule that matched in it, or of a kind that was found.

    `subject` is "policy/rule", or a kind's name. Whoever marks it again changes what it says.
    """

    class On(models.TextChoices):
        RULE = "rule"
        KIND = "kind"

    class Verdict(models.TextChoices):
        FALSE_POSITIVE = "false_positive"
        CORRECT = "correct"

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    tenant = models.CharField(max_length=63)
    call_id = models.UUIDField()
    arrived_at = models.DateTimeField()
    on = models.CharField(max_length=4, choices=On.choices)
    subject = models.CharField(max_length=130)
    verdict = models.CharField(max_length=14, choices=Verdict.choices)
    author = models.CharField(max_length=200)
    marked_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["call_id", "on", "subject"], name="marked_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant_id", "on", "arrived_at"], name="mark_of_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} in {self.call_id}"


class RuleHits(models.Model):
    """In how many calls that arrived in an hour (UTC) a rule matched; written by rule_hits.py.

    `rule` is "policy/rule", `mode` whether it was enforced; the row without a rule counts all calls
    that were decided. `denied`: those that it refused or whose answer it withheld. `decide_us` is
    the time that `timed` of them took to be judged, by all rules together.
    """

    id = models.BigAutoField(primary_key=True)
    start = models.DateTimeField()
    tenant_id = models.UUIDField()
    rule = models.CharField(max_length=130, blank=True)
    mode = models.CharField(max_length=7, blank=True)
    calls = models.BigIntegerField()
    denied = models.BigIntegerField()
    decide_us = models.BigIntegerField()
    timed = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant_id", "start", "rule", "mode"], name="rule_hits_once"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["start"], name="rule_hits_hour")]

    def __str__(self) -> str:
        return f"{self.rule} {self.start}: {self.calls} calls"


class Notice(models.Model):
    """That a rule behaves otherwise than it did: open until it does not any more."""

    class Kind(models.TextChoices):
        JUMP = "jump"
        SILENCE = "silence"
        NEVER = "never"

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    tenant = models.CharField(max_length=63)
    rule = models.CharField(max_length=130)
    kind = models.CharField(max_length=7, choices=Kind.choices)
    said = models.CharField(max_length=300)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant_id", "rule", "kind"],
                condition=Q(closed_at=None),
                name="notice_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.rule}"
