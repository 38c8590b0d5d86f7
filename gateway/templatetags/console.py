"""Figures, amounts and instants in templates."""

import datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from gateway.calls import wording
from gateway.calls.story import Money
from policies.pdp.request import FactValue

register = template.Library()


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
def fact(value: FactValue) -> str:
    """Return the value of a fact as text."""
    return wording.value(value)


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


@register.simple_tag
def moment(at: datetime.datetime, zone: ZoneInfo) -> SafeString:
    """Show an instant in a zone, with the same in UTC for who points at it."""
    local, universal = at.astimezone(zone), at.astimezone(datetime.UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{} <span class="zone">{}</span></time>',
        universal.isoformat(timespec="milliseconds"),
        f"{universal:%Y-%m-%d %H:%M:%S}",
        f"{local:%Y-%m-%d %H:%M:%S}",
        local.tzname(),
    )
