"""What the first page shows: how much, what it cost, what was refused, and what wants attention."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from django.db.models import QuerySet
from django.urls import reverse

from audit.causes import Causes, causes
from audit.models import Notice
from gateway.burning import runs_out
from gateway.calls.wording import duration, rounded
from gateway.charts import spark
from gateway.reach import Reach
from gateway.standing import WARN_PERCENT, Meter, meters
from policies.models import Activation, Emergency
from policies.selectors import policies_visible
from policies.visible import emergencies_visible
from tenants.models import VirtualKey
from tenants.money import text_from_micros
from tenants.permissions import tenants_where
from tenants.selectors import budgets_visible, keys_visible
from tenants.usage.reading import Figures, Series

EXPIRES_WITHIN = datetime.timedelta(days=30)
BUDGETS_MOST = 500
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: its value in lines, where it is taken apart, and how it went."""

    label: str
    lines: tuple[str, ...]
    href: str
    spark: str


@dataclass(frozen=True, slots=True)
class Risk:
    """A budget that wants attention, and why."""

    meter: Meter
    why: str


def tiles(of: Reach, series: Series) -> list[Tile]:
    """Return the figures of the range, each with the list behind it."""
    total, tile = series.totals, partial(_tile, series)
    found = [
        tile("Calls", (f"{total.calls:,}",), _calls(of), attrgetter("calls")),
        tile("Denied", (f"{total.denied:,}",), _calls(of, "denied"), attrgetter("denied")),
        tile("Redacted", (f"{total.redacted:,}",), _usage(of, "app"), attrgetter("redacted")),
        tile("Failed", (f"{total.failed:,}",), _calls(of, "failed"), attrgetter("failed")),
        tile("Cost", _costs(total), _usage(of, "app"), lambda one: sum(one.cost_micros.values())),
        tile("Tokens", _tokens(total), _usage(of, "model"), _all_tokens),
        tile("Duration", _times(total), _usage(of, "model"), lambda one: one.p95_ms or 0),
    ]
    if total.cache_hits or total.cache_misses:
        hits = attrgetter("cache_hits")
        found.append(tile("Kept answers given", _given(total), _usage(of, "model"), hits))
    return found


def found_causes(of: Reach, total: Figures) -> Causes | None:
    """Return what was refused and redacted for; None where the actor may read no records."""
    ids = tenants_where(of.actor, "record.read")
    readable = [tenant for tenant in of.tenant_ids if ids is None or tenant in ids]
    if not readable or not (total.refused or total.denied or total.redacted):
        return None
    return causes(readable, of.span.since, of.span.until)  # type: ignore[arg-type]


def risks(of: Reach, now: datetime.datetime) -> list[Risk]:
    """Return the budgets that are nearly used up, or will be before they reset."""
    budgets = budgets_visible(of.actor).filter(tenant_id__in=of.tenant_ids)
    found = meters(list(budgets.select_related("tenant", "app", "key")[:BUDGETS_MOST]), now)
    at_risk = [Risk(meter, why) for meter in found if (why := _why(meter, now))]
    return sorted(at_risk, key=lambda risk: -risk.meter.used_percent)[:SHOWN]


def expiring(of: Reach, now: datetime.datetime) -> QuerySet[VirtualKey]:
    """Return the keys that will expire soon, the next first."""
    keys = keys_visible(of.actor).filter(
        tenant_id__in=of.tenant_ids,
        state=VirtualKey.State.ACTIVE,
        expires_at__gt=now,
        expires_at__lte=now + EXPIRES_WITHIN,
    )
    return keys.select_related("app").order_by("expires_at")[:SHOWN]


def notices(of: Reach) -> list[Notice]:
    """Return the rules that behave otherwise than they did, newest first."""
    ids = tenants_where(of.actor, "policy.read")
    readable = [tenant for tenant in of.tenant_ids if ids is None or tenant in ids]
    found = Notice.objects.filter(tenant_id__in=readable, closed_at=None)
    return list(found.order_by("-opened_at", "-id")[:SHOWN])


def emergencies(of: Reach) -> list[Emergency]:
    """Return what is in force for some hours without anybody's approval, the first to end first."""
    return list(emergencies_visible(of.actor)[:SHOWN])


def last_change(of: Reach) -> Activation | None:
    """Return what came into force last, of the policies that the actor may read."""
    brought = Activation.objects.filter(policy__in=policies_visible(of.actor))
    return brought.select_related("policy", "version").order_by("-id").first()


def _tile(
    series: Series, label: str, lines: tuple[str, ...], href: str, of_one: Callable[[Figures], int]
) -> Tile:
    path = spark([of_one(point.figures) for point in series.points])
    return Tile(label, lines, href, path)


def _costs(total: Figures) -> tuple[str, ...]:
    found = (f"{text_from_micros(micros)} {code}" for code, micros in total.cost_micros.items())
    return tuple(found) or ("0.00",)


def _given(total: Figures) -> tuple[str, ...]:
    """Return the share of calls that got a kept answer, of those that could, and the saving."""
    share = total.cache_hits * 100 // (total.cache_hits + total.cache_misses)
    saved = (
        f"{text_from_micros(micros)} {code} saved"
        for code, micros in total.saved_micros.items()
        if micros
    )
    return _whole(f"{total.cache_hits:,} ({share} %)"), *map(_whole, saved)


def _tokens(total: Figures) -> tuple[str, ...]:
    return _whole(f"{rounded(total.input_tokens)} in"), _whole(
        f"{rounded(total.output_tokens)} out"
    )


def _all_tokens(one: Figures) -> int:
    return one.input_tokens + one.output_tokens


def _times(total: Figures) -> tuple[str, ...]:
    return _whole(f"p50 {duration(total.p50_ms)}"), _whole(f"p95 {duration(total.p95_ms)}")


def _whole(line: str) -> str:
    """Return a line that is not broken where a tile is narrow."""
    return line.replace(" ", "\N{NO-BREAK SPACE}")


def _why(meter: Meter, now: datetime.datetime) -> str:
    if meter.used_percent >= WARN_PERCENT:
        return "used up" if meter.used_percent >= 100 else f"{meter.used_percent} % used"  # noqa: PLR2004  (percent)
    used = meter.spent_micros + meter.held_micros
    at = runs_out(used, meter.budget.limit_micros, meter.start, now)
    if at is None or meter.end is None or at >= meter.end:
        return ""
    return f"at this pace used up on {at:%-d %b}"


def _calls(of: Reach, outcome: str = "") -> str:
    if tenants_where(of.actor, "record.read") == frozenset():
        return _usage(of, "app")
    return f"{reverse('calls')}?{of.lists}" + (f"&outcome={outcome}" if outcome else "")


def _usage(of: Reach, by: str) -> str:
    query = f"by={by}&range={of.span.range.name}" + (f"&{of.named}" if of.named else "")
    return f"{reverse('usage')}?{query}"
