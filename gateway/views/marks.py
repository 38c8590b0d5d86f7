"""Marking what matched in a call as wrong or right."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from audit.models import Mark
from gateway import selectors
from gateway.access import check, requires
from gateway.pages import Crumb, Done, FormPage, ReasonForm, form_page, given
from gateway.services.marks import MarkWanted, mark_create, subjects

VERDICTS = [
    (Mark.Verdict.FALSE_POSITIVE, "It should not have matched"),
    (Mark.Verdict.CORRECT, "It matched rightly"),
]


class MarkForm(ReasonForm):
    """What is marked, and as what."""

    what = forms.ChoiceField(label="Rule or finding")
    verdict = forms.ChoiceField(label="Say", choices=VERDICTS)
    field_order = ("what", "verdict", "reason")

    def __init__(self, data: Any, can_be: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(data)
        choices = [(f"{on} {name}", f"{on} {name}") for on in can_be for name in can_be[on]]
        self.fields["what"] = forms.ChoiceField(label="Rule or finding", choices=choices)
        self.order_fields(self.field_order)


@requires("mark.create")
@require_http_methods(["GET", "HEAD", "POST"])
def mark(request: HttpRequest, actor: Actor, call_id: uuid.UUID) -> HttpResponse:
    """Show what can be marked of a call, or mark it."""
    records = selectors.call_visible(actor, call_id)
    if not records:
        raise Http404
    (tenant,) = [each for each in selectors.call_tenants(actor) if each.id == records[0].tenant_id]
    check(actor, "mark.create", tenant)
    address = reverse("call", args=[call_id])
    page = FormPage(
        title="Mark a rule or finding",
        submit="Mark it",
        back=address,
        crumbs=[Crumb("Calls", reverse("calls")), Crumb(str(call_id)[:13], address)],
        lead="Marks estimate how precise a rule is. They change nothing of the call.",
    )

    def act(asked: Mapping[str, Any]) -> Done:
        on, _, subject = asked["what"].partition(" ")
        wanted = MarkWanted(on, subject, asked["verdict"])
        made = mark_create(
            actor=actor, tenant=tenant, records=records, wanted=wanted, reason=asked["reason"]
        )
        return Done(f"{made.subject} is marked.", address)

    return form_page(request, page, MarkForm(given(request), subjects(records)), act)
