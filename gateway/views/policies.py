"""Policies: their versions, what differs between them, where they hold, and publishing one."""

import datetime
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from audit.rule_hits import RuleFigures, rule_figures
from gateway import diff
from gateway.access import MayNotError, requires
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    NeededReasonForm,
    ReasonForm,
    form_page,
    given,
    listed,
    or_404,
    refuse,
    tenant_chosen,
)
from gateway.policy_preview import Preview, preview
from policies.analysed import hits_of_active
from policies.models import Policy, PolicyVersion, Review, Rollout, Schedule
from policies.pdp.analysis.analyse import analyse_document
from policies.pdp.analysis.diff import compare_documents
from policies.pdp.document import Document
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.problem import PolicyError, Problem
from policies.pdp.testing import CaseResult, run_cases
from policies.selectors import (
    attachments,
    backtests_visible,
    policies_visible,
    versions_visible,
)
from policies.services.drafts import draft_create
from policies.services.policies import policy_create, policy_publish
from policies.templates import templates
from policies.visible import reviews_visible, rollouts_visible, schedules_visible
from tenants.models import Tenant
from tenants.permissions import can, tenants_where
from tenants.selectors import tenants_visible

SOURCE_MAX = 200_000
BACKTESTS_SHOWN = 5
RULE_DAYS = 30
STARTER = """\
policy: {name}
description: What this policy is for.
default: permit
rules:
  - id: no-card-numbers
    when: '"CREDIT_CARD" in pii.kinds'
    deny:
      message: "Card numbers may not leave."
      remedy: "Take the card numbers out."
tests:
  - name: a plain question passes
    given: {{}}
    expect: {{permit: true}}
  - name: a card number is refused
    given: {{pii.count: 1, pii.kinds: [CREDIT_CARD], pii.max_score: 1.0}}
    expect: {{deny: no-card-numbers}}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A policy in the list, and where it holds as far as the actor may know."""

    policy: Policy
    scopes: tuple[str, ...]


class NewPolicyForm(ReasonForm):
    """A new policy."""

    name = forms.CharField(
        max_length=63, help_text="1 to 63 of a-z, 0-9, “.”, “_” and “-”; records name it."
    )
    template = forms.ChoiceField(
        required=False,
        label="Begin with",
        help_text="A text that comes with Gatehouse becomes its draft; its own tests are in it.",
    )
    field_order = ("name", "template", "reason")

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        known = [(name, f"{each.label}: {each.description}") for name, each in templates().items()]
        self.fields["template"].choices = [("", "an empty text"), *known]  # type: ignore[attr-defined]


class PublishForm(NeededReasonForm):
    """The text of a version, on which one it builds, and a note on the change."""

    source = forms.CharField(
        label="Text",
        max_length=SOURCE_MAX,
        strip=False,
        widget=forms.Textarea({"rows": 26, "spellcheck": "false", "class": "source"}),
    )
    base = forms.CharField(required=False, max_length=12, widget=forms.HiddenInput)
    field_order = ("source", "reason")


