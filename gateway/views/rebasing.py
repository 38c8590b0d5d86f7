"""A draft that began from a version that is no longer the active one takes the active one over."""

import uuid
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import requires
from gateway.merging import Merged, Sides, sides
from gateway.pages import Crumb, given, or_404
from gateway.views.drafts import DraftForm
from gateway.views.publishing import crumbs
from policies.models import Draft, Policy, PolicyVersion
from policies.services.drafts import DraftChangedError, draft_update
from policies.visible import drafts_visible
from tenants.changes import change_alone


class RebaseForm(DraftForm):
    """The text with both changes, and the version that it takes over."""

    onto = forms.UUIDField(required=False, widget=forms.HiddenInput)


@requires("draft.update")
@require_http_methods(["GET", "HEAD", "POST"])
def rebase(request: HttpRequest, actor: Actor, policy_id: uuid.UUID) -> HttpResponse:
    """Show what became active beside what the draft changes, or save the text with both."""
    draft = or_404(drafts_visible(actor).filter(policy_id=policy_id).first())
    if request.method != "POST" and draft.base_id == draft.policy.active_id:
        messages.success(request, "The draft begins from the active version already.")
        return redirect("policy_draft", policy_id=policy_id)
    form = RebaseForm(given(request))
    if form.is_valid():
        return _save(request, actor, draft, form)
    both = _sides(_text(draft.base), ("the draft", draft.source), draft.policy.active)
    return _page(request, draft, both, form if form.is_bound else None)


def _save(request: HttpRequest, actor: Actor, draft: Draft, form: RebaseForm) -> HttpResponse:
    """Save what was rebased; what came too late is shown again with what came before it."""
    asked = form.cleaned_data
    mine = ("you", asked["source"])
    try:
        with transaction.atomic():
            change_alone()
            policy = Policy.objects.select_related("active").get(pk=draft.policy_id)
            if policy.active_id != asked["onto"]:
                draft = or_404(drafts_visible(actor).filter(pk=draft.pk).first())
                onto = PolicyVersion.objects.filter(policy=policy, pk=asked["onto"]).first()
                both = _sides(_text(onto), mine, policy.active)
                return _page(request, draft, both, revision=asked["revision"])
            draft_update(
                actor=actor,
                draft=draft,
                revision=asked["revision"],
                source=asked["source"],
                rebase=True,
            )
    except DraftChangedError as conflict:
        stored = conflict.current
        found = sides(asked["read"], mine, (stored.author, stored.source))
        return _page(request, stored, found, revision=stored.revision)
    except ValidationError as error:
        form.add_error("source", error.messages)
        return _page(request, draft, None, form)
    number = policy.active.number if policy.active else 0
    messages.success(request, f"The draft begins from version {number} now.")
    return redirect("policy_draft", policy_id=policy.id)


def _sides(base: str, ours: tuple[str, str], active: PolicyVersion | None) -> Sides:
    """Return a text beside the active one; where nothing is active any more it stays as it is."""
    if active is None:
        found = sides(base, ours, ("the end of the active version", base))
        return Sides(found.ours, found.theirs, Merged(ours[1], 0))
    return sides(base, ours, (f"version {active.number}", active.source))


def _text(version: PolicyVersion | None) -> str:
    return "" if version is None else version.source


def _draft_address(draft: Draft) -> str:
    return reverse("policy_draft", args=[draft.policy_id])


def _page(
    request: HttpRequest,
    draft: Draft,
    both: Sides | None,
    form: RebaseForm | None = None,
    *,
    revision: int = 0,
) -> HttpResponse:
    """Show the editor; `revision` is given where the text came too late, and nothing was saved."""
    if form is None and both is not None:
        begin: dict[str, Any] = {
            "source": both.merged.text,
            "revision": revision or draft.revision,
            "read": draft.source,
            "onto": draft.policy.active_id,
        }
        form = RebaseForm(None, initial=begin)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form and form.is_bound else HTTPStatus.OK
    content = {
        "crumbs": [*crumbs(draft.policy), Crumb("Draft", _draft_address(draft))],
        "policy": draft.policy,
        "draft": draft,
        "both": (both.theirs, both.ours) if both else (),
        "merged": both.merged if both else None,
        "form": form,
        "is_late": bool(revision),
    }
    code = HTTPStatus.CONFLICT if revision else status
    return render(request, "policies/policy_rebase.html", content, status=code)
