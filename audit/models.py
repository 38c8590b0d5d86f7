"""Tables of evidence: plain ids and copied names, no foreign key upward. Append-only by trigger."""

from typing import Any, ClassVar

from django.db import models


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
