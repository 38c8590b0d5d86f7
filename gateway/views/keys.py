"""Virtual keys: which there are, and making, replacing and ending one. A secret is shown once."""

import datetime
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import check, requires
from gateway.envelope import key_pepper
from gateway.keys import STATES, Standing, in_state, standing
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    ReasonForm,
    form_page,
    given,
    listed,
    or_404,
    refuse,
    show_form,
    tenant_chosen,
    tenants_for,
)
from gateway.selectors import base_url
from gateway.snippets import snippets
from tenants.keys import IssuedKey, KeyPepper
from tenants.models import App, VirtualKey
from tenants.permissions import can, tenants_where
from tenants.selectors import apps_visible, keys_visible
from tenants.services.keys import virtual_key_issue, virtual_key_revoke, virtual_key_rotate

HOUR_S = 3600
OVERLAPS = (
    (0, "None: the old key ends now"),
    (HOUR_S, "1 hour"),
    (24 * HOUR_S, "24 hours"),
    (7 * 24 * HOUR_S, "7 days"),
)
NEVER = "never"
EXPIRIES = (("30", "30 days"), ("90", "90 days"), ("365", "1 year"), (NEVER, "Never"))
SHOWN = "secrets_shown"
SHOWN_MAX = 20
"""The session remembers so many forms that have shown their secret (by public id, never it)."""


@dataclass(frozen=True, slots=True)
class Row:
    """A key in the list, how it stands now, and whether whoever looks may end it."""

    key: VirtualKey
    standing: Standing
    may_revoke: bool


class KeyFilter(forms.Form):
    """Which keys to list."""

    q = forms.CharField(required=False, label="Name or public id", max_length=120)
    app = forms.ChoiceField(required=False)
    state = forms.ChoiceField(required=False, choices=[("", "Any"), *STATES])

    def __init__(self, data: Any, apps: Sequence[App]) -> None:
        super().__init__(data)
        names = sorted({app.name for app in apps})
        self.fields["app"] = forms.ChoiceField(
            required=False, choices=[("", "All"), *((name, name) for name in names)]
        )

    def narrow(self, keys: QuerySet[VirtualKey], now: datetime.datetime) -> QuerySet[VirtualKey]:
        """Return those of the keys that are asked for; the form must be valid."""
        asked = self.cleaned_data
        if asked["q"]:
            keys = keys.filter(Q(name__icontains=asked["q"]) | Q(public_id=asked["q"]))
        if asked["app"]:
            keys = keys.filter(app__name=asked["app"])
        return in_state(keys, asked["state"], now)


class IssueForm(forms.Form):
    """A new key: what it is for, whose it is, how long it lasts."""

    name = forms.CharField(
        max_length=120,
        help_text="What it is for: “laptop of Ann”, “staging”.",
        widget=forms.TextInput({"autofocus": True, "autocomplete": "off"}),
    )
    app = forms.ChoiceField(help_text="The key can call what this app may call.")
    expires = forms.ChoiceField(label="Expires in", choices=EXPIRIES, initial="90")
    reason = forms.CharField(
        required=False, max_length=1000, help_text="Needed for a key that never expires."
    )
    once = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, data: Any, apps: Sequence[App], chosen: str) -> None:
        super().__init__(data, initial={"once": secrets.token_hex(8), "app": chosen})
        self.fields["app"] = forms.ChoiceField(
            choices=[(str(app.id), f"{app.tenant.name} / {app.name}") for app in apps],
            help_text=self.fields["app"].help_text,
        )

    def clean(self) -> dict[str, Any]:
        """Ask for a reason where a key is to last for ever."""
        asked = super().clean() or self.cleaned_data
        if asked.get("expires") == NEVER and not asked.get("reason"):
            self.add_error("reason", "Say why this key should never expire.")
        return asked


class RotateForm(ReasonForm):
    """How long the old key goes on beside the new one."""

    overlap_s = forms.TypedChoiceField(
        label="Keep the old key for", coerce=int, choices=OVERLAPS, initial=24 * HOUR_S
    )
    once = forms.CharField(widget=forms.HiddenInput, max_length=64)
    field_order = ("overlap_s", "reason")

    def __init__(self, data: Any) -> None:
        super().__init__(data, initial={"once": secrets.token_hex(8)})


