"""`manage.py policy simulate`: who would be affected by a policy, told to a person or a script."""

import datetime
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from audit.decided import Range
from gateway.backtest_words import SAID, caveats, sentences
from gateway.backtesting import backtest
from gateway.management.arguments import instant
from gateway.management.output import refused, table
from policies.pdp.decision import LAYERS, Layer
from policies.pdp.document import Document
from policies.substitution import Place, substitution
from tenants.models import App, Tenant

DEFAULT_DAYS = 30
EXAMPLES_SHOWN = 5


def add_arguments(command: ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--tenant", required=True)
    command.add_argument(
        "--at", type=_place, metavar="PLACE", default=None,
        help="platform, tenant, or app:NAME; default: in place of the policy of its name",
    )  # fmt: skip
    command.add_argument(
        "--from", type=instant, dest="since", metavar="ISO", help="default: 30 days ago"
    )
    command.add_argument("--to", type=instant, dest="until", metavar="ISO", help="default: now")
    command.add_argument("--json", action="store_true", help="print one JSON document")


def simulate(document: Document, options: Mapping[str, Any]) -> dict[str, Any]:
    """Judge the recorded calls that are asked for under a document."""
    tenant = Tenant.objects.exclude(state=Tenant.State.REMOVED).filter(name=options["tenant"])
    found = tenant.first()
    if found is None:
        raise CommandError(f"there is no tenant {options['tenant']}", returncode=2)
    until = options["until"] or timezone.now()
    since = options["since"] or until - datetime.timedelta(days=DEFAULT_DAYS)
    if since >= until:
        raise CommandError("--from must be before --to", returncode=2)
    layer, app = options["at"] or (None, "")
    try:
        supposed = substitution(found, document, Place(layer, _app(found, app)))
    except ValidationError as error:
        raise refused(error) from None
    return backtest(settings.GATEHOUSE.database_url, Range(since, until, found.pk), supposed)


def text(result: Mapping[str, Any]) -> str:
    """Return a result in words: who would be affected, and what could not be told."""
    lines = sentences(result)
    rules = [(row["name"], *_counts(row)) for row in result["by_rule"]]
    if rules:
        head = ("RULE", *(kind.replace("_", " ").upper() for kind in SAID))
        lines += ["", table([head, *rules])]
    for kind in SAID:
        for example in result["examples"][kind][:EXAMPLES_SHOWN]:
            lines.append(f"  {kind}: call {example['call']} {example['at']} {example['app']}")
    return "\n".join([*lines, "", *caveats(result), _pace(result)])


def _pace(result: Mapping[str, Any]) -> str:
    pace = result["records_per_minute"]
    return f"{result['records']:,} records in {result['seconds']:.1f} s ({pace:,} a minute)"


def _counts(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{row[kind]:,}" for kind in SAID)


def _place(value: str) -> tuple[Layer, str]:
    name, _, app = value.partition(":")
    for layer in LAYERS:
        if name == layer and (layer == "app") == bool(app):
            return layer, app
    raise ArgumentTypeError(f"{value!r} is not platform, tenant or app:NAME")


def _app(tenant: Tenant, name: str) -> Any:
    if not name:
        return None
    app = App.objects.exclude(state=App.State.REMOVED).filter(tenant=tenant, name=name).first()
    if app is None:
        raise CommandError(f"there is no app {name} of the tenant {tenant.name}", returncode=2)
    return app.pk
