"""What an export holds. Pure.

Records are taken by the instant at which their call arrived, so that those of one call stay
together; events by their own. What is left empty asks for all.
"""

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from audit.outcome import OUTCOMES

KINDS = ("records", "events")
FORMATS = ("ndjson", "csv")
DECISIONS = ("permit", "deny")
LISTED_MAX = 100


class WantedError(ValueError):
    """A filter that cannot be met; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWanted:
    """From `since` on and before `until`, both aware.

    `apps`, `model`, `outcome`, `decision`, `rule` and `redaction` narrow records to calls:
    `decision` is what the policy said of the request; for the last two see selectors.CallsWanted.
    `actions`, `actor` and `object` narrow events (see selectors.events_named).
    """

    since: datetime.datetime
    until: datetime.datetime
    kinds: tuple[str, ...] = ("records",)
    formats: tuple[str, ...] = ("ndjson",)
    apps: tuple[uuid.UUID, ...] = ()
    model: str = ""
    outcome: str = ""
    decision: str = ""
    actions: tuple[str, ...] = ()
    rule: str = ""
    redaction: str = ""
    actor: str = ""
    object: str = ""

    @property
    def asks_of_calls(self) -> bool:
        """Whether records can be chosen only by looking at all of their call."""
        return bool(self.outcome or self.decision or self.rule or self.redaction)


def check(wanted: ExportWanted) -> None:
    """Raise WantedError unless the filter can be met."""
    if wanted.since.tzinfo is None or wanted.until.tzinfo is None or wanted.since >= wanted.until:
        raise WantedError("an export is from one instant to a later one, with their offsets")
    choices = (
        ("kind", wanted.kinds, KINDS),
        ("format", wanted.formats, FORMATS),
        ("outcome", (wanted.outcome,) if wanted.outcome else OUTCOMES, OUTCOMES),
        ("decision", (wanted.decision,) if wanted.decision else DECISIONS, DECISIONS),
    )
    for name, given, known in choices:
        if not given or len(set(given)) < len(given) or not set(given) <= set(known):
            raise WantedError(f"a {name} of an export is one of {', '.join(known)}, once each")
    if max(len(wanted.apps), len(wanted.actions)) > LISTED_MAX:
        raise WantedError(f"an export names at most {LISTED_MAX} apps and actions")


def as_json(wanted: ExportWanted) -> dict[str, Any]:
    """Return the filter as it is stored, and told in the manifest."""
    return {name: _plain(value) for name, value in asdict(wanted).items()}


def from_json(stored: Mapping[str, Any]) -> ExportWanted:
    """Return a stored filter; one that is older than a way to narrow does not name it."""
    given = {
        field.name: stored[field.name] for field in fields(ExportWanted) if field.name in stored
    }
    for name in ("since", "until"):
        given[name] = datetime.datetime.fromisoformat(given[name])
    for name in ("kinds", "formats", "actions"):
        given[name] = tuple(given[name])
    given["apps"] = tuple(map(uuid.UUID, given["apps"]))
    return ExportWanted(**given)


def _plain(value: object) -> object:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value