@requires("virtual_key.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the keys that pass the filters, newest first."""
    now, tenant = timezone.now(), tenant_chosen(request, actor)
    keys = keys_visible(actor).select_related("app", "tenant")
    apps = apps_visible(actor)
    if tenant is not None:
        keys, apps = keys.filter(tenant=tenant), apps.filter(tenant=tenant)
    form = KeyFilter(request.GET, list(apps))
    found = form.narrow(keys, now) if form.is_valid() else keys.none()
    rows = listed(request, found)
    content = {
        "form": form,
        "page": rows,
        "rows": [_row(actor, key, now) for key in rows],
        "tenant": tenant,
        "may_issue": tenants_where(actor, "virtual_key.issue") != frozenset(),
        "may_revoke": tenants_where(actor, "virtual_key.revoke") != frozenset(),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "tenants/key_list.html", content, status=status)


@requires("virtual_key.read")
@require_safe
def show(request: HttpRequest, actor: Actor, key_id: uuid.UUID) -> HttpResponse:
    """Show one key: all but its secret."""
    key = _key(actor, key_id)
    successor = keys_visible(actor).filter(rotated_from=key).first()
    content = {
        "crumbs": _crumbs(),
        "key": key,
        "standing": standing(key, timezone.now()),
        "successor": successor,
    }
    return render(request, "tenants/key_show.html", content)


@requires("virtual_key.issue")
@require_http_methods(["GET", "HEAD", "POST"])
def issue(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form, or make the key and show its secret, in this one answer."""
    apps = list(
        App.objects.filter(tenant__in=tenants_for(actor, "virtual_key.issue"))
        .exclude(state=App.State.REMOVED)
        .select_related("tenant")
        .order_by("tenant__name", "name")
    )
    form = IssueForm(given(request), apps, request.GET.get("app", ""))
    page = FormPage(
        title="Issue a key",
        submit="Issue the key",
        back=reverse("keys"),
        crumbs=_crumbs(),
        lead="The secret is shown once, right after this. Only a keyed digest of it is stored.",
        effects=() if apps else ("There is no app that you may issue keys for: create one first.",),
    )
    if not form.is_valid():
        return show_form(request, page, form)
    shown = shown_before(request, form.cleaned_data["once"])
    if shown:
        return already_shown(request, actor, shown)
    asked = form.cleaned_data
    (app,) = [app for app in apps if str(app.id) == asked["app"]]
    try:
        key, issued = virtual_key_issue(
            actor=actor,
            app=app,
            name=asked["name"],
            pepper=_pepper(),
            reason=asked["reason"],
            expires_at=_expiry(asked["expires"]),
        )
    except ValidationError as error:
        refuse(form, error)
        return show_form(request, page, form)
    return show_once(request, key, issued, asked["once"])


@requires("virtual_key.rotate")
@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, actor: Actor, key_id: uuid.UUID) -> HttpResponse:
    """Show the form, or replace the key and show the new secret, in this one answer."""
    key = _key(actor, key_id)
    check(actor, "virtual_key.rotate", key)
    form = RotateForm(given(request))
    page = FormPage(
        title=f"Rotate {key.name}",
        submit="Rotate the key",
        back=reverse("key", args=[key.id]),
        crumbs=[*_crumbs(), Crumb(key.name, reverse("key", args=[key.id]))],
        lead="A new key takes this one's place, with the same name, app and expiry.",
    )
    if not form.is_valid():
        return show_form(request, page, form)
    asked = form.cleaned_data
    shown = shown_before(request, asked["once"])
    if shown:
        return already_shown(request, actor, shown)
    try:
        new, issued = virtual_key_rotate(
            actor=actor,
            key=key,
            pepper=_pepper(),
            overlap_s=asked["overlap_s"],
            reason=asked["reason"],
        )
    except ValidationError as error:
        refuse(form, error)
        return show_form(request, page, form)
    return show_once(request, new, issued, asked["once"])


@requires("virtual_key.revoke")
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, actor: Actor, key_id: uuid.UUID) -> HttpResponse:
    """Ask for a confirmation, or revoke the key."""
    key = _key(actor, key_id)
    check(actor, "virtual_key.revoke", key)
    back = reverse("key", args=[key.id])
    page = FormPage(
        title=f"Revoke {key.name}",
        submit="Revoke the key",
        back=back,
        crumbs=[*_crumbs(), Crumb(key.name, back)],
        effects=(
            f"Calls with {key.public_id} are refused within a second; those in flight are cut.",
            "This cannot be undone: a new key has to be issued.",
        ),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        did = virtual_key_revoke(actor=actor, key=key, reason=asked["reason"])
        said = f"{key.name} is revoked." if did else f"{key.name} was revoked already."
        return Done(said, back)

    return form_page(request, page, ReasonForm(given(request)), act)


def _row(actor: Actor, key: VirtualKey, now: datetime.datetime) -> Row:
    is_active = key.state == VirtualKey.State.ACTIVE
    return Row(key, standing(key, now), is_active and can(actor, "virtual_key.revoke", key))


def _key(actor: Actor, key_id: uuid.UUID) -> VirtualKey:
    keys = keys_visible(actor).select_related("app", "tenant", "rotated_from")
    return or_404(keys.filter(id=key_id).first())


def _crumbs() -> list[Crumb]:
    return [Crumb("Keys", reverse("keys"))]


def _pepper() -> KeyPepper:
    return key_pepper(settings.GATEHOUSE.kek)


def _expiry(chosen: str) -> datetime.datetime | None:
    return None if chosen == NEVER else timezone.now() + datetime.timedelta(days=int(chosen))


def show_once(request: HttpRequest, key: VirtualKey, issued: IssuedKey, once: str) -> HttpResponse:
    """Answer with the secret, and remember that this form has shown it."""
    shown = dict(list(request.session.get(SHOWN, {}).items())[1 - SHOWN_MAX :])
    request.session[SHOWN] = shown | {once: str(key.id)}
    model = key.app.models[0] if key.app.models else ""
    content = {
        "crumbs": _crumbs(),
        "key": key,
        "secret": issued.secret,
        "model": model,
        "snippets": snippets(base_url(), issued.secret, model),
    }
    return render(request, "tenants/key_issued.html", content)


def shown_before(request: HttpRequest, once: str) -> str:
    """Return the id of the key whose secret this form has shown; nothing where it has not yet."""
    return str(request.session.get(SHOWN, {}).get(once, ""))


def already_shown(request: HttpRequest, actor: Actor, key_id: str) -> HttpResponse:
    """Answer a form that is sent again: its key exists, and its secret was shown."""
    key = keys_visible(actor).filter(id=key_id).first()
    if key is None:
        return redirect(reverse("keys"))
    content = {
        "crumbs": _crumbs(),
        "key": key,
        "may_rotate": can(actor, "virtual_key.rotate", key),
    }
    return render(request, "tenants/key_shown.html", content, status=HTTPStatus.CONFLICT)
