"""Versions that come into force: again, at an instant, or for some of the keys first."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import requires
from gateway.calls.compared import CHANGES
from gateway.pages import Crumb, Done, FormPage, NeededReasonForm, form_page, given, or_404
from gateway.views.drafts import faults_told
from policies.drift import drift_of
from policies.models import Activation, Policy, PolicyVersion
from policies.selectors import policies_visible, versions_visible
from policies.services.activations import policy_activate, policy_rollback
from policies.services.rollouts import (
    rollout_promote,
    rollout_start,
    rollout_stop,
    rollout_update,
)
from policies.services.schedules import schedule_cancel, schedule_create
from policies.visible import rollouts_visible, schedules_visible
from tenants.permissions import tenants_where


class InstantForm(NeededReasonForm):
    """When a version comes into force, in UTC."""

    at = forms.DateTimeField(
        label="At (UTC)",
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Within the next 366 days.",
    )
    field_order = ("at", "reason")


class PercentForm(NeededReasonForm):
    """How many of the keys are served the candidate."""

    percent = forms.IntegerField(
        min_value=0, max_value=100, help_text="0: it is only compared, and decides nothing."
    )
    field_order = ("percent", "reason")


@requires("policy.read")
@require_http_methods(["GET", "HEAD", "POST"])
def activate(request: HttpRequest, actor: Actor, policy_id: uuid.UUID, number: int) -> HttpResponse:
    """Show the form, or bring a version into force, again where it was before."""
    policy, version = _version(actor, policy_id, number)
    was_there = Activation.objects.filter(version=version).exists()
    title = f"{'Roll back' if was_there else 'Activate'} {policy.name} to version {number}"
    page = _page(policy, title, "Bring it into force", "It judges calls within a second.")

    def act(asked: Mapping[str, Any]) -> Done:
        service = policy_rollback if was_there else policy_activate
        with faults_told():
            service(actor=actor, version=version, reason=asked["reason"])
        return Done(f"Version {number} of {policy.name} is active.", page.back)

    return form_page(request, page, NeededReasonForm(given(request)), act)


@requires("schedule.create")
@require_http_methods(["GET", "HEAD", "POST"])
def schedule(request: HttpRequest, actor: Actor, policy_id: uuid.UUID, number: int) -> HttpResponse:
    """Show the form, or let a version come into force at an instant."""
    policy, version = _version(actor, policy_id, number)
    title = f"Schedule version {number} of {policy.name}"
    page = _page(policy, title, "Schedule it", "Whoever approved it must still be allowed to then.")

    def act(asked: Mapping[str, Any]) -> Done:
        with faults_told():
            schedule_create(actor=actor, policy=policy, version=version, **asked)
        return Done(f"Version {number} waits for its instant.", page.back)

    return form_page(request, page, InstantForm(given(request)), act)


@requires("schedule.cancel")
@require_http_methods(["GET", "HEAD", "POST"])
def unschedule(request: HttpRequest, actor: Actor, schedule_id: uuid.UUID) -> HttpResponse:
    """Show the form, or let a version that waits not come into force."""
    found = or_404(schedules_visible(actor).filter(id=schedule_id).first())
    title = f"Cancel version {found.version.number} of {found.policy.name}"
    page = _page(found.policy, title, "Cancel it", "The active version stays.")

    def act(asked: Mapping[str, Any]) -> Done:
        schedule_cancel(actor=actor, schedule=found, reason=asked["reason"])
        return Done("It will not come into force.", page.back)

    return form_page(request, page, NeededReasonForm(given(request)), act)


@requires("rollout.start")
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, actor: Actor, policy_id: uuid.UUID, number: int) -> HttpResponse:
    """Show the form, or let a version be judged beside the active one."""
    policy, version = _version(actor, policy_id, number)
    title = f"Try version {number} of {policy.name}"
    page = _page(policy, title, "Try it", "Which keys are served it depends on their ids alone.")

    def act(asked: Mapping[str, Any]) -> Done:
        with faults_told():
            made = rollout_start(actor=actor, policy=policy, version=version, **asked)
        return Done(
            "It is judged beside the active one.", reverse("policy_rollout", args=[made.id])
        )

    return form_page(request, page, PercentForm(given(request), initial={"percent": 0}), act)


@requires("policy.read")
@require_safe
def rollout(request: HttpRequest, actor: Actor, rollout_id: uuid.UUID) -> HttpResponse:
    """Show a candidate, and what it changes on live traffic."""
    found = or_404(rollouts_visible(actor).filter(id=rollout_id).first())
    may_read = tenants_where(actor, "record.read") != frozenset()
    drift = drift_of(actor, found) if may_read else None
    content = {
        "crumbs": _crumbs(found.policy),
        "rollout": found,
        "drift": drift,
        "counts": [(row, CHANGES.get(row.change, row.change)) for row in drift.counts]
        if drift
        else [],
        "examples": [(row, CHANGES.get(row.change, row.change)) for row in drift.examples]
        if drift
        else [],
        "may_change": tenants_where(actor, "rollout.update") != frozenset(),
    }
    return render(request, "policies/rollout_show.html", content)


@requires("rollout.update")
@require_http_methods(["GET", "HEAD", "POST"])
def widen(request: HttpRequest, actor: Actor, rollout_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change how many of the keys are served the candidate."""
    found = or_404(rollouts_visible(actor).filter(id=rollout_id).first())
    title = f"Keys that are served version {found.version.number} of {found.policy.name}"
    said = "Keys that were served it at a lower percentage keep it at a higher one."
    page = _page(found.policy, title, "Change the percentage", said)

    def act(asked: Mapping[str, Any]) -> Done:
        rollout_update(actor=actor, rollout=found, **asked)
        said = f"{asked['percent']} % of the keys are served it."
        return Done(said, reverse("policy_rollout", args=[found.id]))

    form = PercentForm(given(request), initial={"percent": found.percent})
    return form_page(request, page, form, act)


