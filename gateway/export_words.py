"""What an export holds, in words."""

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from audit.exports.wanted import ExportWanted, from_json
from audit.models import Export
from tenants.models import App


def words(exports: Sequence[Export]) -> Mapping[UUID, str]:
    """Return by id what each of the exports was asked to hold; one query for the apps' names."""
    wanted = {export.pk: from_json(export.filter) for export in exports}
    ids = {app_id for each in wanted.values() for app_id in each.apps}
    names = dict(App.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}
    return {pk: in_words(each, names) for pk, each in wanted.items()}


def in_words(wanted: ExportWanted, names: Mapping[UUID, str]) -> str:
    """Return "Records, from 1 Nov 2026 00:00 to 8 Nov 2026 00:00 UTC, outcome denied, as csv"."""
    parts = [
        " and ".join(wanted.kinds).capitalize(),
        f"from {_moment(wanted.since)} to {_moment(wanted.until)} UTC",
        _named("app", [names.get(app_id, str(app_id)) for app_id in wanted.apps]),
        _named("model", [wanted.model]),
        _named("outcome", [wanted.outcome.replace("_", " ")]),
        _named("decision", [wanted.decision]),
        _named("rule", [wanted.rule]),
        _named("redacted", [wanted.redaction]),
        _named("actions", wanted.actions),
        _named("actor", [wanted.actor]),
        _named("object", [wanted.object]),
        f"as {' and '.join(wanted.formats)}",
    ]
    return ", ".join(part for part in parts if part)


def _named(what: str, values: Collection[Any]) -> str:
    found = [str(value) for value in values if value]
    return f"{what} {', '.join(found)}" if found else ""


def _moment(at: datetime.datetime) -> str:
    return f"{at.astimezone(datetime.UTC):%-d %b %Y %H:%M}"
