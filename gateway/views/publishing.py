"""Policies are created, and their texts published."""

import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import MayNotError, requires
from gateway.merging import Sides, sides
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    NeededReasonForm,
    ReasonForm,
    form_page,
    given,
    or_404,
    refuse,
)
from gateway.policy_preview import Preview, preview
from policies.models import Policy
from policies.pdp.problem import PolicyError, Problem
from policies.selectors import attachments, policies_visible, versions_visible
from policies.services.drafts import draft_create
from policies.services.policies import policy_create, policy_publish
from policies.templates import templates
from tenants.models import Tenant
from tenants.permissions import can

SOURCE_MAX = 200_000
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

    def clean_source(self) -> str:
        """Return the text with the ends of lines that it had: a browser sends others."""
        return str(self.cleaned_data["source"]).replace("\r\n", "\n")


@requires("policy.create")
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or create a policy without a text."""
    page = FormPage(
        title="Create a policy",
        submit="Create the policy",
        back=reverse("policies"),
        crumbs=crumbs(),
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
    policy = or_404(policies_visible(actor).select_related("active").filter(id=policy_id).first())
    if not may_publish(actor, policy):
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
            return _overtaken(request, actor, policy, asked)
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
            return redirect(address_of(policy))
    return _publish_page(request, policy, form, problems)


def _overtaken(
    request: HttpRequest, actor: Actor, policy: Policy, asked: Mapping[str, Any]
) -> HttpResponse:
    """Show a text beside the version that was published meanwhile, and both brought together."""
    number = number_in(asked["base"])
    begun = versions_visible(actor, policy).filter(number=number).first()
    active = policy.active
    both = sides(
        begun.source if begun else "",
        ("you", asked["source"]),
        (f"version {active.number}", active.source) if active else ("the end of it", ""),
    )
    begin = {"source": both.merged.text, "base": _base(policy), "reason": asked["reason"]}
    return _publish_page(request, policy, PublishForm(initial=begin), (), both=both)


def _publish_page(
    request: HttpRequest,
    policy: Policy,
    form: PublishForm,
    problems: Sequence[Problem],
    *,
    both: Sides | None = None,
    seen: Preview | None = None,
) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    marked = {problem.line for problem in problems}
    text = request.POST.get("source", "") if problems else ""
    content = {
        "crumbs": crumbs(policy),
        "policy": policy,
        "form": form,
        "problems": problems,
        "lines": [
            (number, line, number in marked) for number, line in enumerate(text.splitlines(), 1)
        ],
        "both": (both.theirs, both.ours) if both else (),
        "merged": both.merged if both else None,
        "preview": seen or Preview(),
        "scopes": attachments().filter(policy=policy).count(),
    }
    code = HTTPStatus.CONFLICT if both else status
    return render(request, "policies/policy_publish.html", content, status=code)


def _draft(request: HttpRequest, actor: Actor, policy: Policy) -> dict[str, str]:
    """Return the text to begin with: an older version's, the active one, or an example."""
    source = policy.active.source if policy.active else STARTER.format(name=policy.name)
    number = request.GET.get("from", "")
    if number:
        found = versions_visible(actor, policy).filter(number=number_in(number)).first()
        source = or_404(found).source
    return {"source": source, "base": _base(policy)}


def _base(policy: Policy) -> str:
    return "" if policy.active is None else str(policy.active.number)


def may_publish(actor: Actor, policy: Policy) -> bool:
    """Return what the service will ask: the release wherever it holds, else the draft."""
    scopes: set[Tenant | None] = {
        held.tenant for held in attachments().filter(policy=policy).select_related("tenant")
    }
    if not scopes:
        return can(actor, "policy.create", None)
    return all(can(actor, "policy.publish", tenant) for tenant in scopes)


def number_in(text: str) -> int:
    """Return the number of a version that an address names; 0: none."""
    try:
        return int(text) if text else 0
    except ValueError:
        raise BadRequest("a version is a number") from None


def address_of(policy: Policy) -> str:
    """Return where a policy is shown."""
    return reverse("policy", args=[policy.id])


def crumbs(policy: Policy | None = None) -> list[Crumb]:
    """Return the way to a page of the policies, or of one of them."""
    way = [Crumb("Policies", reverse("policies"))]
    return way if policy is None else [*way, Crumb(policy.name, address_of(policy))]