@requires("rollout.stop")
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, actor: Actor, rollout_id: uuid.UUID) -> HttpResponse:
    """Show the form, or let the active version alone decide again."""
    found = or_404(rollouts_visible(actor).filter(id=rollout_id).first())
    page = _page(found.policy, "End the rollout", "End it", "The active version alone decides.")

    def act(asked: Mapping[str, Any]) -> Done:
        rollout_stop(actor=actor, rollout=found, reason=asked["reason"])
        return Done("The active version alone decides.", page.back)

    return form_page(request, page, NeededReasonForm(given(request)), act)


@requires("rollout.promote")
@require_http_methods(["GET", "HEAD", "POST"])
def promote(request: HttpRequest, actor: Actor, rollout_id: uuid.UUID) -> HttpResponse:
    """Show the form, or make the candidate the active version."""
    found = or_404(rollouts_visible(actor).filter(id=rollout_id).first())
    title = f"Bring version {found.version.number} of {found.policy.name} into force"
    page = _page(found.policy, title, "Bring it into force", "It judges every key's calls.")

    def act(asked: Mapping[str, Any]) -> Done:
        with faults_told():
            rollout_promote(actor=actor, rollout=found, reason=asked["reason"])
        return Done(f"Version {found.version.number} is active.", page.back)

    return form_page(request, page, NeededReasonForm(given(request)), act)


def _version(actor: Actor, policy_id: uuid.UUID, number: int) -> tuple[Policy, PolicyVersion]:
    policy = or_404(policies_visible(actor).select_related("active").filter(id=policy_id).first())
    return policy, or_404(versions_visible(actor, policy).filter(number=number).first())


def _page(policy: Policy, title: str, submit: str, effect: str) -> FormPage:
    return FormPage(
        title=title,
        submit=submit,
        back=reverse("policy", args=[policy.id]),
        crumbs=_crumbs(policy),
        effects=(effect,),
    )


def _crumbs(policy: Policy) -> list[Crumb]:
    return [
        Crumb("Policies", reverse("policies")),
        Crumb(policy.name, reverse("policy", args=[policy.id])),
    ]
