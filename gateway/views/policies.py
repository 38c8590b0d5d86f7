"""Policies: their versions, what differs between them, and where they hold."""

import datetime
import uuid
from contextlib import suppress
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.actor import Actor
from audit.rule_hits import RuleFigures, rule_figures
from gateway import diff
from gateway.access import requires
from gateway.pages import (
    listed,
    or_404,
)
from gateway.views.publishing import crumbs, may_publish, number_in
from policies.analysed import hits_of_active
from policies.identity import identity
from policies.models import Policy, PolicyVersion, Review, Rollout, Schedule
from policies.pdp.analysis.analyse import analyse_document
from policies.pdp.analysis.diff import compare_documents
from policies.pdp.document import Document
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.problem import PolicyError
from policies.pdp.testing import CaseResult, run_cases
from policies.selectors import (
    attachments,
    backtests_visible,
    policies_visible,
    versions_visible,
)
from policies.visible import (
    reviews_visible,
    rollouts_visible,
    schedules_visible,
    with_question,
)
from tenants.permissions import tenants_where
from tenants.selectors import tenants_visible

BACKTESTS_SHOWN = 5
RULE_DAYS = 30


@requires("policy.read")
@require_safe
def show(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show a policy: its active text, its tests, its versions and where it holds."""
    policy = _policy(actor, policy_id)
    content: dict[str, Any] = _of_version(policy.active) if policy.active else {}
    content |= {
        "crumbs": crumbs(),
        "policy": policy,
        "me": identity(actor),
        "versions": listed(request, versions_visible(actor, policy)),
        "attachments": listed(request, _attachments(actor, policy), "held"),
        "may_publish": may_publish(actor, policy),
        "open_reviews": reviews_visible(actor).filter(policy=policy, state=Review.State.OPEN),
        "waiting": _waiting(actor, policy),
        "running": rollouts_visible(actor).filter(policy=policy, state=Rollout.State.RUNNING),
        "may_backtest": tenants_where(actor, "backtest.create") != frozenset(),
        "backtests": backtests_visible(actor).filter(policy=policy.name)[:BACKTESTS_SHOWN],
        "rules": _figures(request, actor, policy),
        "rule_days": RULE_DAYS,
        "may_attach": policy.active is not None
        and tenants_where(actor, "policy.attach") != frozenset(),
    }
    return render(request, "policies/policy_show.html", content)


@requires("policy.read")
@require_safe
def version(request: HttpRequest, actor: Actor, policy_id: uuid.UUID, number: int) -> HttpResponse:
    """Show one version, for ever the same."""
    policy = _policy(actor, policy_id)
    found = or_404(versions_visible(actor, policy).filter(number=number).first())
    content = {"crumbs": crumbs(policy), "policy": policy, **_of_version(found)}
    return render(request, "policies/policy_version.html", content)


@requires("policy.read")
@require_safe
def compare(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show what differs between two versions."""
    policy = _policy(actor, policy_id)
    versions = {each.number: each for each in versions_visible(actor, policy)}
    before = versions.get(number_in(request.GET.get("from", "")))
    after = versions.get(number_in(request.GET.get("to", "")))
    if before is None or after is None:
        or_404(None if request.GET else policy.active)
        newest = list(versions.values())
        before, after = or_404(newest[-1] if newest else None), newest[0]
    content = {
        "crumbs": crumbs(policy),
        "policy": policy,
        "versions": list(versions),
        "before": before,
        "after": after,
        "words": diff.words(_document(before), _document(after)),
        "lines": diff.lines(before.source, after.source),
        "difference": compare_documents(_document(before), _document(after)),
        "report": analyse_document(
            _document(after, written=True),
            hits_of_active(actor, policy, after.hash, timezone.now()),
        ),
    }
    return render(request, "policies/policy_diff.html", content)


def _figures(request: HttpRequest, actor: Actor, policy: Policy) -> list[RuleFigures]:
    """Return how the policy's rules did lately, in the calls of tenants that the actor may see."""
    until, ids = timezone.now(), tenants_where(actor, "policy.read")
    seen = list(tenants_visible(actor))
    request.tenants_seen = seen  # type: ignore[attr-defined]  # the frame lists the same
    tenants = [each.pk for each in seen if ids is None or str(each.pk) in ids]
    since = until - datetime.timedelta(days=RULE_DAYS)
    return rule_figures(tenants, since, until, policy.name)


def _policy(actor: Actor, policy_id: uuid.UUID) -> Policy:
    waits = Exists(Schedule.objects.filter(policy=OuterRef("pk"), state=Schedule.State.WAITING))
    found = policies_visible(actor).select_related("active").annotate(waits=waits)
    return or_404(found.filter(id=policy_id).first())


def _waiting(actor: Actor, policy: Policy) -> QuerySet[Schedule]:
    """Return what is to come into force: asked for where something is, which `_policy` tells."""
    waiting = schedules_visible(actor).filter(policy=policy, state=Schedule.State.WAITING)
    return waiting if policy.waits else waiting.none()  # type: ignore[attr-defined]  # annotated


def _attachments(actor: Actor, policy: Policy) -> QuerySet[Any]:
    """Return where the policy holds, as far as the actor may know."""
    found = attachments().filter(policy=policy).select_related("tenant", "app")
    ids = tenants_where(actor, "policy.read")
    seen = found if ids is None else found.filter(Q(tenant=None) | Q(tenant_id__in=ids))
    return with_question(seen).order_by("tenant__name", "app__name", "id")


def _of_version(found: PolicyVersion) -> dict[str, Any]:
    return {"version": found, "source": _numbered(found.source), "cases": _cases(found)}


def _cases(found: PolicyVersion) -> tuple[CaseResult, ...]:
    return run_cases(parse_document(found.source))


def _document(found: PolicyVersion, *, written: bool = False) -> Document:
    """Return the document; `written` with the places in its text, if that still parses."""
    with suppress(PolicyError):
        if written:
            return parse_document(found.source)
    return load_canonical(found.canonical.encode())


def _numbered(text: str) -> list[tuple[int, str, bool]]:
    return [(number, line, False) for number, line in enumerate(text.splitlines(), 1)]
