"""The audit events: who changed what, when, why, and how it was before."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson
from django import forms
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit.actor import Actor
from audit.models import Event
from audit.selectors import TooBroadError, events_named, events_visible, in_time
from gateway.access import requires
from gateway.event_words import sentence
from gateway.pages import Crumb, or_404, tenant_chosen
from tenants.models import Tenant
from tenants.permissions import tenants_where

PAGE = 50
INSTANTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
FILTERS = ("actor", "action", "object", "since", "until")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of an event, before and after."""

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether the change touched it."""
        return self.before != self.after


class EventFilter(forms.Form):
    """Which events to list."""

    actor = forms.CharField(required=False, max_length=200)
    action = forms.CharField(required=False, max_length=80, label="Action begins with")
    object = forms.CharField(required=False, max_length=200, label="Object")
    since = forms.DateTimeField(
        required=False,
        label="From (UTC)",
        input_formats=INSTANTS,
        widget=forms.DateTimeInput({"type": "datetime-local"}),
    )
    until = forms.DateTimeField(
        required=False,
        label="To (UTC)",
        input_formats=INSTANTS,
        widget=forms.DateTimeInput({"type": "datetime-local"}),
    )

    def narrow(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """Return those of the events that are asked for; the form must be valid."""
        asked = self.cleaned_data
        named = {
            "action__startswith": asked["action"],
            "at__gte": asked["since"],
            "at__lt": asked["until"],
        }
        events = events.filter(**{name: value for name, value in named.items() if value})
        return events_named(events, actor=asked["actor"], thing=asked["object"])


@requires("event.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the newest events, or those before one, that pass the filters."""
    events, tenant = events_visible(actor), tenant_chosen(request, actor)
    if tenant is not None:
        events = events.filter(tenant_id=tenant.id)
    form = EventFilter(request.GET)
    found = form.narrow(events) if form.is_valid() else events.none()
    before = request.GET.get("before", "")
    if before:
        found = found.filter(id__lt=_position(before))
    rows, is_too_broad = _rows(found)
    content = {
        "form": form,
        "rows": rows[:PAGE],
        "is_too_broad": is_too_broad,
        "older": rows[PAGE - 1].id if len(rows) > PAGE else None,
        "is_first": not before,
        "export": _export_address(actor, form, tenant),
        "is_filtered": tenant is not None or any(request.GET.get(name) for name in FILTERS),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "audit/event_list.html", content, status=status)


@requires("event.read")
@require_safe
def show(request: HttpRequest, actor: Actor, event_id: int) -> HttpResponse:
    """Show one event with what it changed."""
    event = or_404(events_visible(actor).filter(id=event_id).first())
    content = {
        "crumbs": [Crumb("Audit events", reverse("events"))],
        "event": event,
        "sentence": sentence(event.actor, event.action, event.object_kind, event.object_name),
        "differences": _differences(event.before, event.after),
        "json": orjson.dumps(_as_json(event), option=orjson.OPT_INDENT_2).decode(),
    }
    return render(request, "audit/event_show.html", content)


def _rows(found: QuerySet[Event]) -> tuple[list[Event], bool]:
    """Return the rows of a page and one more, and whether finding them took too long."""
    try:
        with in_time():
            return list(found[: PAGE + 1]), False
    except TooBroadError:
        return [], True


def _export_address(actor: Actor, form: EventFilter, tenant: Tenant | None) -> str:
    """Return where the same events are exported; nothing for who may not export any."""
    if tenants_where(actor, "export.create") == frozenset() or not form.is_valid():
        return ""
    asked = form.cleaned_data
    kept = {"kinds": "events", "tenant": tenant.name if tenant else "", "actions": asked["action"]}
    kept |= {name: asked[name] for name in ("actor", "object")}
    kept |= {name: f"{asked[name]:%Y-%m-%dT%H:%M}" for name in ("since", "until") if asked[name]}
    query = urlencode({name: value for name, value in kept.items() if value})
    return f"{reverse('export_create')}?{query}"


def _differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> list[Difference]:
    old, new = before or {}, after or {}
    return [
        Difference(name, _text(old, name), _text(new, name)) for name in dict.fromkeys([*old, *new])
    ]


def _text(side: Mapping[str, Any], name: str) -> str:
    if name not in side:
        return ""
    value = side[name]
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _as_json(event: Event) -> dict[str, Any]:
    names = [field.name for field in Event._meta.concrete_fields]  # noqa: SLF001  (documented)
    found = {name: getattr(event, name) for name in names}
    found["at"] = event.at.astimezone(datetime.UTC).isoformat()
    return found


def _position(text: str) -> int:
    try:
        return min(int(text), 2**63 - 1)
    except ValueError:
        raise BadRequest("this is no position in the list") from None
