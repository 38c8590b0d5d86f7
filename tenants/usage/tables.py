"""Tables of sums, which this package alone writes: all of it could be made anew."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class PostingSum(models.Model):
    """Postings added up, of transactions before the mark: what a budget's page need not add again.

    `slot` is the quarter of an hour, counted from 1970 on, in which the call arrived.
    """

    id = models.BigAutoField(primary_key=True)
    budget_id = models.UUIDField()
    window_start = models.DateTimeField()
    group = models.CharField(max_length=300, blank=True)
    slot = models.IntegerField()
    micros = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["budget_id", "window_start", "group", "slot"], name="posting_sum_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.micros} micros"


class PostingMark(models.Model):
    """How far postings are added up: all that transactions before `xid` wrote. One row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    xid = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(id=1), name="posting_mark_is_one"),
        ]

    def __str__(self) -> str:
        return f"postings before transaction {self.xid}"


class UsageFigures(models.Model):
    """What was used in an hour or a day of the tenant's calendar, and in which money.

    Written by tenants/usage alone, whole windows at a time. A call is counted once, in the row of
    the currency that it was charged in, or saved in (empty: neither); `denied`, `failed` and `lost`
    are outcomes (audit/outcome.py), `refused` are calls that never left, `redacted` those that left
    changed. `cache_hits` got kept answers, which cost `saved_micros` less than they did first,
    `cache_misses` were sent to get some. `latency` is a histogram (latency.py) of permitted calls.
    """

    class Granularity(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    id = models.BigAutoField(primary_key=True)
    granularity = models.CharField(max_length=4, choices=Granularity.choices)
    tenant_id = models.UUIDField()
    start = models.DateTimeField()
    app_id = models.UUIDField(null=True)
    key_id = models.CharField(max_length=10)
    model = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    calls = models.BigIntegerField()
    refused = models.BigIntegerField()
    denied = models.BigIntegerField()
    redacted = models.BigIntegerField()
    failed = models.BigIntegerField()
    lost = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    cost_pico = models.DecimalField(max_digits=30, decimal_places=0)
    cost_micros = models.BigIntegerField()
    latency_ms = models.BigIntegerField()
    cache_hits = models.BigIntegerField(default=0)
    cache_misses = models.BigIntegerField(default=0)
    saved_micros = models.BigIntegerField(default=0)
    latency = ArrayField(models.BigIntegerField())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.granularity} {self.start}: {self.calls} calls"


class UsageRollup(UsageFigures):
    """What was used by who and for what: a row tells end users and tags apart, too."""

    user = models.CharField(max_length=200)
    tags = ArrayField(models.CharField(max_length=300))

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant_id", "granularity", "start"], name="usage_window"),
        ]


class UsageTotal(UsageFigures):
    """The rollup's sums over end users and tags: few rows, which most pages are drawn from."""

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant_id", "granularity", "start"], name="usage_total_window"),
        ]


class UsageMark(models.Model):
    """How far usage is rolled up: all that transactions before `xid` wrote, as of `at`. One row.

    Hours that begin before `hours_since` have been deleted; their days are kept.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    xid = models.BigIntegerField()
    at = models.DateTimeField()
    hours_since = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(id=1), name="usage_mark_is_one"),
        ]

    def __str__(self) -> str:
        return f"usage as of {self.at}"


class UsageCalendar(models.Model):
    """The time zone in which a tenant's usage was rolled up: another one cuts other days."""

    tenant_id = models.UUIDField(primary_key=True)
    timezone = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.tenant_id} in {self.timezone}"
