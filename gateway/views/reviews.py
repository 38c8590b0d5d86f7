"""Texts of policies before a second person."""

import uuid
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway import diff
from gateway.access import requires
from gateway.pages import Crumb, ReasonForm, given, listed, or_404, refuse
from policies.identity import identity
from policies.models import Review
from policies.services.reviews import review_approve, review_reject
from policies.visible import detachments_asked, exemptions_asked, reviews_visible
from tenants.permissions import tenants_where


class DecisionForm(ReasonForm):
    """What is said of the text."""

    decision = forms.ChoiceField(
        choices=[("approve", "Approve this very text"), ("reject", "Reject it, for this reason")]
    )
    field_order = ("decision", "reason")


@requires("policy.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List what waits for a second person, then the texts that were decided."""
    rows = reviews_visible(actor).exclude(state=Review.State.VOID).order_by("-created_at")
    waiting = rows.filter(state=Review.State.OPEN)
    content = {
        "crumbs": [Crumb("Policies", reverse("policies"))],
        "waiting": waiting,
        "detachments": detachments_asked(actor),
        "exemptions": exemptions_asked(actor, timezone.now()),
        "decided": listed(request, rows.exclude(state=Review.State.OPEN)),
    }
    return render(request, "policies/review_list.html", content)


@requires("policy.read")
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, actor: Actor, review_id: uuid.UUID) -> HttpResponse:
    """Show a text beside what it would replace, or decide on it."""
    review = or_404(reviews_visible(actor).filter(id=review_id).first())
    form = DecisionForm(given(request))
    if form.is_valid():
        asked = form.cleaned_data
        service = review_approve if asked["decision"] == "approve" else review_reject
        try:
            service(actor=actor, review=review, reason=asked["reason"])
        except ValidationError as error:
            refuse(form, error)
        except PermissionDenied as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Your word is written down.")
            return redirect("policy_review", review_id=review.id)
    base: Any = review.base
    content = {
        "crumbs": [
            Crumb("Policies", reverse("policies")),
            Crumb("Reviews", reverse("policy_reviews")),
        ],
        "review": review,
        "form": form,
        "lines": diff.lines(base.source if base else "", review.source),
        "is_author": identity(actor) in review.authors,
        "may_decide": tenants_where(actor, "review.approve") != frozenset(),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, "policies/review_show.html", content, status=status)
