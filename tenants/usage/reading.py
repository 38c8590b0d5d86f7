"""Reads of usage, for an actor: from rollups alone, so that no chart ever reads a record."""

import datetime
import uuid
import zoneinfo
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, BigIntegerField, CharField, F, QuerySet, Sum
from django.db.models.expressions import Combinable, RawSQL
from django.db.models.functions import Cast
from django.utils import timezone

from audit.actor import Actor
from tenants.budgets import window_starts
from tenants.models import App, Tenant, UsageMark, UsageRollup, UsageTotal, VirtualKey
from tenants.permissions import tenants_where
from tenants.usage.latency import added, percentile_ms, sql_sum
from tenants.usage.statements import OTHER

Granularity = Literal["hour", "day"]
Rows = QuerySet[UsageRollup] | QuerySet[UsageTotal]

DIMENSIONS = ("app", "key", "model", "user", "currency", "tenant")
"""What usage can be parted by, besides `tag:<name>`."""

COUNTS = (
    "calls", "refused", "denied", "redacted", "failed", "lost", "input_tokens", "output_tokens",
    "cached_tokens", "cache_hits", "cache_misses",
)  # fmt: skip
MONEY = ("cost_micros", "saved_micros")
_HALVES = {"hour": datetime.timedelta(minutes=30), "day": datetime.timedelta(hours=12)}
_FIELDS = {"app": "app_id", "key": "key_id", "tenant": "tenant_id"}
_TAG = "coalesce((SELECT substr(tag, %s) FROM unnest(tags) AS tag WHERE starts_with(tag, %s)), %s)"
_TAG_OR_OTHER = f"CASE WHEN tags::text[] = ARRAY['{OTHER}'] THEN '{OTHER}' ELSE {_TAG} END"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageWanted:
    """Which usage: windows that begin from `since` on and before `until`; None asks for all.

    Values of one kind are alternatives. A tag is "name=value": those of one name are alternatives,
    and a call has one of each name. Only rows of a currency count calls that were charged in it.
    """

    since: datetime.datetime
    until: datetime.datetime
    apps: Collection[uuid.UUID] | None = None
    keys: Collection[str] | None = None
    models: Collection[str] | None = None
    users: Collection[str] | None = None
    tags: Collection[str] | None = None
    currencies: Collection[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was used. `cost_micros` is by currency, each attempt rounded up as budgets count it;
    `saved_micros`, what kept answers cost less than they did first.

    The latencies are those of permitted calls, from arrival to the end of the answer; None where
    there was none.
    """

    calls: int
    refused: int
    denied: int
    redacted: int
    failed: int
    lost: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_micros: Mapping[str, int]
    p50_ms: int | None
    p95_ms: int | None
    cache_hits: int = 0
    cache_misses: int = 0
    saved_micros: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """One window of a series; `start` is an instant, `figures` may all be zero."""

    start: datetime.datetime
    figures: Figures


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a dimension, and how people call it."""

    value: str
    label: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Series:
    """Usage over time. `as_of` says how far it is complete; None: nothing was rolled up yet."""

    points: tuple[Point, ...]
    totals: Figures
    as_of: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Usage by the values of a dimension, dearest first; `totals` counts those left out, too."""

    lines: tuple[Line, ...]
    totals: Figures
    as_of: datetime.datetime | None


class _AddCounts(Aggregate):
    template = sql_sum("%(expressions)s")
    output_field = ArrayField(BigIntegerField())


def usage_series(
    actor: Actor, tenant: Tenant, wanted: UsageWanted, granularity: Granularity = "day"
) -> Series:
    """Return a tenant's usage window by window, none left out; nothing of a tenant not visible."""
    rows = _visible(actor, wanted, granularity).filter(tenant_id=tenant.pk)
    found = _grouped(rows, F("start"))
    zone = zoneinfo.ZoneInfo(tenant.timezone)
    starts = [
        datetime.datetime.fromtimestamp(start_s, datetime.UTC)
        for start_s in window_starts(granularity, zone, wanted.since, wanted.until)
    ]
    within = {start for start in starts if wanted.since <= start < wanted.until}
    points = tuple(
        Point(start, _figures(found.get(start, ()))) for start in sorted(within | found.keys())
    )
    return Series(points, _figures(_all(found)), usage_as_of())


def usage_series_of_all(
    actor: Actor, wanted: UsageWanted, granularity: Granularity = "day"
) -> Series:
    """Return the usage of all tenants that the actor may see, in windows of UTC.

    Every tenant's windows follow its own clock: each counts in the one that holds its middle, or in
    the present one, where its middle is yet to come.
    """
    half = _HALVES[granularity]
    rows = _visible(actor, by_middle(wanted, granularity), granularity)
    found = _grouped(rows, F("start"))
    starts = [
        datetime.datetime.fromtimestamp(start_s, datetime.UTC)
        for start_s in window_starts(
            granularity, zoneinfo.ZoneInfo("UTC"), wanted.since, wanted.until
        )
        if wanted.since.timestamp() <= start_s < wanted.until.timestamp()
    ]
    windows: dict[datetime.datetime, list[dict[str, Any]]] = {start: [] for start in starts}
    for start, lines in found.items():
        windows[starts[bisect_right(starts, start + half) - 1]] += lines
    points = tuple(Point(start, _figures(lines)) for start, lines in windows.items())
    return Series(points, _figures(_all(found)), usage_as_of())


def by_middle(wanted: UsageWanted, granularity: Granularity) -> UsageWanted:
    """Return what asks for the windows whose middle lies in the time wanted.

    A time that is not over yet has those too that have begun: east of us the day is a new one.
    """
    half = _HALVES[granularity]
    is_over = wanted.until <= timezone.now()
    return replace(
        wanted, since=wanted.since - half, until=wanted.until - half if is_over else wanted.until
    )


def usage_by(
    actor: Actor,
    dimension: str,
    wanted: UsageWanted,
    tenant: Tenant | None = None,
    most: int = 100,
    granularity: Granularity = "day",
) -> Breakdown:
    """Return usage by app, key, model, user, currency, tenant or tag:<name>.

    Of one tenant, or of all that the actor may see. Days hold their hours' sums: hours are for
    times that begin within a day. Raises ValueError for an unknown dimension.
    """
    value = _value_of(dimension)
    rows = _visible(actor, wanted, granularity, dimension)
    if tenant is not None:
        rows = rows.filter(tenant_id=tenant.pk)
    found = _grouped(rows, value)
    figures = {str(value or ""): _figures(lines) for value, lines in found.items()}
    dearest = sorted(figures.items(), key=_dearness)[:most]
    labels = _labels(dimension, [value for value, _ in dearest])
    lines = tuple(Line(value, labels.get(value, value), one) for value, one in dearest)
    return Breakdown(lines, _figures(_all(found)), usage_as_of())


def usage_values(
    actor: Actor,
    dimension: str,
    wanted: UsageWanted,
    tenant: Tenant | None = None,
    granularity: Granularity = "day",
) -> Mapping[str, Figures]:
    """Return what `usage_by` counts for every value, without labels: what another is held to."""
    rows = _visible(actor, wanted, granularity, dimension)
    if tenant is not None:
        rows = rows.filter(tenant_id=tenant.pk)
    found = _grouped(rows, _value_of(dimension))
    return {str(value or ""): _figures(lines) for value, lines in found.items()}


def usage_as_of() -> datetime.datetime | None:
    """Return the instant up to which everything written has been rolled up."""
    mark = UsageMark.objects.filter(pk=1).first()
    return None if mark is None else mark.at


def _visible(actor: Actor, wanted: UsageWanted, granularity: Granularity, by: str = "") -> Rows:
    rows = _told_by(wanted, by).filter(
        granularity=granularity, start__gte=wanted.since, start__lt=wanted.until
    )
    ids = tenants_where(actor, "usage.read")
    filters: dict[str, Any] = {
        "tenant_id__in": ids, "app_id__in": wanted.apps, "key_id__in": wanted.keys,
        "model__in": wanted.models, "user__in": wanted.users, "currency__in": wanted.currencies,
    }  # fmt: skip
    rows = rows.filter(**{name: value for name, value in filters.items() if value is not None})
    for of_name in _by_name(wanted.tags or ()):
        rows = rows.filter(tags__overlap=of_name)  # type: ignore[misc]  # then it is the rollup
    return rows


def _told_by(wanted: UsageWanted, by: str) -> Rows:
    """Return the rows that tell users and tags apart only where that is asked for."""
    if wanted.users is None and not wanted.tags and by != "user" and not by.startswith("tag:"):
        return UsageTotal.objects.all()
    return UsageRollup.objects.all()


def _by_name(tags: Iterable[str]) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for tag in tags:
        found.setdefault(tag.partition("=")[0], []).append(tag)
    return list(found.values())


def _value_of(dimension: str) -> Combinable:
    name = dimension.removeprefix("tag:")
    if name != dimension and name:
        begins = f"{name}="
        of_tag = [len(begins) + 1, begins, ""]
        return RawSQL(_TAG_OR_OTHER, of_tag, CharField())  # noqa: S611  (its text is a constant)
    if dimension not in DIMENSIONS:
        raise ValueError(f"usage is not parted by {dimension!r}")
    return Cast(_FIELDS.get(dimension, dimension), CharField())


def _grouped(rows: Rows, value: Combinable) -> dict[Any, list[dict[str, Any]]]:
    """Return for each value its sums, a line for each currency."""
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in (*COUNTS, *MONEY)}
    lines = (
        rows.annotate(value=value)
        .values("value", "currency")
        .annotate(histogram=_AddCounts("latency"), **sums)
        .order_by()
    )
    found: dict[Any, list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(line["value"], []).append(dict(line))
    return found


def _figures(lines: Sequence[Mapping[str, Any]]) -> Figures:
    histogram = added([line["histogram"] for line in lines])
    return Figures(
        **{name: int(sum(line[f"sum_{name}"] for line in lines)) for name in COUNTS},
        cost_micros=_by_currency(lines, "cost_micros"),
        saved_micros=_by_currency(lines, "saved_micros"),
        p50_ms=percentile_ms(histogram, 0.5),
        p95_ms=percentile_ms(histogram, 0.95),
    )


def _by_currency(lines: Sequence[Mapping[str, Any]], name: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for line in lines:
        if line["currency"]:
            sums[line["currency"]] = sums.get(line["currency"], 0) + int(line[f"sum_{name}"])
    return dict(sorted(sums.items()))


def _all(found: Mapping[Any, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [line for lines in found.values() for line in lines]


def _dearness(entry: tuple[str, Figures]) -> tuple[int, int, str]:
    value, figures = entry
    return -sum(figures.cost_micros.values()), -figures.calls, value


def _labels(dimension: str, values: Iterable[str]) -> Mapping[str, str]:
    """Return how people call what a dimension knows by its id."""
    known = [value for value in values if value]
    if dimension == "app":
        apps = App.objects.filter(pk__in=known).values_list("pk", "name")
        return {str(pk): name for pk, name in apps}
    if dimension == "tenant":
        tenants = Tenant.objects.filter(pk__in=known).values_list("pk", "name")
        return {str(pk): name for pk, name in tenants}
    if dimension == "key":
        keys = VirtualKey.objects.filter(public_id__in=known)
        return dict(keys.values_list("public_id", "name"))
    return {}
