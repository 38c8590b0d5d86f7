"""The text of a policy that is being worked on: edited, checked on demand, laid before others."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from audit.actor import Actor
from gateway import diff
from gateway.access import requires
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
)
from policies.judging import judged
from policies.models import Draft, Policy, Review
from policies.pdp.problem import PolicyError
from policies.selectors import policies_visible
from policies.services.drafts import (
    DraftChangedError,
    draft_create,
    draft_discard,
    draft_update,
)
from policies.services.emergencies import HOURS_MAX, policy_emergency_publish
from policies.services.policies import policy_publish
from policies.services.reviews import review_request
from policies.visible import drafts_visible
from policies.vocabulary import names_for

SOURCE_MAX = 200_000
_SOURCE = forms.Textarea({"rows": 26, "spellcheck": "false", "class": "source"})


class DraftForm(forms.Form):
    """The text, which edit of it was read, and what that said."""

    source = forms.CharField(label="Text", max_length=SOURCE_MAX, strip=False, widget=_SOURCE)
    revision = forms.IntegerField(widget=forms.HiddenInput)
    read = forms.CharField(
        required=False, strip=False, max_length=SOURCE_MAX, widget=forms.HiddenInput
    )

    def clean_source(self) -> str:
        """Return the text with the ends of lines that it had: a browser sends others."""
        return str(self.cleaned_data["source"]).replace("\r\n", "\n")

    def clean_read(self) -> str:
        """Return what was read, likewise."""
        return str(self.cleaned_data["read"]).replace("\r\n", "\n")


class AskForm(ReasonForm):
    """A note, and which edit of the draft was read."""

    revision = forms.IntegerField(widget=forms.HiddenInput)


class ReleaseForm(NeededReasonForm):
    """Why, and which edit of the draft was read."""

    revision = forms.IntegerField(widget=forms.HiddenInput)


class EmergencyForm(ReleaseForm):
    """How long it holds without a second person."""

    hours = forms.IntegerField(
        label="For so many hours",
        min_value=1,
        max_value=HOURS_MAX,
        help_text=f"1 to {HOURS_MAX}. It stays for good once somebody else has approved it.",
    )
    field_order = ("hours", "reason")


@requires("policy.read")
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show the draft of a policy, or save an edit of it; one that comes too late is not lost."""
    policy = _policy(actor, policy_id)
    draft = drafts_visible(actor).filter(policy=policy).first()
    if draft is None:
        return render(request, "policies/policy_draft.html", _frame(policy))
    form = DraftForm(given(request), initial=_to_edit(draft, draft.source))
    if not form.is_valid():
        return _page(request, draft, form)
    asked = form.cleaned_data
    try:
        draft_update(actor=actor, draft=draft, revision=asked["revision"], source=asked["source"])
    except DraftChangedError as conflict:
        stored = conflict.current
        mine, theirs = ("you", asked["source"]), (stored.author, stored.source)
        both = sides(asked["read"] or stored.source, mine, theirs)
        again = DraftForm(None, initial=_to_edit(stored, both.merged.text))
        return _page(request, stored, again, both=both)
    except ValidationError as error:
        form.add_error("source", error.messages)
        return _page(request, draft, form)
    messages.success(request, "The draft is saved.")
    return redirect(_address(policy))


