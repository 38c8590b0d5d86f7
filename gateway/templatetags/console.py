"""Figures, amounts and instants in templates."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from gateway import event_words, icons
from gateway.calls import wording
from gateway.calls.story import Money
from policies.pdp.request import FactValue
from tenants.models import RateLimit
from tenants.money import text_from_micros, text_from_pico
from tenants.permissions import can

register = template.Library()

UTC = ZoneInfo("UTC")


@register.filter
def money(amount: Money) -> str:
    """Return "USD 0.0012"."""
    return wording.money(amount)


@register.filter
def duration(ms: int | None) -> str:
    """Return "812 ms" or "3.2 s"."""
    return wording.duration(ms)


@register.filter
def milliseconds(us: int | None) -> str:
    """Return 1234 microseconds as "1.234 ms"."""
    return "" if us is None else f"{us / 1000:,.3f} ms"


@register.filter
def count(number: int) -> str:
    """Return 1234567 as "1,234,567"."""
    return f"{number:,}"


@register.filter
def at(places: Mapping[str, str], name: str) -> str:
    """Return what stands under a name, or nothing."""
    return places.get(name, "")


@register.filter
def fact(value: FactValue) -> str:
    """Return the value of a fact as text."""
    return wording.value(value)


@register.filter
def did(action: str) -> str:
    """Return "rate_limit.create" as "created"."""
    return event_words.did(action)


@register.filter
def words(name: str) -> str:
    """Return "not_matched" as "not matched"."""
    return name.replace("_", " ")


@register.filter
def meaning(code: str) -> str:
    """Return what a code of a refusal or failure means."""
    return wording.of_code(code)


@register.filter
def breakable(code: str) -> SafeString:
    """Let a code such as rate_limit_exceeded be broken behind its underscores."""
    return format_html_join(mark_safe("_<wbr>"), "{}", ((part,) for part in code.split("_")))


@register.filter
def micros(amount: int) -> str:
    """Return 12,500,000 micros as "12.50"."""
    return text_from_micros(amount)


@register.filter
def fee(pico: int) -> str:
    """Return 120,000,000,000 pico-units as "0.12"."""
    return text_from_pico(pico)


@register.filter
def percent(share: Decimal) -> str:
    """Return 0.8 as "80 %"."""
    return f"{(share * 100).normalize():f} %"


@register.filter
def limit_words(limit: RateLimit) -> str:
    """Return "600 requests per minute, at once up to 100"."""
    if limit.kind == RateLimit.Kind.CONCURRENCY:
        return f"{limit.amount:,} calls at once"
    burst = f", at once up to {limit.burst:,}" if limit.burst else ""
    return f"{limit.amount:,} {limit.kind} per {limit.per}{burst}"


@register.filter
def is_check(field: BoundField) -> bool:
    """Return whether a field is a single box to tick: its label stands behind it."""
    return isinstance(field.field.widget, CheckboxInput)


@register.simple_tag
def field_look(field: BoundField) -> str:
    """Return the class that a field's arrangement takes."""
    if isinstance(field.field.widget, CheckboxSelectMultiple):
        return " choices"
    return " check" if is_check(field) else ""


@register.simple_tag
def icon_path(name: str) -> SafeString:
    """Return the path of an icon."""
    return format_html('<path d="{}" />', icons.PATHS[name])


@register.simple_tag
def allows(actor: Any, action: str, on: Any = None) -> bool:
    """Return whether the actor may do this to the object; without one, to the platform."""
    return can(actor, action, on)


@register.simple_tag
def moment(at: datetime.datetime, zone: ZoneInfo = UTC) -> SafeString:
    """Show an instant in a zone, with the same in UTC for who points at it."""
    local, universal = at.astimezone(zone), at.astimezone(datetime.UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{} <span class="zone">{}</span></time>',
        universal.isoformat(timespec="milliseconds"),
        f"{universal:%Y-%m-%d %H:%M:%S}",
        f"{local:%Y-%m-%d %H:%M:%S}",
        local.tzname(),
    )


@register.simple_tag(takes_context=True)
def at_page(context: Mapping[str, Any], name: str, number: int) -> str:
    """Return this page's address with another page of the list that is called so."""
    query = context["request"].GET.copy()
    query[name] = str(number)
    return f"?{query.urlencode()}"
