"""Where policies hold: attaching one to the platform, a tenant or an app, and ending that."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import check, requires
from gateway.owners import Owner, owners
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    NeededReasonForm,
    ReasonForm,
    form_page,
    given,
    or_404,
)
from policies.clearance import detachment_asked
from policies.models import Attachment, Policy
from policies.pdp.problem import PolicyError
from policies.selectors import attachments, policies_visible
from policies.services.attachments import (
    policy_attach,
    policy_detach,
    policy_detach_withdraw,
)
from tenants.permissions import can

PLATFORM = "platform"


class AttachForm(NeededReasonForm):
    """Where the policy shall hold, and why."""

    field_order = ("scope", "reason")

    def __init__(self, data: Any, places: Mapping[str, str]) -> None:
        super().__init__(data)
        self.fields["scope"] = forms.ChoiceField(label="It holds for", choices=[*places.items()])
        self.order_fields(self.field_order)


@requires("policy.attach")
@require_http_methods(["GET", "HEAD", "POST"])
def attach(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show the form, or let the policy hold somewhere."""
    policy = or_404(policies_visible(actor).filter(id=policy_id).first())
    found = {owner.value: owner for owner in owners(actor, "policy.attach") if owner.key is None}
    form = AttachForm(given(request), _places(actor, found))
    page = FormPage(
        title=f"Attach {policy.name}",
        submit="Attach the policy",
        back=_address(policy),
        crumbs=_crumbs(policy),
        effects=(
            "Within seconds every call there is judged by it too.",
            "Policies only add up: where one of them denies, the call is denied.",
        ),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        owner = found.get(asked["scope"])
        try:
            policy_attach(
                actor=actor,
                policy=policy,
                tenant=owner.tenant if owner else None,
                app=owner.app if owner else None,
                reason=asked["reason"],
            )
        except PolicyError as error:
            raise ValidationError({"scope": str(error)}) from error
        return Done(f"{policy.name} holds there within seconds.", _address(policy))

    return form_page(request, page, form, act)


@requires("policy.detach")
@require_http_methods(["GET", "HEAD", "POST"])
def detach(request: HttpRequest, actor: Actor, attachment_id: int) -> HttpResponse:
    """Say what will no longer hold, or end it."""
    attachment = or_404(_attachment(actor, attachment_id))
    check(actor, "policy.detach", attachment if attachment.tenant_id else None)
    policy, place = attachment.policy, _name(attachment)
    page = FormPage(
        title=f"Detach {policy.name} from {place}",
        submit="Detach the policy",
        back=_address(policy),
        crumbs=_crumbs(policy),
        effects=(
            f"Within seconds {policy.name} no longer judges calls of {place}.",
            "Where no policy is left that permits, calls are refused.",
            _second_person(attachment),
        ),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        try:
            gone = policy_detach(actor=actor, attachment=attachment, reason=asked["reason"])
        except PermissionDenied as error:
            raise ValidationError(str(error)) from error
        if not gone:
            said = f"{policy.name} holds for {place} until somebody else detaches it too."
            return Done(said, _address(policy))
        return Done(f"{policy.name} no longer holds for {place}.", _address(policy))

    return form_page(request, page, NeededReasonForm(given(request)), act)


@requires("policy_detach.withdraw")
@require_http_methods(["GET", "HEAD", "POST"])
def keep(request: HttpRequest, actor: Actor, attachment_id: int) -> HttpResponse:
    """Say what holds on, or turn down that its end was asked for."""
    attachment = or_404(_attachment(actor, attachment_id))
    check(actor, "policy_detach.withdraw", attachment if attachment.tenant_id else None)
    policy, place = attachment.policy, _name(attachment)
    page = FormPage(
        title=f"Keep {policy.name} for {place}",
        submit="Keep it",
        back=_address(policy),
        crumbs=_crumbs(policy),
        effects=(
            f"{policy.name} goes on to judge calls of {place}.",
            "Nobody can confirm any more that it shall not: it has to be asked for anew.",
        ),
    )

    def act(asked: Mapping[str, Any]) -> Done:
        policy_detach_withdraw(actor=actor, attachment=attachment, reason=asked["reason"])
        return Done(f"{policy.name} holds on for {place}.", _address(policy))

    return form_page(request, page, ReasonForm(given(request)), act)


def _second_person(attachment: Attachment) -> str:
    if not detachment_asked(attachment):
        return "Where reviews are wanted, it ends once somebody else has detached it too."
    why = f": {attachment.detach_reason}" if attachment.detach_reason else "."
    return f"{attachment.detach_asked_by} asked for it{why}"


def _attachment(actor: Actor, attachment_id: int) -> Attachment | None:
    found = attachments().filter(id=attachment_id, policy__in=policies_visible(actor))
    attachment = found.select_related("policy", "tenant", "app").first()
    if attachment is None or attachment.tenant is None:
        return attachment
    return attachment if can(actor, "policy.read", attachment.tenant) else None


def _places(actor: Actor, found: Mapping[str, Owner]) -> dict[str, str]:
    platform = {PLATFORM: "the whole platform"} if can(actor, "policy.attach", None) else {}
    return platform | {value: owner.label for value, owner in found.items()}


def _name(attachment: Attachment) -> str:
    if attachment.tenant is None:
        return "the whole platform"
    if attachment.app is None:
        return attachment.tenant.name
    return f"{attachment.tenant.name} / {attachment.app.name}"


def _address(policy: Policy) -> str:
    return reverse("policy", args=[policy.id])


def _crumbs(policy: Policy) -> list[Crumb]:
    return [Crumb("Policies", reverse("policies")), Crumb(policy.name, _address(policy))]