@requires("policy.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the policies with their active versions and where they hold."""
    policies, tenant = (
        policies_visible(actor).select_related("active"),
        tenant_chosen(request, actor),
    )
    if tenant is not None:
        held = attachments().filter(Q(tenant=tenant) | Q(tenant=None))
        policies = policies.filter(id__in=held.values("policy_id"))
    rows = listed(request, policies)
    scopes = _scopes(actor, list(rows))
    content = {
        "page": rows,
        "rows": [Row(policy, tuple(scopes.get(policy.id, ()))) for policy in rows],
        "is_filtered": tenant is not None,
        "may_create": can(actor, "policy.create", None),
    }
    return render(request, "policies/policy_list.html", content)


@requires("policy.read")
@require_safe
def show(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show a policy: its active text, its tests, its versions and where it holds."""
    policy = _policy(actor, policy_id)
    content: dict[str, Any] = _of_version(policy.active) if policy.active else {}
    content |= {
        "crumbs": _crumbs(),
        "policy": policy,
        "versions": listed(request, versions_visible(actor, policy)),
        "attachments": listed(request, _attachments(actor, policy), "held"),
        "may_publish": _may_publish(actor, policy),
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
    content = {"crumbs": _crumbs(policy), "policy": policy, **_of_version(found)}
    return render(request, "policies/policy_version.html", content)


@requires("policy.read")
@require_safe
def compare(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show what differs between two versions."""
    policy = _policy(actor, policy_id)
    versions = {each.number: each for each in versions_visible(actor, policy)}
    before = versions.get(_number(request.GET.get("from", "")))
    after = versions.get(_number(request.GET.get("to", "")))
    if before is None or after is None:
        or_404(None if request.GET else policy.active)
        newest = list(versions.values())
        before, after = or_404(newest[-1] if newest else None), newest[0]
    content = {
        "crumbs": _crumbs(policy),
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


@requires("policy.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create a policy without a text."""
    page = FormPage(
        title="Create a policy",
        submit="Create the policy",
        back=reverse("policies"),
        crumbs=_crumbs(),
        lead="It holds nowhere until a text is published and it is attached.",
    )

    def act(asked: Any) -> Done:
        policy = policy_create(actor=actor, name=asked["name"], reason=asked["reason"])
        if asked["template"]:
            source = templates()[asked["template"]].source(policy.name)
            draft_create(actor=actor, policy=policy, source=source)
            said = f"{policy.name} is there, with a draft."
            return Done(said, reverse("policy_draft", args=[policy.id]))
        said = f"{policy.name} is there. Publish its first text."
        return Done(said, reverse("policy_publish", args=[policy.id]))

    return form_page(request, page, NewPolicyForm(given(request)), act)


@requires("policy.read")
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show the text, or freeze it as a version that holds wherever the policy is attached."""
    policy = _policy(actor, policy_id)
    if not _may_publish(actor, policy):
        raise MayNotError("policy.publish")
    if "preview" in request.POST:
        form = PublishForm(initial=request.POST.dict())
        seen = preview(actor, policy, request.POST.get("source", ""))
        return _publish_page(request, policy, form, seen.problems, seen=seen)
    form = PublishForm(given(request), initial=_draft(request, actor, policy))
    problems: Sequence[Problem] = ()
    if form.is_valid():
        asked = form.cleaned_data
        if asked["base"] != _base(policy):
            return _publish_page(request, policy, form, (), is_stale=True)
        try:
            new = policy_publish(
                actor=actor, policy=policy, source=asked["source"], reason=asked["reason"]
            )
        except PolicyError as error:
            problems = error.problems
            form.add_error("source", f"{len(problems)} thing(s) to mend; they are listed below.")
        except ValidationError as error:
            refuse(form, error)
        else:
            messages.success(request, f"Version {new.number} of {policy.name} is active.")
            return redirect(_address(policy))
    return _publish_page(request, policy, form, problems)


def _figures(request: HttpRequest, actor: Actor, policy: Policy) -> list[RuleFigures]:
    """Return how the policy's rules did lately, in the calls of tenants that the actor may see."""
    until, ids = timezone.now(), tenants_where(actor, "policy.read")
    seen = list(tenants_visible(actor))
    request.tenants_seen = seen  # type: ignore[attr-defined]  # the frame lists the same
    tenants = [each.pk for each in seen if ids is None or str(each.pk) in ids]
    since = until - datetime.timedelta(days=RULE_DAYS)
    return rule_figures(tenants, since, until, policy.name)


def _publish_page(
    request: HttpRequest,
    policy: Policy,
    form: PublishForm,
    problems: Sequence[Problem],
    *,
    is_stale: bool = False,
    seen: Preview | None = None,
) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    marked = {problem.line for problem in problems}
    text = request.POST.get("source", "") if problems else ""
    content = {
        "crumbs": _crumbs(policy),
        "policy": policy,
        "form": form,
        "problems": problems,
        "lines": [
            (number, line, number in marked) for number, line in enumerate(text.splitlines(), 1)
        ],
        "is_stale": is_stale,
        "preview": seen or Preview(),
        "scopes": attachments().filter(policy=policy).count(),
    }
    code = HTTPStatus.CONFLICT if is_stale else status
    return render(request, "policies/policy_publish.html", content, status=code)


def _draft(request: HttpRequest, actor: Actor, policy: Policy) -> dict[str, str]:
    """Return the text to begin with: an older version's, the active one, or an example."""
    source = policy.active.source if policy.active else STARTER.format(name=policy.name)
    number = request.GET.get("from", "")
    if number:
        found = versions_visible(actor, policy).filter(number=_number(number)).first()
        source = or_404(found).source
    return {"source": source, "base": _base(policy)}


def _base(policy: Policy) -> str:
    return "" if policy.active is None else str(policy.active.number)


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
    return seen.order_by("tenant__name", "app__name", "id")


def _scopes(actor: Actor, policies: Sequence[Policy]) -> dict[uuid.UUID, list[str]]:
    """Return by policy where it holds, in words, as far as the actor may know."""
    ids = tenants_where(actor, "policy.read")
    found = attachments().filter(policy__in=policies).select_related("tenant", "app")
    scopes: dict[uuid.UUID, list[str]] = {}
    for held in found:
        if held.tenant is None or ids is None or str(held.tenant_id) in ids:
            scopes.setdefault(held.policy_id, []).append(_scope(held))
    return scopes


def _scope(held: Any) -> str:
    if held.tenant is None:
        return "the whole platform"
    return held.tenant.name if held.app is None else f"{held.tenant.name} / {held.app.name}"


def _may_publish(actor: Actor, policy: Policy) -> bool:
    """Return what the service will ask: the release wherever it holds, else the draft."""
    scopes: set[Tenant | None] = {
        held.tenant for held in attachments().filter(policy=policy).select_related("tenant")
    }
    if not scopes:
        return can(actor, "policy.create", None)
    return all(can(actor, "policy.publish", tenant) for tenant in scopes)


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


def _number(text: str) -> int:
    try:
        return int(text) if text else 0
    except ValueError:
        raise BadRequest("a version is a number") from None


def _address(policy: Policy) -> str:
    return reverse("policy", args=[policy.id])


def _crumbs(policy: Policy | None = None) -> list[Crumb]:
    crumbs = [Crumb("Policies", reverse("policies"))]
    return crumbs if policy is None else [*crumbs, Crumb(policy.name, _address(policy))]
