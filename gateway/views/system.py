"""The system: is it well, what runs, and how it is configured, secrets left out."""

import dataclasses
import datetime
import platform
from dataclasses import dataclass
from importlib.metadata import version

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.actor import Actor
from audit.models import Notice
from gateway.access import requires
from gateway.circuits import circuits_of
from gateway.doctor import examine
from gateway.proxy.store.roster import roster
from gateway.proxy.store.survey import SurveyError
from gateway.selectors import deployments_visible
from gateway.version import VERSION

NOTICES_SHOWN = 50
KINDS = {"web": "web worker", "worker": "Celery worker", "beat": "Celery beat"}
PACKAGES = ("celery", "psycopg", "redis", "uvicorn", "presidio-analyzer")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force. Of a secret only whether it is set."""

    name: str
    value: str
    is_secret: bool


@dataclass(frozen=True, slots=True)
class Process:
    """One process that works, and whether it was heard of lately."""

    kind: str
    name: str
    role: str
    version: str
    started_at: datetime.datetime
    seen_at: datetime.datetime
    is_late: bool


@dataclass(frozen=True, slots=True)
class Workers:
    """Every process, the kinds that none was heard of, and why nothing is known, if so."""

    processes: tuple[Process, ...]
    missing: tuple[str, ...]
    error: str


@requires("platform.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Examine the installation and show its settings; no provider is connected to."""
    findings = examine(offline=True)
    found = circuits_of(deployments_visible(actor).order_by("route__name"), timezone.now())
    content = {
        "findings": findings,
        "is_well": all(finding.ok for finding in findings),
        "workers": _workers(),
        "versions": _versions(),
        "settings": effective(),
        "notices": Notice.objects.filter(closed_at=None).order_by("-opened_at", "-id")[
            :NOTICES_SHOWN
        ],
        "circuits": [one for one in found if one.state != "closed"],
    }
    return render(request, "gateway/system.html", content)


def _workers() -> Workers:
    """Return who works, or why that is not known."""
    now = timezone.now()
    try:
        seen = roster(settings.GATEHOUSE.redis_url, now.timestamp())
    except SurveyError as error:
        return Workers((), (), str(error))
    lively = {each.seat.kind for each in seen if not each.is_late}
    return Workers(
        tuple(
            Process(
                kind=KINDS.get(each.seat.kind, each.seat.kind),
                name=f"{each.seat.host} {each.seat.pid}",
                role=each.seat.role,
                version=each.seat.version,
                started_at=_instant(each.seat.started_at),
                seen_at=_instant(each.seen_at),
                is_late=each.is_late,
            )
            for each in seen
        ),
        tuple(label for kind, label in KINDS.items() if kind not in lively),
        "",
    )


def _instant(at_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC)


def effective() -> list[Setting]:
    """Return the settings in force; what the configuration keeps out of its repr is a secret."""
    config = settings.GATEHOUSE
    return [_setting(each, getattr(config, each.name)) for each in dataclasses.fields(config)]


def _setting(each: "dataclasses.Field[object]", value: object) -> Setting:
    if not each.repr:
        return Setting(each.name, "set" if value else "not set", is_secret=True)
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return Setting(each.name, text or "none", is_secret=False)


def _versions() -> list[tuple[str, str]]:
    found = [
        ("Gatehouse", VERSION),
        ("Python", platform.python_version()),
        ("Django", django.get_version()),
    ]
    return found + [(name, version(name)) for name in PACKAGES]
