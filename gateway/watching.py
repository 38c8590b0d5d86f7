"""Rules that behave otherwise than they did: a notice each, opened once and closed when it is over.

A day is the 24 hours before the instant that is given, and so on back from there.
"""

import datetime
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Min

from audit.actor import Actor
from audit.actor import task as task_actor
from audit.anomaly import DAYS, Unusual, never_fired, unusual
from audit.models import Notice, RuleHits
from audit.services import Change, note
from policies.pdp.language import load_canonical
from policies.selectors import attached
from tenants.models import Tenant

DAY = datetime.timedelta(days=1)
ACTOR = "gateway.watch_rules"


@dataclass(frozen=True, slots=True)
class Watched:
    """What a tenant's rules did, day by day, oldest first; `all_calls` of each day."""

    hits: Mapping[str, Sequence[int]]
    all_calls: Sequence[int]


def watch(now: datetime.datetime) -> int:
    """Open notices of what is unusual and close those that are over; return how many are new."""
    actor, opened = task_actor(ACTOR), 0
    for tenant in Tenant.objects.exclude(state=Tenant.State.REMOVED).order_by("id"):
        found = dict(_findings(tenant, now))
        with transaction.atomic():
            opened += _reconcile(actor, tenant, found, now)
    return opened


def watched(tenant_id: uuid.UUID, now: datetime.datetime) -> Watched:
    """Return the hits of a tenant's rules on each of the last days."""
    since = now - (DAYS + 1) * DAY
    hits: dict[str, list[int]] = {}
    rows = RuleHits.objects.filter(tenant_id=tenant_id, start__gte=since, start__lt=now)
    for rule, start, calls in rows.values_list("rule", "start", "calls"):
        days = hits.setdefault(rule, [0] * (DAYS + 1))
        days[DAYS - (now - start - datetime.timedelta(microseconds=1)) // DAY] += calls
    return Watched(hits, hits.pop("", [0] * (DAYS + 1)))


def _findings(tenant: Tenant, now: datetime.datetime) -> Iterator[tuple[tuple[str, str], Unusual]]:
    """Yield by rule and kind what is unusual, of the rules in force alone."""
    seen, is_whole = watched(tenant.pk, now), _counted_since(tenant.pk, now)
    for rule, since in _rules_in_force(tenant):
        hits = seen.hits.get(rule, [0] * (DAYS + 1))
        found = unusual(hits, seen.all_calls)
        if found is None and is_whole and since <= now - DAYS * DAY:
            found = never_fired(hits[1:], seen.all_calls[1:])
        if found is not None:
            yield (rule, found.kind), found


def _rules_in_force(tenant: Tenant) -> Iterator[tuple[str, datetime.datetime]]:
    """Yield the rules that are enforced or in shadow, and since when their version exists."""
    for name, version in attached(tenant).versions.items():
        for rule in load_canonical(version.canonical.encode()).rules:
            if rule.mode != "disabled":
                yield f"{name}/{rule.id}", version.created_at


def _counted_since(tenant_id: uuid.UUID, now: datetime.datetime) -> bool:
    """Return whether hours of all the days were counted: what was not counted is not silent."""
    first = RuleHits.objects.filter(tenant_id=tenant_id).aggregate(at=Min("start"))["at"]
    return first is not None and first <= now - (DAYS - 1) * DAY


def _reconcile(
    actor: Actor,
    tenant: Tenant,
    found: Mapping[tuple[str, str], Unusual],
    now: datetime.datetime,
) -> int:
    held = Notice.objects.select_for_update().filter(tenant_id=tenant.pk, closed_at=None)
    open_now = {(notice.rule, notice.kind): notice for notice in held}
    for key in open_now.keys() - found.keys():
        Notice.objects.filter(pk=open_now[key].pk).update(closed_at=now)
    new = sorted(found.keys() - open_now.keys())
    for rule, kind in new:
        notice = Notice(
            tenant_id=tenant.pk,
            tenant=tenant.name,
            rule=rule,
            kind=kind,
            said=found[rule, kind].said,
            opened_at=now,
        )
        notice.full_clean()
        notice.save(force_insert=True)
        change = Change(actor, "notice.open", tenant.pk, tenant.name)
        note(change, notice, before=None, after={"rule": rule, "kind": kind, "said": notice.said})
    return len(new)
