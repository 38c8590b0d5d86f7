"""Which usage a page is about: a range and tenants, as the address says it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest
from django.utils import timezone

from audit.actor import Actor
from gateway.ranges import DEFAULT, RANGES, Span, span
from tenants.models import Tenant
from tenants.permissions import tenants_where
from tenants.selectors import tenants_visible
from tenants.usage.reading import (
    Series,
    UsageWanted,
    by_middle,
    usage_series,
    usage_series_of_all,
)

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Choice:
    """One range of the control."""

    label: str
    href: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """The tenants whose usage the actor may read, the one that was chosen, if any, and the time."""

    actor: Actor
    tenants: Sequence[Tenant]
    tenant: Tenant | None
    span: Span

    @property
    def tenant_ids(self) -> list[str]:
        """Return the ids of the tenants that the page is about."""
        return [str(tenant.id) for tenant in ([self.tenant] if self.tenant else self.tenants)]

    @property
    def lists(self) -> str:
        """The query that narrows the list of calls to the same calls."""
        named = {"tenant": self.tenant.name} if self.tenant else {}
        return urlencode({**named, "from": self.span.since_text})

    @property
    def named(self) -> str:
        """The query that narrows other lists to the same tenant."""
        return urlencode({"tenant": self.tenant.name}) if self.tenant else ""

    def series(self, wanted: UsageWanted) -> Series:
        """Return the usage, window by window."""
        granularity = self.span.range.granularity
        if self.tenant is None:
            return usage_series_of_all(self.actor, wanted, granularity)
        return usage_series(self.actor, self.tenant, wanted, granularity)

    def windows(self, wanted: UsageWanted) -> UsageWanted:
        """Return what asks a breakdown for the windows that `series` counts."""
        return wanted if self.tenant else by_middle(wanted, self.span.range.granularity)


def reach(request: HttpRequest, actor: Actor) -> Reach:
    """Return what a page on usage is about.

    Raises Http404 for a tenant that is not to be seen, BadRequest for an unknown range.
    """
    seen, ids = list(tenants_visible(actor)), tenants_where(actor, "usage.read")
    request.tenants_seen = seen  # type: ignore[attr-defined]  # the frame lists the same
    tenants = [tenant for tenant in seen if ids is None or str(tenant.id) in ids]
    name, wanted = request.GET.get("tenant", ""), request.GET.get("range", DEFAULT)
    if wanted not in RANGES:
        raise BadRequest("there is no such range")
    chosen = [tenant for tenant in tenants if tenant.name == name] if name else tenants
    if name and not chosen:
        raise Http404
    tenant = chosen[0] if len(chosen) == 1 else None
    zone = ZoneInfo(tenant.timezone) if tenant else UTC
    return Reach(actor, tenants, tenant, span(wanted, zone, timezone.now()))


def choices(request: HttpRequest, current: str) -> list[Choice]:
    """Return the control: the same page with each of the ranges."""
    found = []
    for each in RANGES.values():
        query = request.GET.copy()
        query["range"] = each.name
        href = f"{request.path}?{query.urlencode()}"
        found.append(Choice(each.label, href, each.name == current))
    return found
