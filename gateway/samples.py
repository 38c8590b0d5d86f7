"""One request body, judged in memory: what would be found in it, and what policies say of it.

It is neither stored nor logged, nor is it in an event: it could be anybody's own words.
"""

import datetime
import zoneinfo
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from gateway.exchange import Call, Endpoint, Head
from gateway.models import Deployment
from gateway.ner.asking import names_in
from gateway.proxy import facts, parse
from gateway.proxy import tenant as tenants
from gateway.proxy.errors import Refusal
from gateway.proxy.record import decision_written
from policies import own_detectors
from policies.detectors import taint
from policies.detectors.finding import Scan
from policies.detectors.scanner import DetectorConfig
from policies.pdp.decision import Decision
from policies.pdp.evaluate import EffectivePolicy, Trace
from policies.pdp.request import DEFAULTS, SLOTS
from policies.pdp.rollout import change
from policies.selectors import attached, effective
from policies.substitution import Substitution
from tenants.models import App

JSON = {b"content-type": b"application/json"}
BYTES_MAX = 256 * 1024
ENDPOINTS = (
    Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES, Endpoint.EMBEDDINGS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """A request body as a client of an app would send it, at an instant."""

    raw: bytes
    app: App
    at: datetime.datetime
    endpoint: Endpoint = Endpoint.CHAT
    most_messages: int = 1000


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found and decided. `before` is what holds now; without a draft both are the same."""

    facts: dict[str, Any]
    failed: tuple[str, ...]
    before: Decision
    after: Decision
    trace: Trace

    def written(self) -> dict[str, Any]:
        """Return it as JSON, without any text of the sample."""
        return {
            "facts": self.facts,
            "failed": list(self.failed),
            "change": change(self.before, self.after),
            "before": decision_written(self.before),
            "after": decision_written(self.after),
            "rules": [
                {"rule": str(rule.ref), "layer": rule.ref.layer, "outcome": rule.outcome}
                for rule in self.trace.rules
            ],
        }


def judge(sample: Sample, substitution: Substitution | None = None) -> Judged:
    """Judge a sample under what holds, and under a draft.

    Raises ValidationError where no client could send it.
    """
    app = sample.app
    if substitution is None:
        held = attached(app.tenant)
        before = after = effective(held, held.apps.get(app.pk, ()))
    else:
        before, after = substitution.before(app.pk), substitution.after(app.pk)
    head = Head(sample.endpoint, "", "", "", "", (), "")
    call = _parsed(head, sample)
    scan = _scan(call, app, before, after)
    zone = zoneinfo.ZoneInfo(app.tenant.timezone)
    slots = facts.of_call(_base(app), head, call, sample.at.astimezone(zone))
    facts.add_scan(slots, scan, call.view.leaves)
    if before.signals.hosts or after.signals.hosts:
        facts.add_tool_hosts(slots, taint.named(call.view.leaves))
    if call.model in app.models:
        _add_target(slots, call.model)
    at_s = sample.at.timestamp()
    trace = after.explain("request", slots, scan.failed, at_s)
    return Judged(
        facts=facts.recorded(slots),
        failed=tuple(sorted(scan.failed)),
        before=before.decide("request", slots, scan.failed, at_s),
        after=trace.decision,
        trace=trace,
    )


def _parsed(head: Head, sample: Sample) -> Call:
    if len(sample.raw) > BYTES_MAX:
        raise ValidationError({"body": f"a sample has at most {BYTES_MAX:,} bytes"})
    try:
        return parse.call(head, sample.raw, JSON, sample.most_messages)
    except Refusal as refusal:
        raise ValidationError({"body": refusal.message}) from None


def _scan(call: Call, app: App, *policies: EffectivePolicy) -> Scan:
    needs = frozenset[str]().union(*(policy.needs for policy in policies))
    tenant, leaves = app.tenant, call.view.leaves
    config = DetectorConfig(
        tuple(tenant.pii_countries),
        tuple(tenant.pii_phone_regions),
        own_detectors.of_json(tenant.detectors),
    )
    scan = tenants.scanner(config).scan(leaves, needs)
    entities = frozenset(tenant.pii_entities)
    if not any(policy.asks_names("request", entities) for policy in policies):
        return scan
    named = names_in(leaves, entities, settings.GATEHOUSE)
    return Scan((*scan.findings, *named.findings), scan.failed | named.failed)


def _base(app: App) -> tuple[Any, ...]:
    slots = list(DEFAULTS)
    slots[SLOTS["tenant.name"]] = app.tenant.name
    slots[SLOTS["app.name"]], slots[SLOTS["app.tier"]] = app.name, app.tier
    return tuple(slots)


def _add_target(slots: list[Any], model: str) -> None:
    """Add who would serve the model: the deployment that is tried first, if there is one."""
    served = Deployment.objects.filter(route__name=model).select_related("provider")
    first = served.order_by("priority", "id").first()
    if first is not None:
        slots[SLOTS["model.provider"]] = first.provider.name
        slots[SLOTS["model.region"]] = first.region
