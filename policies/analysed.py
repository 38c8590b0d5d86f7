"""A text analysed where it would hold: by itself, then in each set of policies that it joins.

Sets that are the same for several callers are looked at once. Tenants, sets and steps are bounded,
so that a page is never waited for long; what was left out is told.
"""

import datetime
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from audit.actor import Actor
from policies.models import Policy
from policies.pdp.analysis.analyse import Hits, analyse, analyse_document
from policies.pdp.analysis.finding import Finding, Report
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.obligations import Json
from policies.pdp.problem import PolicyError
from policies.scopes import scopes_of
from policies.selectors import Attached, attached
from policies.silence import hits_of
from policies.substitution import Place, Substitution
from tenants.models import App, Tenant
from tenants.permissions import tenants_where
from tenants.selectors import tenants_visible

TENANTS_MAX = 10
SETS_MAX = 12
STEPS_MAX = 60_000
"""All sets have so many steps together, which take a fraction of a second."""


@dataclass(frozen=True, slots=True)
class Within:
    """What is wrong only among other policies, and for whom; `clash`: they do not fit together."""

    places: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    clash: str = ""

    def written(self) -> dict[str, Json]:
        """Return it as data."""
        findings = [finding.written() for finding in self.findings]
        return {"places": [*self.places], "findings": [*findings], "clash": self.clash}


@dataclass(frozen=True, slots=True)
class Analysed:
    """The report on a text alone, and on each set that it joins; not `is_whole`: sets are left."""

    report: Report
    within: tuple[Within, ...] = ()
    is_whole: bool = True

    def written(self) -> dict[str, Json]:
        """Return it as data."""
        within = [one.written() for one in self.within]
        return {"report": self.report.written(), "within": [*within], "is_whole": self.is_whole}


def analysed(actor: Actor, policy: Policy, document: Document, now: datetime.datetime) -> Analysed:
    """Analyse a text of a policy, with what it meets in the tenants that the actor may read.

    Of the active text it is told as well which rules have not matched there.
    """
    report = analyse_document(document, hits_of_active(actor, policy, document.hash, now))
    tenants = list(tenants_of(actor, policy)[: TENANTS_MAX + 1])
    sets: dict[tuple[object, ...], tuple[list[str], Substitution, uuid.UUID | None]] = {}
    for tenant in tenants[:TENANTS_MAX]:
        for place, supposed, app_id in _sets(tenant, policy.name, document):
            known = sets.setdefault(_members(supposed, app_id), ([], supposed, app_id))
            known[0].append(place)
    is_whole, left, found = len(tenants) <= TENANTS_MAX, STEPS_MAX, list[Within]()
    told = {_key(finding) for finding in report.findings}
    for places, supposed, app_id in sets.values():
        if len(found) >= SETS_MAX or left <= 0:
            is_whole = False
            break
        one, steps, undecided = _within(tuple(places), supposed, app_id, left)
        kept = tuple(f for f in one.findings if _concerns(f, document) and _key(f) not in told)
        found.append(Within(one.places, kept, one.clash))
        left, is_whole = left - steps, is_whole and not undecided
    return Analysed(report, tuple(found), is_whole)


def hits_of_active(
    actor: Actor, policy: Policy, text_hash: str, now: datetime.datetime
) -> Hits | None:
    """Return how often the rules matched where the text is the active one, and None elsewhere."""
    active = policy.active
    if active is None or active.hash != text_hash:
        return None
    return hits_of(list(tenants_of(actor, policy).values_list("id", flat=True)), [active], now)


def tenants_of(actor: Actor, policy: Policy) -> QuerySet[Tenant]:
    """Return the tenants that a policy holds in and whose policies the actor may read."""
    ids, scopes = tenants_where(actor, "policy.read"), scopes_of(policy)
    seen = tenants_visible(actor) if ids is None else tenants_visible(actor).filter(id__in=ids)
    if None not in scopes:
        seen = seen.filter(id__in=[tenant.id for tenant in scopes if tenant is not None])
    return seen


def _sets(
    tenant: Tenant, name: str, document: Document
) -> Iterator[tuple[str, Substitution, uuid.UUID | None]]:
    """Yield each set of a tenant that the text is in: where it is, and for which app."""
    held = attached(tenant)
    supposed = Substitution(held, document, Place())
    if name in held.platform or name in held.tenant:
        yield tenant.name, supposed, None
    names = dict(App.objects.filter(tenant=tenant, id__in=held.apps).values_list("id", "name"))
    for app_id, own in sorted(held.apps.items(), key=lambda each: names.get(each[0], "")):
        if app_id in names and name in _everything(held, own):
            yield f"{tenant.name} / {names[app_id]}", supposed, app_id


def _everything(held: Attached, own: Iterable[str]) -> set[str]:
    return {*held.platform, *held.tenant, *own}


def _members(supposed: Substitution, app_id: uuid.UUID | None) -> tuple[object, ...]:
    """Return what tells two sets apart: which version holds at which layer."""
    held = supposed.held
    layers: Mapping[str, Iterable[str]] = {
        "platform": held.platform,
        "tenant": held.tenant,
        "app": () if app_id is None else held.apps.get(app_id, ()),
    }
    return tuple(
        (layer, name, held.versions[name].id) for layer, own in layers.items() for name in own
    )


def _within(
    places: tuple[str, ...], supposed: Substitution, app_id: uuid.UUID | None, steps_max: int
) -> tuple[Within, int, int]:
    """Return what is wrong in one set, the steps that it took and the questions that are open."""
    try:
        policy: EffectivePolicy = supposed.after(app_id)
    except PolicyError as error:
        return Within(places, clash=str(error)), 0, 0
    report = analyse(policy, steps_max=steps_max)
    return Within(places, report.findings), report.steps, report.undecided


def _concerns(finding: Finding, document: Document) -> bool:
    return any(rule.policy == document.name for rule in finding.rules)


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.kind, tuple(str(rule) for rule in finding.rules)
