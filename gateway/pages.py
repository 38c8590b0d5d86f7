"""What the screens share: crumbs, pages of a list, and forms that a service may refuse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from audit.actor import Actor
from gateway.constraints import in_words
from tenants.models import Tenant
from tenants.permissions import tenants_where
from tenants.selectors import tenants_visible

PAGE = 50
REASON_LENGTH_MAX = 1000
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Crumb:
    """One step of the way to a page."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Done:
    """What a form brought about: the sentence that says so, and where to go on."""

    said: str
    to: str


@dataclass(frozen=True, slots=True)
class FormPage:
    """A page with one form. `effects` say beforehand what will happen."""

    title: str
    submit: str
    back: str
    crumbs: Sequence[Crumb] = ()
    lead: str = ""
    effects: Sequence[str] = ()
    is_dangerous: bool = False
    template: str = "console/form.html"


class ReasonForm(forms.Form):
    """Why something is done; it is kept with the event."""

    reason = forms.CharField(
        required=False,
        max_length=REASON_LENGTH_MAX,
        help_text="Kept in the audit trail, with your name.",
    )


class NeededReasonForm(ReasonForm):
    """Why something is done that nobody does without one."""

    reason = forms.CharField(
        max_length=REASON_LENGTH_MAX, help_text="Kept in the audit trail, with your name."
    )


def given(request: HttpRequest) -> QueryDict | None:
    """Return what a form was filled in with, or None where it is only shown."""
    return request.POST if request.method == "POST" else None


def form_page(
    request: HttpRequest,
    page: FormPage,
    form: forms.Form,
    act: Callable[[Mapping[str, Any]], Done],
) -> HttpResponse:
    """Show the form, or do what it asks; what the service refuses stands at its field."""
    if form.is_valid():
        try:
            done = act(form.cleaned_data)
        except ValidationError as error:
            refuse(form, error)
        else:
            messages.success(request, done.said)
            return redirect(done.to)
    return show_form(request, page, form)


def show_form(
    request: HttpRequest, page: FormPage, form: forms.Form, **more: object
) -> HttpResponse:
    """Show the form; one that was filled in comes back with its errors."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    content = {"page": page, "crumbs": page.crumbs, "form": form, **more}
    return render(request, page.template, content, status=status)


def refuse(form: forms.Form, error: ValidationError) -> None:
    """Put what a service says where the person can mend it."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, faults in error.error_dict.items():
        told = [in_words(message) for fault in faults for message in fault.messages]
        if name in form.fields:
            form.add_error(name, told)
        else:
            prefix = "" if name == NON_FIELD_ERRORS else f"{name.replace('_', ' ')}: "
            form.add_error(None, [f"{prefix}{message}" for message in told])


def listed(request: HttpRequest, rows: QuerySet[Row], name: str = "page") -> Page[Row]:
    """Return the page of the rows that the address asks for, or the nearest there is.

    A second list on a page has a name of its own in the address. Rows that fit on one page are not
    counted.
    """
    paginator = Paginator(rows, PAGE)
    if request.GET.get(name, "1") != "1":
        return paginator.get_page(request.GET[name])
    first = list(rows[: PAGE + 1])
    if len(first) <= PAGE:
        return Paginator(first, PAGE).page(1)
    return Page(first[:PAGE], 1, paginator)


def tenant_chosen(request: HttpRequest, actor: Actor) -> Tenant | None:
    """Return the tenant that a list is narrowed to; raise Http404 where it is not to be seen."""
    name = request.GET.get("tenant", "")
    if not name:
        return None
    tenant = tenants_visible(actor).filter(name=name).first()
    if tenant is None:
        raise Http404
    return tenant


def tenants_for(actor: Actor, action: str) -> QuerySet[Tenant]:
    """Return the tenants in which the actor may do this."""
    tenants = tenants_visible(actor)
    ids = tenants_where(actor, action)
    return tenants if ids is None else tenants.filter(id__in=ids)


def or_404(row: Row | None) -> Row:
    """Return the row; raise Http404 where there is none to see."""
    if row is None:
        raise Http404
    return row