@requires("draft.create")
@require_POST
def begin(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Begin a draft with the active text."""
    policy = _policy(actor, policy_id)
    try:
        draft_create(actor=actor, policy=policy)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect(_address(policy))


@requires("draft.create")
@require_POST
def judge(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Say what is wrong with a text and how its tests end; nothing is saved."""
    policy = _policy(actor, policy_id)
    source = request.POST.get("source", "")[:SOURCE_MAX]
    found = judged(source, names_for(actor))
    marked = {problem.line for problem in found.problems}
    content = _frame(policy) | {
        "found": found,
        "lines": [
            (number, line, number in marked) for number, line in enumerate(source.splitlines(), 1)
        ],
    }
    page = "policies/policy_judged.html"
    part = "#found" if request.headers.get("HX-Request") else ""
    return render(request, f"{page}{part}", content)


@requires("draft.discard")
@require_http_methods(["GET", "HEAD", "POST"])
def discard(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Say what is lost, or give the draft up."""
    draft = _draft(actor, policy_id)
    page = _form(draft, "Discard the draft", ("Its text is kept in the audit trail alone.",))

    def act(asked: Any) -> Done:
        draft_discard(actor=actor, draft=draft, reason=asked["reason"])
        return Done("The draft is gone.", reverse("policy", args=[policy_id]))

    return form_page(request, page, ReasonForm(given(request)), act)


@requires("review.request")
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show the form, or lay the text before a second person."""
    draft = _draft(actor, policy_id)
    page = _form(draft, "Ask for a review", ("Any edit after this voids it: it is of this text.",))

    def act(asked: Any) -> Done:
        with faults_told():
            review_request(actor=actor, draft=_read(draft, asked), reason=asked["reason"])
        return Done("The text is under review.", reverse("policy_reviews"))

    return form_page(request, page, AskForm(given(request), initial=_edit(draft)), act)


@requires("policy.read")
@require_http_methods(["GET", "HEAD", "POST"])
def release(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show the form, or put the draft in force wherever its policy holds."""
    draft = _draft(actor, policy_id)
    policy = draft.policy
    page = _form(draft, "Publish the draft", ("It judges calls within a second.",))

    def act(asked: Any) -> Done:
        with faults_told():
            made = policy_publish(
                actor=actor,
                policy=policy,
                source=draft.source,
                reason=asked["reason"],
                draft=_read(draft, asked),
            )
        return Done(f"Version {made.number} of {policy.name} is active.", _policy_address(policy))

    return form_page(request, page, ReleaseForm(given(request), initial=_edit(draft)), act)


@requires("policy_emergency.publish")
@require_http_methods(["GET", "HEAD", "POST"])
def emergency(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show the form, or put the draft in force without a review, which is done afterwards."""
    draft = _draft(actor, policy_id)
    active = draft.policy.active
    effects = (
        "No second person has looked at this text.",
        "Its review stays open until somebody else has done it.",
        f"Without their approval {f'version {active.number}' if active else 'what was before'}"
        " comes back by itself once the hours are over.",
    )
    page = _form(draft, "Publish in an emergency", effects, is_dangerous=True)

    def act(asked: Any) -> Done:
        with faults_told():
            made = policy_emergency_publish(
                actor=actor,
                policy=draft.policy,
                source=draft.source,
                hours=asked["hours"],
                reason=asked["reason"],
                draft=_read(draft, asked),
            )
        said = f"Version {made.number} is active for {asked['hours']} h, and has to be reviewed."
        return Done(said, _policy_address(draft.policy))

    return form_page(request, page, EmergencyForm(given(request), initial=_edit(draft)), act)


@contextmanager
def faults_told() -> Iterator[None]:
    """Say at a form what is wrong with a policy's text."""
    try:
        yield
    except PolicyError as error:
        told = (" ".join(filter(None, (each.message, each.hint))) for each in error.problems)
        raise ValidationError(list(told)) from error


def _page(
    request: HttpRequest, draft: Draft, form: DraftForm, *, both: Sides | None = None
) -> HttpResponse:
    """Show the editor; `both` is a text that came too late, beside what is stored now."""
    active = draft.policy.active
    reviews = Review.objects.filter(policy=draft.policy, version=None).exclude(state="void")
    content = _frame(draft.policy) | {
        "draft": draft,
        "form": form,
        "reviews": reviews.order_by("-created_at"),
        "is_stale": draft.base_id != draft.policy.active_id,
        "changes": diff.lines(active.source, draft.source) if active else [],
        "both": (both.theirs, both.ours) if both else (),
        "merged": both.merged if both else None,
    }
    status = HTTPStatus.OK
    if both is not None:
        status = HTTPStatus.CONFLICT
    elif form.is_bound:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    return render(request, "policies/policy_draft.html", content, status=status)


def _form(
    draft: Draft, title: str, effects: tuple[str, ...], *, is_dangerous: bool = False
) -> FormPage:
    return FormPage(
        title=f"{title}: {draft.policy.name}",
        submit=title,
        back=_address(draft.policy),
        crumbs=_frame(draft.policy)["crumbs"],
        effects=effects,
        is_dangerous=is_dangerous,
    )


def _to_edit(draft: Draft, source: str) -> dict[str, Any]:
    """Return what the form begins with: a text, and what is stored now."""
    return {"source": source, "revision": draft.revision, "read": draft.source}


def _edit(draft: Draft) -> dict[str, int]:
    return {"revision": draft.revision}


def _read(draft: Draft, asked: Any) -> Draft:
    """Return the draft as of the edit that the person has read: the service compares."""
    draft.revision = asked["revision"]
    return draft


def _frame(policy: Policy) -> dict[str, Any]:
    crumbs = [Crumb("Policies", reverse("policies")), Crumb(policy.name, _policy_address(policy))]
    return {"crumbs": crumbs, "policy": policy}


def _policy(actor: Actor, policy_id: uuid.UUID) -> Policy:
    return or_404(policies_visible(actor).select_related("active").filter(id=policy_id).first())


def _draft(actor: Actor, policy_id: uuid.UUID) -> Draft:
    return or_404(drafts_visible(actor).filter(policy_id=policy_id).first())


def _address(policy: Policy) -> str:
    return reverse("policy_draft", args=[policy.id])


def _policy_address(policy: Policy) -> str:
    return reverse("policy", args=[policy.id])
