"""Usage and cost, by what one likes, beside the range before."""

import uuid
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from audit.actor import Actor
from gateway.access import requires
from gateway.charts import Point, chart
from gateway.comparison import Row, Table, as_csv, compared
from gateway.reach import Reach, choices, reach
from tenants.models import App
from tenants.usage.reading import (
    Series,
    UsageWanted,
    usage_by,
    usage_values,
)

LINES = 100
MICROS = 1_000_000
BY = {"app": "App", "key": "Key", "model": "Model", "user": "User", "currency": "Currency"}
NARROWS = ("app", "key", "model", "user", "tag", "currency")
"""What a row leads to: the same page for this value alone."""


class UsageFilter(forms.Form):
    """By what usage is parted; what it is narrowed to is carried along."""

    by = forms.ChoiceField(required=False, label="Group by")

    def __init__(self, given: QueryDict, of: Reach) -> None:
        super().__init__(given)
        tags = sorted({tag for tenant in of.tenants for tag in tenant.tags})
        found = list(BY.items()) + [(f"tag:{tag}", f"Tag {tag}") for tag in tags]
        if of.tenant is None:
            found.append(("tenant", "Tenant"))
        self.fields["by"] = forms.ChoiceField(required=False, label="Group by", choices=found)
        for name in ("range", "tenant", *NARROWS):
            if given.get(name):
                self.fields[name] = forms.Field(widget=forms.MultipleHiddenInput)


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that the page is narrowed to, and how to leave it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Link:
    """A row's value leads to the same page for it alone."""

    row: Row
    href: str


@requires("usage.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show usage over time and parted, with totals."""
    of = reach(request, actor)
    form, wanted = UsageFilter(request.GET, of), _wanted(request, of)
    content: dict[str, Any] = {
        "reach": of,
        "choices": choices(request, of.span.range.name),
        "form": form,
        "chips": _chips(request),
        "clear": f"{reverse('usage')}?range={of.span.range.name}",
        "csv": f"{reverse('usage_table')}?{request.GET.urlencode()}",
    }
    if not form.is_valid():
        return render(
            request, "gateway/usage.html", content, status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    by = form.cleaned_data["by"] or "app"
    series, table = of.series(wanted), _table(of, by, wanted)
    content |= {
        "by": _label(by),
        "as_of": series.as_of,
        "table": table,
        "rows": [Link(row, _narrowed(request, by, row)) for row in table.rows],
        "left_out": max(0, table.total.figures.calls - sum(r.figures.calls for r in table.rows)),
        **_chart(of, series),
    }
    return render(request, "gateway/usage.html", content)


@requires("usage.read")
@require_safe
def table(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Return the table of the page as CSV."""
    of = reach(request, actor)
    form = UsageFilter(request.GET, of)
    if not form.is_valid():
        raise BadRequest("usage is not parted by this")
    by = form.cleaned_data["by"] or "app"
    text = as_csv(by, _table(of, by, _wanted(request, of)))
    named = f"usage-{by.replace(':', '-')}-{of.span.range.name}.csv"
    return HttpResponse(
        text,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": content_disposition_header(as_attachment=True, filename=named),
            "Cache-Control": "no-store",
        },
    )


def _wanted(request: HttpRequest, of: Reach) -> UsageWanted:
    given = {name: list(filter(None, request.GET.getlist(name))) or None for name in NARROWS}
    return UsageWanted(
        since=of.span.since,
        until=of.span.until,
        apps=given["app"] and [_app_id(text) for text in given["app"]],
        keys=given["key"],
        models=given["model"],
        users=given["user"],
        tags=given["tag"],
        currencies=given["currency"],
    )


def _table(of: Reach, by: str, wanted: UsageWanted) -> Table:
    granularity = of.span.range.granularity
    now = of.windows(wanted)
    length = of.span.since - of.span.before
    before = replace(now, since=now.since - length, until=now.since)
    found = usage_by(of.actor, by, now, of.tenant, LINES, granularity)
    return compared(found, usage_values(of.actor, by, before, of.tenant, granularity))


def _chart(of: Reach, series: Series) -> dict[str, Any]:
    """Return the chart of the currency in which most was spent, or of calls where none was."""
    costs = series.totals.cost_micros
    currency = max(costs, key=lambda code: costs[code], default="")
    points = [
        Point(
            of.span.label(one.start),
            one.figures.cost_micros.get(currency, 0) / MICROS if currency else one.figures.calls,
        )
        for one in series.points
    ]
    measure = f"Cost in {currency}" if currency else "Calls"
    return {"chart": chart(points), "measure": measure}


def _label(by: str) -> str:
    return BY.get(by) or by.removeprefix("tag:").capitalize()


def _narrowed(request: HttpRequest, by: str, row: Row) -> str:
    """Return where a row leads; nothing for what no filter can name."""
    name, _, tag = by.partition(":")
    query = request.GET.copy()
    if name == "tenant":
        query["tenant"], query["by"] = row.label, "app"
    elif row.value and name in ("tag", *NARROWS):
        query[name] = f"{tag}={row.value}" if tag else row.value
    else:
        return ""
    return f"{reverse('usage')}?{query.urlencode()}"


def _chips(request: HttpRequest) -> list[Chip]:
    """Return a chip for each value; leaving it keeps the others of its kind."""
    narrowed = {name: list(filter(None, request.GET.getlist(name))) for name in NARROWS}
    apps = App.objects.filter(pk__in=[_app_id(text) for text in narrowed["app"]])
    names = (
        {str(pk): label for pk, label in apps.values_list("pk", "name")} if narrowed["app"] else {}
    )
    found = []
    for name, values in narrowed.items():
        for value in values:
            query = request.GET.copy()
            query.setlist(name, [other for other in values if other != value])
            label = names.get(value, value)
            found.append(Chip(name, label, f"{reverse('usage')}?{query.urlencode()}"))
    return found


def _app_names(ids: list[str]) -> dict[str, str]:
    if not ids:
        return {}
    apps = App.objects.filter(pk__in=[_app_id(text) for text in ids])
    return {str(pk): name for pk, name in apps.values_list("pk", "name")}


def _app_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise BadRequest("this is no app's id") from None
