"""Ending several keys: chosen in the list, named once more, ended together or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import check, requires
from gateway.pages import PAGE, Crumb, Done, FormPage, ReasonForm, form_page, given
from tenants.models import VirtualKey
from tenants.selectors import keys_visible
from tenants.services.keys import virtual_key_revoke


class SeveralForm(ReasonForm):
    """Which keys, carried from the list through the confirmation."""

    key = forms.MultipleChoiceField(widget=forms.MultipleHiddenInput)

    def __init__(self, data: Any, keys: Sequence[VirtualKey]) -> None:
        ids = [str(key.id) for key in keys]
        super().__init__(data, initial={"key": ids})
        self.fields["key"] = forms.MultipleChoiceField(
            choices=[(each, each) for each in ids], widget=forms.MultipleHiddenInput
        )


@requires("virtual_key.revoke")
@require_http_methods(["GET", "HEAD", "POST"])
def several(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Name the chosen keys and ask for a confirmation, or revoke them all."""
    asked = request.POST if request.method == "POST" else request.GET
    keys = _chosen(actor, asked)
    if not keys:
        messages.error(request, "Choose the keys to revoke first.")
        return redirect(reverse("keys"))
    for key in keys:
        check(actor, "virtual_key.revoke", key)
    page = FormPage(
        title=f"Revoke {_counted(len(keys))}",
        submit=f"Revoke {_counted(len(keys))}",
        back=reverse("keys"),
        crumbs=[Crumb("Keys", reverse("keys"))],
        lead="Calls with them are refused within a second; those in flight are cut."
        " This cannot be undone: new keys have to be issued.",
        effects=list(map(_named, keys)),
        is_dangerous=True,
    )

    def act(filled_in: Mapping[str, Any]) -> Done:
        why = filled_in["reason"]
        with transaction.atomic():
            did = [virtual_key_revoke(actor=actor, key=key, reason=why) for key in keys]
        before = len(did) - sum(did)
        said = f"{_counted(sum(did))} revoked" + (f", {before} before." if before else ".")
        return Done(said, reverse("keys"))

    return form_page(request, page, SeveralForm(given(request), keys), act)


def _chosen(actor: Actor, asked: QueryDict) -> list[VirtualKey]:
    """Return the keys in one order for everybody, so that no two of these wait in a ring.

    Raises Http404 where one of them is not to be seen, or there are more than a page holds.
    """
    field = forms.UUIDField()
    wanted = set(asked.getlist("key"))
    try:
        ids = {field.clean(each) for each in wanted}
    except forms.ValidationError:
        ids = set()
    keys = keys_visible(actor).select_related("app", "tenant").filter(id__in=ids)
    found = list(keys.order_by("tenant_id", "name", "id")) if len(ids) <= PAGE else []
    if len(found) != len(wanted):
        raise Http404
    return found


def _named(key: VirtualKey) -> str:
    return f"{key.name} ({key.public_id}) of {key.app.name}, {key.tenant.name}"


def _counted(number: int) -> str:
    return f"{number} key{'' if number == 1 else 's'}"
