"""The overview: how a tenant, or all of them, are doing."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.actor import Actor
from gateway import overview
from gateway.access import requires
from gateway.charts import Point, chart
from gateway.reach import choices, reach
from tenants.usage.reading import UsageWanted


@requires("usage.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the figures of a range, and what wants attention now."""
    of, now = reach(request, actor), timezone.now()
    series = of.series(UsageWanted(since=of.span.since, until=of.span.until))
    points = [Point(of.span.label(one.start), one.figures.calls) for one in series.points]
    content = {
        "reach": of,
        "choices": choices(request, of.span.range.name),
        "as_of": series.as_of,
        "has_calls": series.totals.calls > 0,
        "tiles": overview.tiles(of, series),
        "chart": chart(points),
        "causes": overview.found_causes(of, series.totals),
        "risks": overview.risks(of, now),
        "keys": overview.expiring(of, now),
        "change": overview.last_change(of),
    }
    return render(request, "gateway/overview.html", content)


@requires("usage.read")
@require_safe
def notices(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show, as part of the overview, running emergencies and the rules that behave otherwise."""
    of = reach(request, actor)
    content = {"notices": overview.notices(of), "emergencies": overview.emergencies(of)}
    return render(request, "gateway/_notices_card.html", content)
